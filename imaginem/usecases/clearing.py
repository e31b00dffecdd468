"""Empties a queue, and ends the jobs whose messages lay on it.

Whoever takes a message holds the right to write its job's row, as a step does: the job is recorded
as cancelled under the message's fence, then the message is deleted. Interrupted anywhere, what was
taken comes back after its lease, and the queue is cleared again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from imaginem.errors import Conflict, InvalidMessage, NotFound
from imaginem.message import JobMessage, decode_message
from imaginem.pipeline.advance import awaited
from imaginem.pipeline.fence import AlreadyConcluded, claim_step, record_step
from imaginem.pipeline.loading import believed
from imaginem.pipeline.openings import run_begins
from imaginem.pipeline.progress_row import ProgressRow, RowChange, current_step
from imaginem.pipeline.resending import authority_of
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import AuditDeed, AuditSubject, QueueItem, Services
from imaginem.usecases.audit.acting import note

REASON = "queue cleared"
_LOT = 32  # Azure's limit
_LEASE = 120.0  # seconds, for a lot
_DELIVERY = "cleared"
_POISON = "-poison"


@dataclass
class Cleared:
    """What was removed from a queue.

    Attributes:
        jobs: messages whose job was ended.
        others: messages that no job waited for, or that were none of a job.
        left: messages that are being worked on or delayed, about; they stay.
    """

    jobs: int = 0
    others: int = 0
    left: int = 0

    @property
    def removed(self) -> int:
        """Number of messages that are gone."""
        return self.jobs + self.others


def clear_queue(
    services: Services, queue: str, told: Callable[[int], None] = lambda removed: None
) -> Cleared:
    """Remove every message that can be taken, and end its job as cancelled.

    Args:
        services: where the queue and the jobs are.
        queue: its name.
        told: called with the number of messages removed so far, after each.

    Raises:
        NotFound: there is no such queue.
    """
    note(services, AuditDeed.CLEARED, AuditSubject.QUEUE, queue)
    cleared = Cleared()
    while items := services.queues.receive(queue, _LOT, _LEASE):
        services.remains.note()
        for item in items:
            ended = _end(services, queue.removesuffix(_POISON), item)
            try:
                services.queues.delete(queue, item)
            except NotFound:  # the lease ran out: whoever has the message finds its job ended
                continue
            cleared.jobs += ended
            cleared.others += not ended
            told(cleared.removed)
    if cleared.removed:
        services.remains.wipe()
    cleared.left = services.queues.count(queue) or 0
    return cleared


def _end(services: Services, queue: str, item: QueueItem) -> bool:
    """End the job of a message; False if no job waits for it."""
    try:
        message = decode_message(item.body, services.core_settings.default_pipeline)
    except InvalidMessage:
        return False
    if message.current != queue:
        return False
    message = believed(message)
    try:
        claim = claim_step(
            services.log,
            message,
            item.id,
            lambda: run_begins(message, services.blobs),
            look_first=True,
            authorised=authority_of(message, services).replaces,
        )
        # Under a delivery of its own: were the message delivered again, its holder would find the
        # step concluded by another one, and drop it.
        record_step(services.log, replace(claim, delivery=_DELIVERY), _cancelled(message))
    except AlreadyConcluded as found:
        if found.row is None or not _end_later(services, message, found.row):
            return False
    services.telemetry.count("imaginem.jobs", state=str(JobState.CANCELLED))
    return True


def _end_later(services: Services, message: JobMessage, row: ProgressRow) -> bool:
    """End a job at the step that it waits for, if this message was to send it on to there."""
    place = awaited(row, message)
    if place is None or row.has_ended:
        return False
    change = replace(_cancelled(message.at_step(place)), delivery=_DELIVERY)
    try:
        services.log.merge(row.key, change.properties(), row.fence)
    except Conflict:  # it has just gone on
        return False
    return True


def _cancelled(message: JobMessage) -> RowChange:
    skipped = current_step(message, StepState.SKIPPED, REASON)
    return RowChange(steps=(skipped,), job_state=JobState.CANCELLED, not_before="")
