"""What a job's row says when the host has given up its message.

The host copies the body to the poison queue as a new message: nothing there tells which delivery
failed. Run and step states tell whether the job still waits for this message. Where they leave a
doubt, the job is marked: if its message is alive after all, its next step takes the mark away,
whereas a job without mark and message would be under way for ever.
"""

from dataclasses import dataclass

from imaginem.errors import Conflict
from imaginem.message import JobMessage
from imaginem.pipeline.advance import next_message
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
from imaginem.pipeline.retries import TRYING_AGAIN
from imaginem.pipeline.states import CONCLUDED, JobState, StepState
from imaginem.ports import Services

_TRIES = 8


@dataclass(frozen=True)
class GivenUp:
    """How a message that was given up is kept.

    Attributes:
        reason: why, in one line.
        next_message: kept in its place, where its step was recorded and the job not sent on.
    """

    reason: str
    next_message: JobMessage | None = None


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
        opening = never_began(message, reason, services.blobs)
        services.log.insert(message.key, opening.properties())
    elif not _is_of_run(row, message, services):
        pass  # the job is in another run: this message changes nothing of it
    elif _is_open(row, message.current):
        reason = row.reason_of(message.current).removeprefix(TRYING_AGAIN) or reason
        carried = carried_steps(message, services.blobs)
        lost = [step for step in carried if _is_open(row, step.queue)]
        poisoned = current_step(message, StepState.POISONED, reason)
        _stop(services, row, message_id, *lost, poisoned)
    elif _was_not_sent_on(row, message, message_id):
        return _stop_before_next(services, row, message, message_id, reason)
    return GivenUp(reason)


def _stop(services: Services, row: ProgressRow, message_id: str, *steps: StepChange) -> None:
    """End a job with a poisoned step, unless the row says so already.

    The writer is noted, so that no late delivery of an earlier message sends the job on again.
    """
    if row.job_state is JobState.FAILED and row.state_of(steps[-1].queue) is StepState.POISONED:
        return
    change = RowChange(steps=steps, job_state=JobState.FAILED, delivery=message_id, not_before="")
    services.log.merge(row.key, change.properties(), row.fence)


def _was_not_sent_on(row: ProgressRow, message: JobMessage, message_id: str) -> bool:
    """Tell whether the next step's message may never have been sent: nothing came after."""
    if message.following is None:
        return False
    state = row.state_of(message.following)
    stopped = state is StepState.POISONED and row.delivery == message_id  # we died then
    return stopped or state is StepState.PROCESSING


def _stop_before_next(
    services: Services, row: ProgressRow, message: JobMessage, message_id: str, reason: str
) -> GivenUp:
    """Keep the message that was to follow: replaying it runs nothing that is recorded again."""
    step, following = message.current, message.following or ""
    reason = f"{step} is done, but its message was given up before the job was sent on: {reason}"
    if row.job_state is not JobState.HANDED_OVER:  # nobody would take that mark away
        index = message.job_definition.processing_step + 1
        poisoned = StepChange(following, index, StepState.POISONED, reason)
        _stop(services, row, message_id, poisoned)
    return GivenUp(reason, next_message(message, row, services))


def _is_of_run(row: ProgressRow, message: JobMessage, services: Services) -> bool:
    """Tell whether a message is of the row's run; what started a run does not know its id."""
    kept = message.job_definition.bookkeeping
    if kept.run and kept.fence and row.run == kept.run:
        return True
    if row.message:
        return row.message == message_property(message, services.blobs)
    return not kept.run and _is_open(row, message.current)  # a row of an older version


def _is_open(row: ProgressRow, queue: str) -> bool:
    return row.state_of(queue) not in CONCLUDED
