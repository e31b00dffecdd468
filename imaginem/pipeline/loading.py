"""A queue message as the host hands it over, decoded and checked."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from imaginem.errors import InvalidMessage
from imaginem.message import Bookkeeping, JobMessage, decode_message
from imaginem.pipeline.steps import AnyStep
from imaginem.ports import Services
from imaginem.ports.drops import run_of_drop
from imaginem.redaction import without_query


@dataclass(frozen=True)
class Delivery:
    """A queue message as the host hands it over.

    Attributes:
        put: when it was put on its queue, by storage's clock; None if the host does not say.
    """

    body: str
    id: str
    dequeue_count: int = 1
    put: datetime | None = None


def load(step: AnyStep, delivery: Delivery, services: Services) -> JobMessage:
    """Decode and check a message.

    Raises:
        InvalidMessage: it is no job for this step.
    """
    message = decode_message(delivery.body, services.core_settings.default_pipeline)
    definition = message.job_definition
    if message.current != step.name:
        raise InvalidMessage(
            f"the message lies on the queue {step.name!r}, but "
            f"processing_pipeline[{definition.processing_step}] is {message.current!r}: put it on "
            "that queue, or correct processing_step"
        )
    return believed(message)


def believed(message: JobMessage) -> JobMessage:
    """Return a message without what a sender may have made up of our bookkeeping."""
    definition = message.job_definition
    kept = definition.bookkeeping
    started = _started_run(message)
    if kept.drop != started:  # a sender may have made it up: two messages would be one run
        message = message.noting(drop=started)
    if kept.image:  # what we keep has no query: a sender's may hold a token
        message = message.noting(image=without_query(kept.image))
    if kept.run and kept.fence:
        return message.noting(replaces="") if kept.replaces else message
    earlier = definition.processing_pipeline[: definition.processing_step]
    unsuccessful = [name for name in kept.unsuccessful if name in earlier]
    return of_new_run(_waiting_for_nobody(message)).noting(
        run="",
        fence="",
        attempt=0,
        waits=0,
        traceparent="",
        image_error="",
        unsuccessful=unsuccessful,
    )


def of_new_run(message: JobMessage) -> JobMessage:
    """Return the message without what only its own run's earlier steps can have told."""
    kept = message.job_definition.bookkeeping
    if kept.unbarred or kept.made or kept.seals or kept.reused:
        return message.noting(unbarred="", made={}, seals={}, reused=[])
    return message


def going_on(message: JobMessage) -> JobMessage:
    """Return the message as its job goes on: that it was sent again is settled."""
    kept = message.job_definition.bookkeeping
    if kept.look or kept.replaces or kept.ends or kept.replay or kept.replay_of:
        message = message.noting(look=False, replaces="", ends="", replay="", replay_of="")
    return _waiting_for_nobody(message)


def _waiting_for_nobody(message: JobMessage) -> JobMessage:
    """Return the message of a job that does not wait for others; most say nothing of it."""
    kept = message.job_definition.bookkeeping
    if kept.gathering or kept.beat or kept.put:
        return message.noting(gathering="", beat="", put=None)
    return message


def runs_of(message: JobMessage, delivery: Delivery) -> set[str]:
    """Return every run that a message is of, begins, or stands for."""
    kept = message.job_definition.bookkeeping
    return {delivery.id, kept.run, kept.drop, kept.replaces, kept.replay_of} - {""}


def run_of_replay(message: JobMessage) -> str:
    """Return the id of the run that a replayed message starts.

    It follows from the whole message: whoever makes up a `replay` can't have another message
    taken for a duplicate.
    """
    marked = message.job_definition.bookkeeping.replay
    plain = message.without_bookkeeping().encode()
    text = f"{marked}\n{plain}".encode("utf-8", "surrogatepass")
    return f"replay-{hashlib.sha256(text).hexdigest()[:32]}"


def _started_run(message: JobMessage) -> str:
    """Return the id of the run that a message starts where what it is made from tells; or ""."""
    kept = message.job_definition.bookkeeping
    if kept.drop and _is_run_of_photo(kept):
        return kept.drop
    begins = not (kept.run and kept.fence)
    return run_of_replay(message) if kept.replay and begins else ""


def _is_run_of_photo(kept: Bookkeeping) -> bool:
    """Tell whether the run that a drop starts follows from the photo that was dropped."""
    if kept.dropped is None:
        return False
    blob = kept.dropped.source.partition("/")[2]
    return kept.drop == run_of_drop(blob, kept.dropped.etag)
