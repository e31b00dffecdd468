"""A job as people see it: its progress, what was found, and who looks like its faces."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imaginem.errors import NotFound
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.reuse import TOLD
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import (
    AuditDeed,
    AuditSubject,
    DashboardServices,
    JobKey,
    JobResult,
    Services,
    Submission,
)
from imaginem.redaction import redact_shown
from imaginem.usecases.access import Caller
from imaginem.usecases.alike import ReviewedMatch
from imaginem.usecases.at_work import is_at_work
from imaginem.usecases.audit.acting import note
from imaginem.usecases.faces import matches_of_job
from imaginem.usecases.other_models import OtherModels
from imaginem.usecases.reasons import told


@dataclass(frozen=True)
class StepView:
    """Where a job stands at a step, why if it failed, and whether its output was reused."""

    name: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class JobView:
    """A job as far as a caller may see it.

    Attributes:
        source: container and name of the blob that was dropped; empty if the photo was sent.
        replaced: when that blob was found to hold another photo; empty if it does not.
        outputs: by step; None as long as there is no result.
        matches: faces that look like the job's, best first.
        other_models: there are none, and other models' faces were not compared.
    """

    batch_id: str
    job_id: str
    state: str
    image_url: str
    image_parameters: Any
    steps: Sequence[StepView]
    outputs: Mapping[str, Any] | None
    matches: Sequence[ReviewedMatch]
    source: str = ""
    replaced: str = ""
    other_models: bool = False


def view_job(services: DashboardServices, key: JobKey, caller: Caller) -> JobView:
    """Return a job.

    Raises:
        NotFound: there is no such job.
    """
    job = steps_of_job(services, key)
    note(services, AuditDeed.VIEWED, AuditSubject.JOB, *key)
    matches = matches_of_job(services, key, caller)
    outputs = None if job.outputs is None else visible_outputs(job.outputs, matches)
    other_models = not matches and OtherModels(services, caller).are_beside(outputs or {})
    return replace(job, matches=matches, outputs=outputs, other_models=other_models)


def steps_of_job(services: DashboardServices, key: JobKey) -> JobView:
    """Return a job without matches, for what is told of its steps alone: nobody views it.

    Raises:
        NotFound: there is no such job.
    """
    row, result = read_row(services.log, key), services.results.read(key)
    sent = services.submissions.submission(key)
    if row is None and result is None and sent is None:
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    return JobView(
        batch_id=key[0],
        job_id=key[1],
        state=_state_in_view(row, sent, result),
        image_url=result.image_url if result else row.image_url if row else "",
        image_parameters=redact_shown(
            result.image_parameters if result else sent.parameters if sent else None
        ),
        steps=_steps(row, result),
        outputs=result.job_output if result else None,
        matches=(),
        source=row.dropped.source if row and row.dropped else "",
        replaced=row.replaced if row else "",
    )


def state_of_job(services: DashboardServices, key: JobKey) -> str:
    """Return how a job stands; `queued` before its first step."""
    return _state(read_row(services.log, key), services.submissions.submission(key))


def _state(row: ProgressRow | None, sent: Submission | None) -> str:
    if is_at_work(row, sent) and (row is None or row.has_ended):
        return "queued"
    return str(row.job_state if row else JobState.SUCCEEDED)


def _state_in_view(
    row: ProgressRow | None, sent: Submission | None, result: JobResult | None
) -> str:
    """Return how a job stands, also one whose row is gone: its result, if any, tells then."""
    state = _state(row, sent)
    if row is not None or state == "queued":
        return state
    if result is None:  # it was sent long ago and never began
        return JobState.FAILED
    return JobState.PARTIAL if result.unsuccessful else JobState.SUCCEEDED


def _steps(row: ProgressRow | None, result: JobResult | None) -> list[StepView]:
    if row is None and result is not None:
        failed = result.unsuccessful
        return [
            StepView(name, StepState.FAILED if name in failed else StepState.SUCCESS)
            for name in result.processing_pipeline
        ]
    if row is None:
        return []
    return [StepView(name, row.state_of(name), told_of(row, name)) for name in row.pipeline]


def told_of(row: ProgressRow, step: str) -> str:
    """Return what there is to say of how a step stands."""
    return told(row.reason_of(step)) or (TOLD if step in row.reused else "")


def visible_outputs(outputs: Mapping[str, Any], matches: Sequence[ReviewedMatch]) -> dict[str, Any]:
    """Return outputs without matches that the caller may not see, or that were erased.

    Args:
        outputs: by step, as the job found it.
        matches: those that the caller may see; what a person decided is told as `verdict`.
    """
    output = outputs.get("facematch")
    listed = output.get("matches") if isinstance(output, dict) else None
    if not isinstance(output, dict) or not isinstance(listed, list):
        return dict(outputs)
    visible = {str(face_id) for match in matches for face_id in match.matched_ids}
    decided = {
        (str(match.face_id), str(face_id)): match.decision
        for match in matches
        if match.decision
        for face_id in match.matched_ids
    }
    kept = [
        {**match, "verdict": decided[_pair(match)]} if _pair(match) in decided else match
        for match in listed
        if isinstance(match, dict) and str(match.get("matched_face_id")) in visible
    ]
    return {**outputs, "facematch": {**output, "matches": kept}}


def _pair(match: Mapping[str, Any]) -> tuple[str, str]:
    return str(match.get("face_id")), str(match.get("matched_face_id"))


def result_of(services: Services, key: JobKey) -> JobResult:
    """Return a job's result.

    Raises:
        NotFound: it has none.
    """
    result = services.results.read(key)
    if result is None:
        raise NotFound(f"there is no result of job {key[1]} in batch {key[0]}")
    return result


def given_name(parameters: Any) -> Any:
    """Return `original_name` of `image_parameters`, in which a sender may write anything.

    It is without secrets, since it is shown.
    """
    return redact_shown(parameters.get("original_name")) if isinstance(parameters, dict) else None


def names_of(services: DashboardServices, batch_id: str, job_ids: Iterable[str]) -> dict[str, str]:
    """Return the names that the photos of these jobs of a batch were sent with, as far as known."""
    sent = services.submissions.parameters({(batch_id, job_id) for job_id in job_ids})
    return {key[1]: str(name) for key, given in sent.items() if (name := given_name(given))}


def photo_name(parameters: Any, job_id: str) -> str:
    """Return the name that a photo's sender gave it in `image_parameters`, or the job's id."""
    return str(given_name(parameters) or job_id)
