"""`/api/jobs`."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException
from pydantic_core import to_json

from imaginem.message import JobDefinition, decode_message
from imaginem.names import blob_segment
from imaginem.pipeline.source import photo_containers
from imaginem.ports import DashboardServices
from imaginem.redaction import without_query
from imaginem.usecases.erase import forget_job
from imaginem.usecases.submit import run_again, send_message
from imaginem.web.access import Caller, check_batch
from imaginem.web.api.batches import accepted, check_first
from imaginem.web.api.models import Accepted, Forgotten, Job
from imaginem.web.context import Site
from imaginem.web.presenters import job_of
from imaginem.web.problems import responses

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

    @router.post("", status_code=202, responses=responses(400, 404, 422))
    def send(
        caller: Annotated[Caller, caseworker],
        message: Annotated[dict[str, Any], Body(examples=[_JOB_MESSAGE])],
    ) -> Accepted:
        """Put a job message on its queue; see docs/messages.md."""
        services = site.services()
        definition = message.get("job_definition")
        if isinstance(definition, dict):  # what Imaginem notes for itself is not for callers
            own = {name: value for name, value in definition.items() if name != "_imaginem"}
            message = {**message, "job_definition": own}
        decoded = decode_message(as_json(message), services.core_settings.default_pipeline)
        batch_id = decoded.job_definition.batch_id
        check_batch(services.batches, batch_id, caller)
        check_photo_address(services, decoded.job_definition, caller)
        check_first(site.registry, decoded.current)
        services.batches.open_batch(batch_id)
        run = send_message(services, decoded)
        return accepted(batch_id, decoded.job_definition.id, run)

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


def as_json(message: Any) -> bytes:
    """Return a body as JSON again.

    Raises:
        HTTPException: 422, it holds what no text can.
    """
    try:
        return to_json(message)
    except (ValueError, RecursionError):
        raise HTTPException(422, "the message holds half a character, or is too deep") from None


def check_photo_address(
    services: DashboardServices, definition: JobDefinition, caller: Caller
) -> None:
    """Check that a caller may have a photo of our own account looked at.

    Raises:
        HTTPException: 422, it is in another container, or in another batch's folder.
    """
    url = without_query(definition.input.image_url)
    place = services.blobs.locate(url)
    if place is None:
        return
    allowed = photo_containers(services)
    folder = place[1].partition("/")[0]
    own = caller.groups is None or folder == blob_segment(definition.batch_id)
    if place[0] not in allowed or not own:
        raise HTTPException(
            422,
            "job_definition.input.image_url: photos of this account are read from "
            f"{' and '.join(allowed)} only, and from the folder of the job's own batch",
        )
