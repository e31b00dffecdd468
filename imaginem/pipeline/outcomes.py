"""What a step comes to for a job: it runs, or an earlier job has the output, or the job gathers."""

from dataclasses import replace
from typing import Any

from imaginem.errors import InvalidMessage, PermanentError, disk_full
from imaginem.message import JobMessage
from imaginem.pipeline.advance import Outcome
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.fused import FusedRun
from imaginem.pipeline.group_steps import gathers
from imaginem.pipeline.reuse import made_of, reused, succeeded
from imaginem.pipeline.states import StepState
from imaginem.pipeline.steps import Step
from imaginem.redaction import one_line


def outcome_of(step: Step[JobContext, Any], message: JobMessage, run: FusedRun) -> Outcome | None:
    """Return what a step comes to; None for a job that is to wait for others.

    Raises:
        Exception: whatever the step raises that trying again may mend.
    """
    made = made_of(step, message, run.services, run.photo)
    outcome = _reused(step, message, run, made)
    if outcome is None and not gathers(step, message, run):
        outcome = _run(step, message, run, made)
    return outcome


def _reused(
    step: Step[JobContext, Any], message: JobMessage, run: FusedRun, made: str
) -> Outcome | None:
    """Return what an earlier job has made of the same; None if the step is to run."""
    job = JobContext(message, run.services, run.recorder.results, run.photo, run.recorder.settle)
    earlier = reused(step, made, job, message, run.services)
    if earlier is None:
        return None
    return replace(succeeded(step, earlier, message, run, made), reused=True)


def _run(step: Step[JobContext, Any], message: JobMessage, run: FusedRun, made: str) -> Outcome:
    """Run the step; what cannot be mended by trying again becomes an outcome."""
    unsuccessful = message.job_definition.bookkeeping.unsuccessful
    lacking = [needed.name for needed in step.requires if needed.name in unsuccessful]
    if lacking:
        reason = f"needs {' and '.join(lacking)}, which did not succeed"
        return Outcome(StepState.SKIPPED, reason=reason)
    services, recorder = run.services, run.recorder
    job = JobContext(message, services, recorder.results, run.photo, recorder.settle)
    try:
        return succeeded(step, step(job), message, run, made)
    except (PermanentError, InvalidMessage) as problem:
        return Outcome(StepState.FAILED, reason=one_line(f"PermanentError: {problem}"))
    except OSError as problem:
        if (full := disk_full(problem)) is not None:
            raise full from None
        raise
