"""A queue message as the host hands it over, decoded and checked."""

from dataclasses import dataclass

from imaginem.errors import InvalidMessage
from imaginem.message import Bookkeeping, JobMessage, decode_message
from imaginem.pipeline.steps import AnyStep
from imaginem.ports import Services
from imaginem.ports.drops import run_of_drop


@dataclass(frozen=True)
class Delivery:
    """A queue message as the host hands it over."""

    body: str
    id: str
    dequeue_count: int = 1


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
    if kept.drop and not _is_run_of_photo(kept):
        message = message.noting(drop="")  # a sender made it up: two messages would be one run
    if kept.run and kept.fence:
        return message.noting(replaces="") if kept.replaces else message
    earlier = definition.processing_pipeline[: definition.processing_step]
    unsuccessful = [name for name in kept.unsuccessful if name in earlier]
    return message.noting(
        run="",
        fence="",
        attempt=0,
        waits=0,
        traceparent="",
        image_error="",
        unsuccessful=unsuccessful,
    )


def going_on(message: JobMessage) -> JobMessage:
    """Return the message as its job goes on: that it was sent again is settled."""
    kept = message.job_definition.bookkeeping
    if kept.look or kept.replaces or kept.ends:
        return message.noting(look=False, replaces="", ends="")
    return message


def _is_run_of_photo(kept: Bookkeeping) -> bool:
    """Tell whether the run that a drop starts follows from the photo that was dropped."""
    if kept.dropped is None:
        return False
    blob = kept.dropped.source.partition("/")[2]
    return kept.drop == run_of_drop(blob, kept.dropped.etag)
