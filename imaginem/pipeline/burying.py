"""What a job's row says when the host has given up its message.

The host copies the body to the poison queue as a new message: nothing there tells which delivery
failed. Run and step states tell whether the job still waits for this message. Where they leave a
doubt, the job is marked: if its message is alive after all, its next step takes the mark away,
whereas a job without mark and message would be under way for ever.
"""

from dataclasses import dataclass, replace

from imaginem.errors import Conflict
from imaginem.message import JobMessage
from imaginem.pipeline.advance import awaited, later_message
from imaginem.pipeline.carried import carried_steps
from imaginem.pipeline.openings import never_began
from imaginem.pipeline.progress_row import (
    ProgressRow,
    RowChange,
    StepChange,
    current_step,
    read_row,
)
from imaginem.pipeline.resuming import message_property
from imaginem.pipeline.states import AT_WORK, CONCLUDED, JobState, StepState
from imaginem.ports import PoisonEntry, Services

_TRIES = 8
_PERHAPS_WAITING = AT_WORK | {StepState.POISONED}


@dataclass(frozen=True)
class GivenUp:
    """How a message that was given up is kept.

    Attributes:
        reason: why, in one line.
        next_message: kept in its place, where its step was recorded and the job not sent on.
        before: what is kept already of the message that the job waits for.
    """

    reason: str
    next_message: JobMessage | None = None
    before: PoisonEntry | None = None


def mark_given_up(services: Services, message: JobMessage, message_id: str, reason: str) -> GivenUp:
    """Mark the job as failed if it waits for this message, or for the one that was to follow."""
    for _ in range(_TRIES):
        try:
            return _mark(services, message, message_id, reason)
        except Conflict:  # somebody writes the row at the same time
            continue
    return GivenUp(reason)


def _mark(services: Services, message: JobMessage, message_id: str, reason: str) -> GivenUp:
    row = read_row(services.log, message.key)
    if row is None:
        opening = replace(never_began(message, reason, services.blobs), delivery=message_id)
        services.log.insert(message.key, opening.properties())
        return GivenUp(reason)
    if not _is_of_run(row, message, services):
        return GivenUp(reason)
    if _is_open(row, message.current):
        return _stop(services, row, message, message_id, reason)
    place = awaited(row, message)
    if place is not None and row.state_of(_name_at(message, place)) in _PERHAPS_WAITING:
        return _stop_later(services, row, message, place, message_id, reason)
    return GivenUp(reason)


def _stop(
    services: Services, row: ProgressRow, message: JobMessage, message_id: str, reason: str
) -> GivenUp:
    """Poison the step that the message was for."""
    reason = row.reason_of(message.current) or reason
    before = _kept_before(services, row, message.current)
    if before is None:
        carried = carried_steps(message, services.blobs)
        lost = [step for step in carried if _is_open(row, step.queue)]
        poisoned = current_step(message, StepState.POISONED, reason)
        _write(services, row, message_id, *lost, poisoned)
    return GivenUp(reason, before=before)


def _stop_later(
    services: Services,
    row: ProgressRow,
    message: JobMessage,
    place: int,
    message_id: str,
    reason: str,
) -> GivenUp:
    """Keep the message of the step that the job waits for: replaying it runs no recorded step."""
    reason = (
        f"{message.current} is done, but its message was given up before the job was sent on: "
        f"{reason}"
    )
    following = later_message(message, place, row, services)
    before = _kept_before(services, row, following.current)
    if before is None and row.job_state is not JobState.HANDED_OVER:
        # Of a job that was handed over, nobody would take the mark away.
        _write(services, row, message_id, current_step(following, StepState.POISONED, reason))
    return GivenUp(reason, following, before)


def _write(services: Services, row: ProgressRow, message_id: str, *steps: StepChange) -> None:
    """End a job with a poisoned step.

    The writer is noted, so that no late delivery of an earlier message sends the job on again.
    """
    change = RowChange(steps=steps, job_state=JobState.FAILED, delivery=message_id, not_before="")
    services.log.merge(row.key, change.properties(), row.fence)


def _kept_before(services: Services, row: ProgressRow, queue: str) -> PoisonEntry | None:
    """Return what is kept of the message for a step, if the step was poisoned with it."""
    if row.state_of(queue) is not StepState.POISONED:
        return None
    return services.poison.read(queue, row.delivery)


def _is_of_run(row: ProgressRow, message: JobMessage, services: Services) -> bool:
    """Tell whether a message is of the row's run; what started a run does not know its id."""
    kept = message.job_definition.bookkeeping
    if row.run and row.run in (kept.run, kept.drop):
        return True
    if row.message:
        return row.message == message_property(message, services.blobs)
    return not kept.run and _is_open(row, message.current)  # a row of an older version


def _name_at(message: JobMessage, place: int) -> str:
    return message.job_definition.processing_pipeline[place]


def _is_open(row: ProgressRow, queue: str) -> bool:
    return row.state_of(queue) not in CONCLUDED
