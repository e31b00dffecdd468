"""What becomes of a job whose step did not come to a result."""

import contextlib
import logging
from datetime import UTC, datetime, timedelta

from imaginem.errors import Busy, ImaginemError, InvalidMessage, RetryableError, StorageUnavailable
from imaginem.message import JobMessage
from imaginem.names import job_prefix
from imaginem.pipeline.advance import Outcome, Outgoing, Transition
from imaginem.pipeline.barred import PhotoBarred, remove_barred
from imaginem.pipeline.loading import Delivery
from imaginem.pipeline.offload import fit
from imaginem.pipeline.poison import keep_exhausted, keep_invalid
from imaginem.pipeline.progress_row import RowChange, current_step
from imaginem.pipeline.recording import Recorder
from imaginem.pipeline.resuming import photo_property
from imaginem.pipeline.retries import failed_try, next_try, retry_delay
from imaginem.pipeline.source import names_of_digest, photo_blob
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import Services
from imaginem.redaction import one_line

_logger = logging.getLogger("imaginem.process")


def retry(
    message: JobMessage, recorder: Recorder, services: Services, problem: RetryableError
) -> Transition:
    """Record that the step is retried, and put a delayed copy on its queue."""
    kept = message.job_definition.bookkeeping
    why = "busy" if isinstance(problem, Busy) else "error"
    services.telemetry.count("imaginem.retries", step=message.current, reason=why)
    kept, delay, count = next_try(problem, kept, services.core_settings)
    reason = f"{one_line(f'{type(problem).__name__}: {problem}')} ({count})"
    retrying = current_step(message, StepState.RETRYING, reason)
    change = RowChange(
        steps=(retrying,),
        job_state=JobState.RUNNING,
        photo=photo_property(message),
        not_before=_moment_in(delay),
    )
    claim = recorder.write(change)
    _logger.warning("%s: again in %.0f s: %s", message.current, delay, reason)
    message = message.noting(
        run=claim.run, fence=claim.fence, attempt=kept.attempt, waits=kept.waits
    )
    copy = fit(message, services.blobs)
    return Transition("retrying", Outgoing(message.current, copy.encode(), delay))


def give_up(
    message: JobMessage, delivery: Delivery, services: Services, problem: RetryableError
) -> Outcome:
    """Keep a copy that can be replayed; for the job, the step has failed."""
    kept = message.job_definition.bookkeeping
    attempts = kept.attempt + 1
    busy = isinstance(problem, Busy)
    tries = f"waited {kept.waits} times" if busy else f"tried {attempts} times"
    reason = one_line(f"{type(problem).__name__}: {problem} ({tries})")
    keep_exhausted(services, message.current, delivery.id, message, reason, attempts)
    return Outcome(StepState.FAILED, reason=reason)


def note_problem(
    message: JobMessage,
    recorder: Recorder,
    delivery: Delivery,
    services: Services,
    problem: Exception,
) -> None:
    """Say in the row at once that the host delivers again, or after the last try poisons.

    What is raised is logged by the host at each try: a line of ours would be a second one.
    """
    number, most = delivery.dequeue_count, services.core_settings.max_dequeue_count
    if number < most:
        told = f"{_told(problem)} ({failed_try(number, most)})"
        change = RowChange(
            steps=(current_step(message, StepState.RETRYING, told),), job_state=JobState.RUNNING
        )
    else:
        told = _told(problem, at_length=True)
        change = RowChange(
            steps=(current_step(message, StepState.POISONED, told),), job_state=JobState.FAILED
        )
        _logger.error("%s: poisoned: %s", message.current, told)
    with contextlib.suppress(StorageUnavailable):  # then the row can't say it now
        recorder.write(change)


def try_apart(
    message: JobMessage, recorder: Recorder, services: Services, problem: Exception
) -> Transition:
    """Put a step that failed in a fused run on its own queue: there its tries are counted.

    What it raised is logged here, since the host will not see it.
    """
    delay = retry_delay(1, services.core_settings.retry_seconds, None)
    told = f"{_told(problem)} (tried again by itself)"
    change = RowChange(
        steps=(current_step(message, StepState.RETRYING, told),),
        job_state=JobState.RUNNING,
        photo=photo_property(message),
        not_before=_moment_in(delay),
    )
    claim = recorder.write(change)
    _logger.error("%s: again by itself in %.0f s", message.current, delay, exc_info=problem)
    message = message.noting(run=claim.run, fence=claim.fence, look=True)
    return Transition("retrying", Outgoing(message.current, message.encode(), delay))


def end_invalid(
    message: JobMessage,
    recorder: Recorder,
    delivery: Delivery,
    services: Services,
    problem: InvalidMessage,
) -> Transition:
    """End a job that can't go on, since its next message would be too large."""
    told = one_line(str(problem))
    keep_invalid(services, message.current, delivery.id, message.encode(), told)
    failed = current_step(message, StepState.FAILED, f"{type(problem).__name__}: {told}")
    change = RowChange(steps=(failed,), job_state=JobState.FAILED)
    recorder.write(change)
    return Transition("invalid")


def end_cancelled(message: JobMessage, recorder: Recorder, services: Services) -> Transition:
    """End a job of a cancelled batch here; what its steps have found so far stays in the log."""
    skipped = current_step(message, StepState.SKIPPED, "the batch was cancelled")
    recorder.write(RowChange(steps=(skipped,), job_state=JobState.CANCELLED))
    services.telemetry.count("imaginem.jobs", state=str(JobState.CANCELLED))
    return Transition("cancelled")


def end_barred(
    message: JobMessage, recorder: Recorder, services: Services, problem: PhotoBarred
) -> Transition:
    """End a job whose photo is barred, once what was kept of the photo is gone.

    A photo that another program keeps in our account, and a message only names, is not ours.
    """
    photos, dropped = services.core_settings.input_container, _dropped_blob(message, services)
    own = [job_prefix(*message.key) + name for name in names_of_digest(problem.sha256)]
    for name in (*own, dropped):
        if name:
            remove_barred(services, photos, name, problem.sha256)
    services.remains.wipe()
    failed = current_step(message, StepState.FAILED, _told(problem))
    recorder.write(RowChange(steps=(failed,), job_state=JobState.FAILED))
    services.telemetry.count("imaginem.jobs", state=str(JobState.FAILED))
    _logger.warning("%s: the job's photo is barred", message.current)
    return Transition("failed")


def _dropped_blob(message: JobMessage, services: Services) -> str:
    """Return the name of the blob that the job is for if somebody dropped it, else ""."""
    blob, dropped = photo_blob(message, services), message.job_definition.bookkeeping.dropped
    is_dropped = blob is not None and dropped is not None and dropped.source == "/".join(blob)
    return blob[1] if blob is not None and is_dropped else ""


def _moment_in(seconds: float) -> str:
    """Return the moment in so many seconds, as a row has it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _told(problem: Exception, *, at_length: bool = False) -> str:
    """Return a problem as one line; of one that is not ours, the text may hold secrets."""
    name = type(problem).__name__
    if isinstance(problem, ImaginemError):
        return one_line(f"{name}: {problem}")
    return f"{name}: a defect in the step; the host's log has the details" if at_length else name
