"""Why there is nothing of a step to show: nothing was found, or nobody has looked.

What nobody looked for must never read as what was not found.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from imaginem.errors import NotFound
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import DashboardServices, JobResult
from imaginem.usecases.access import Caller
from imaginem.usecases.faces import owner_of
from imaginem.usecases.jobs import JobView, steps_of_job
from imaginem.usecases.other_models import OtherModels


class Looked(StrEnum):
    """How far a photo was looked at by one step."""

    DONE = "done"
    QUEUED = "queued"
    WAITING = "waiting"
    PROCESSING = "processing"
    RETRYING = "retrying"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNSUCCESSFUL = "unsuccessful"
    CANCELLED = "cancelled"
    HANDED_OVER = "handed_over"
    ENDED = "ended"
    LOST = "lost"
    UNWRITTEN_YET = "unwritten_yet"
    UNWRITTEN = "unwritten"
    NO_OUTPUT = "no_output"
    NO_STEP = "no_step"


@dataclass(frozen=True)
class Look:
    """How far a step has looked at a photo, and why not further."""

    step: str
    how: Looked
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether its output tells what is in the photo, and what is not."""
        return self.how is Looked.DONE


_NEVER_BEGUN = {
    JobState.CANCELLED: Looked.CANCELLED,
    JobState.HANDED_OVER: Looked.HANDED_OVER,
    JobState.RUNNING: Looked.WAITING,
}
_STANDING = {
    StepState.PROCESSING: Looked.PROCESSING,
    StepState.GATHERING: Looked.PROCESSING,
    StepState.RETRYING: Looked.RETRYING,
    StepState.FAILED: Looked.FAILED,
    StepState.POISONED: Looked.FAILED,
    StepState.SKIPPED: Looked.SKIPPED,
}


def look_of(job: JobView, step: str) -> Look:
    """Tell how far a step has looked at a job's photo.

    Args:
        job: as the caller sees it.
        step: its name; the job may not have it.
    """
    if _has_output(job.outputs or {}, step):
        return Look(step, Looked.DONE)
    if job.state == "queued":  # what the row says is of the run before
        return Look(step, Looked.QUEUED)
    found = next((each for each in job.steps if each.name == step), None)
    if found is None:
        return Look(step, Looked.NO_STEP if job.steps else Looked.LOST)
    if found.state in _STANDING:
        cause = step
        if found.state == StepState.FAILED and not found.reason:
            # Its row is gone: nothing tells a step that was skipped from the one that failed.
            failed = {each.name for each in job.steps if each.state == StepState.FAILED}
            cause = _first_of(step, failed)
        return Look(cause, _STANDING[StepState(found.state)], found.reason)
    if found.state == StepState.SUCCESS and job.state == JobState.RUNNING:
        return Look(step, Looked.UNWRITTEN_YET)
    if found.state == StepState.SUCCESS:
        return Look(step, Looked.UNWRITTEN if job.outputs is None else Looked.NO_OUTPUT)
    return Look(step, _NEVER_BEGUN.get(JobState(job.state), Looked.ENDED))


def look_of_face(services: DashboardServices, face_id: uuid.UUID, caller: Caller) -> Look:
    """Tell how far a face of the gallery was compared with the others.

    Raises:
        NotFound: the face is not in the gallery, or hidden from the caller.
    """
    owner = owner_of(services, face_id, caller)
    try:
        return look_of(steps_of_job(services, owner.key), "facematch")
    except NotFound:  # faces may be kept for longer than what else is known of their job
        return Look("facematch", Looked.NO_OUTPUT)


def found_nobody(
    services: DashboardServices, face_id: uuid.UUID, look: Look, caller: Caller
) -> str:
    """Return how it is told that no face looks like one of the gallery, as of `Finding`.

    Raises:
        NotFound: the face is not in the gallery, or hidden from the caller.
    """
    if not look.is_done:
        return look.how
    result = services.results.read(owner_of(services, face_id, caller).key)
    outputs = result.job_output if result else {}
    return "nobody_comparable" if OtherModels(services, caller).are_beside(outputs) else "nobody"


_BEFORE = {"facematch": ("facedetection", "faceprint")}
"""Steps without which a step can't look: it is skipped when one of them fails."""


def look_in_result(result: JobResult, step: str) -> Look:
    """Tell how far a step has looked at a photo, by its job's result alone.

    Args:
        result: of the job; it does not tell failed steps from skipped ones.
        step: its name.
    """
    if _has_output(result.job_output, step):
        return Look(step, Looked.DONE)
    if step not in result.processing_pipeline:
        return Look(step, Looked.NO_STEP)
    first = _first_of(step, result.unsuccessful)
    return Look(first, Looked.UNSUCCESSFUL) if first else Look(step, Looked.NO_OUTPUT)


def _first_of(step: str, unsuccessful: Collection[str]) -> str:
    """Return the first of a step and those before it that did not succeed; empty if all did."""
    chain = (*_BEFORE.get(step, ()), step)
    return next((each for each in chain if each in unsuccessful), "")


def has_looked(result: JobResult, step: str, part: str = "") -> bool:
    """Tell whether a result says what a step found, be it nothing.

    Args:
        result: of a job.
        step: its name.
        part: of the step's output, such as `tags`; an engine may leave some out.
    """
    outputs = result.job_output
    return _has_output(outputs, step) and part not in parts_left_out(outputs[step])


def parts_left_out(output: Mapping[str, Any]) -> set[str]:
    """Return the parts of an analysis that its engine does not look for, or did not answer."""
    lists = [output.get(name) for name in ("not_looked_for", "unanswered")]
    return {str(part) for parts in lists if isinstance(parts, list) for part in parts}


def _has_output(outputs: Mapping[str, Any], step: str) -> bool:
    return isinstance(outputs.get(step), dict)
