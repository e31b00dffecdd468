"""`/api/jobs`."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic_core import to_json

from imaginem.erasure import forget_job
from imaginem.models import decode_message
from imaginem.submitting import run_again
from imaginem.web.access import Caller, check_batch
from imaginem.web.answers import job_of
from imaginem.web.api.batches import accepted
from imaginem.web.api.models import Accepted, Forgotten, Job
from imaginem.web.problems import responses
from imaginem.web.site import Site

_JOB_MESSAGE = {
    "job_definition": {
        "id": "job-1",
        "batch_id": "spring-2026",
        "input": {"image_url": "https://example.org/photo.jpg"},
        "processing_pipeline": ["generalclassification", "ocr", "pipelineoutput"],
    }
}


def job_routes(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    @router.post("", status_code=202, responses=responses(404, 422))
    def send(
        caller: Annotated[Caller, caseworker],
        message: Annotated[dict[str, Any], Body(examples=[_JOB_MESSAGE])],
    ) -> Accepted:
        """Put a job message on its queue; see docs/messages.md."""
        services = site.services()
        decoded = decode_message(to_json(message), services.limits.default_pipeline)
        definition = decoded.job_definition
        check_batch(services.archive, definition.batch_id, caller)
        run = services.queues.send(decoded.current, decoded.encode())
        services.archive.submitted((definition.batch_id, definition.id), run)
        return accepted(definition.batch_id, definition.id, run)

    @router.get("/{batch_id}/{job_id}", responses=responses(404, 422))
    def job(caller: Annotated[Caller, viewer], batch_id: str, job_id: str) -> Job:
        """Return a job: its progress, what was found, and who looks like its faces."""
        return job_of(site.services(), site.visible(batch_id, job_id, caller), caller)

    @router.post("/{batch_id}/{job_id}/retry", status_code=202, responses=responses(404, 422))
    def retry(caller: Annotated[Caller, caseworker], batch_id: str, job_id: str) -> Accepted:
        """Run a job that has ended again, from its first step."""
        key = site.visible(batch_id, job_id, caller)
        return accepted(*key, run_again(site.services(), key))

    @router.delete("/{batch_id}/{job_id}", responses=responses(404, 409, 422))
    def erase(caller: Annotated[Caller, caseworker], batch_id: str, job_id: str) -> Forgotten:
        """Erase a job: its photo, results, faces and all; refused while it is at work."""
        forget_job(site.services(), site.visible(batch_id, job_id, caller))
        return Forgotten(jobs=1)

    _ = (send, job, retry, erase)
    return router
