"""`/api/jobs`."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException

from imaginem.usecases.admission import Admission
from imaginem.usecases.erase import forget_job
from imaginem.usecases.intake import receive_message
from imaginem.usecases.jobs import view_job
from imaginem.usecases.rerun import comparison_of, prepare_rerun, rerun_job
from imaginem.usecases.submit import run_again
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, VisibleJob, WebDep
from imaginem.web.models import Accepted, Job
from imaginem.web.presenters import present_comparison, present_job, present_sent
from imaginem.web.problems import responses
from imaginem.web.receipt_models import Forgotten, present_erasure
from imaginem.web.rerun_models import Comparison, RerunAsked

_JOB_MESSAGE = {
    "job_definition": {
        "id": "job-1",
        "batch_id": "spring-2026",
        "input": {"image_url": "https://example.org/photo.jpg"},
        "processing_pipeline": ["generalclassification", "ocr", "pipelineoutput"],
    }
}

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.post("", status_code=202, responses=responses(400, 404, 422))
def send(
    caller: Caseworker,
    web: WebDep,
    services: ServicesDep,
    message: Annotated[dict[str, Any], Body(examples=[_JOB_MESSAGE])],
) -> Accepted:
    """Put a job message on its queue; see docs/messages.md."""
    return present_sent(receive_message(services, web.registry, message, caller))


@router.get("/{batch_id}/{job_id}", responses=responses(404, 422))
def job(caller: Viewer, services: ServicesDep, key: VisibleJob) -> Job:
    """Return a job: its progress, outputs, and faces that look like its own."""
    return present_job(view_job(services, key, caller), services.core_settings.match_limit)


@router.post("/{batch_id}/{job_id}/retry", status_code=202, responses=responses(404, 422))
def retry(caller: Caseworker, services: ServicesDep, key: VisibleJob) -> Accepted:
    """Run a job that has ended again, from its first step."""
    return present_sent(Admission(key, run_again(services, key), sent=True, state="queued"))


@router.post("/{batch_id}/{job_id}/rerun", status_code=202, responses=responses(400, 404, 409, 422))
def rerun(
    caller: Caseworker, services: ServicesDep, key: VisibleJob, wanted: RerunAsked
) -> Accepted:
    """Run a job that has ended again from a step, with other engines if wished; both are kept."""
    prepared = prepare_rerun(services, key[0], wanted.from_step, wanted.engines)
    run = rerun_job(services, key, prepared)
    return present_sent(Admission(key, run, sent=True, state="queued"))


@router.get("/{batch_id}/{job_id}/comparison", responses=responses(404, 422))
def comparison(caller: Viewer, services: ServicesDep, key: VisibleJob) -> Comparison:
    """Return what changed in a job's outputs since before its last rerun."""
    compared = comparison_of(services, key, caller)
    if compared is None:
        raise HTTPException(404, f"job {key[1]} has no output from before a rerun to compare")
    return present_comparison(compared)


@router.delete(
    "/{batch_id}/{job_id}", responses=responses(404, 422), response_model_exclude_defaults=True
)
def erase(caller: Caseworker, services: ServicesDep, key: VisibleJob) -> Forgotten:
    """Erase a job: its photo, results, faces and all, even while it is at work."""
    return present_erasure(services, forget_job(services, key))
