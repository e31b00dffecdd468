"""Which blobs of a job storage has lost, and photos put back from the landing."""

import hashlib
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from imaginem.errors import NotFound, PermanentError, StorageUnavailable
from imaginem.pipeline.offload import CONTAINER as LARGE_MESSAGES
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.ports import Blobs, DashboardServices, Drop, LandedJob, LandedPhoto
from imaginem.redaction import one_line

_logger = logging.getLogger("imaginem.reconcile")
_LARGEST = 2**30  # bytes; no blob of ours comes near


def put_back(services: DashboardServices, job: LandedJob, saved: datetime | None) -> bool:
    """Put a landed photo where it was if it is not there; tell whether that was done.

    Args:
        services: where it was.
        job: with a photo.
        saved: what came before was saved by storage, whole if it is there: its sender may have
            died before it put the photo.

    Raises:
        StorageUnavailable: storage did not answer.
    """
    photo = job.photo
    if photo is None:
        return False
    old = saved is not None and job.at is not None and job.at < saved
    if old and _is_there(services.blobs, photo):
        return False
    found = _read(services.blobs, photo.container, photo.name)
    if found is not None:
        same = hashlib.sha256(found).hexdigest() == photo.sha256
        # A dropped photo is its owner's, who may have replaced it.
        if same or photo.dropped:
            return False
    try:
        data = services.landing.photo(job)
    except NotFound as problem:
        _logger.error("%s: its photo can't be put back", one_line(str(problem)))
        return False
    services.blobs.put(
        photo.container,
        photo.name,
        data,
        "application/octet-stream",
        metadata=photo.metadata,
    )
    if photo.dropped:
        _record_drop(services, job, photo, len(data))
    return True


def _record_drop(
    services: DashboardServices, job: LandedJob, photo: LandedPhoto, size: int
) -> None:
    """Record the ETag that a dropped photo has now, by which erasing finds it."""
    found = services.blobs.stat(photo.container, photo.name)
    before = services.drops.read(job.key[0], photo.name)
    fence = before.fence if before else ""
    services.drops.write(
        Drop(
            job.key[0],
            photo.name,
            found.etag,
            job.key[1],
            photo.sha256,
            size,
            sent=True,
            fence=fence,
        )
    )


def lost_blobs(services: DashboardServices, row: ProgressRow) -> bool:
    """Tell whether a blob is gone to which a row leads: a face crop, a large output.

    As long as the job runs, the copy of a photo from elsewhere counts as well.
    """
    containers = {services.core_settings.faces_container, LARGE_MESSAGES}
    texts = [row.message, row.job_output, *(row.output_of(queue) for queue in row.pipeline)]
    if not row.has_ended:
        containers.add(services.core_settings.input_container)
        texts = [row.photo, *texts[:1], *texts[2:]]
    places = {
        place
        for text in texts
        for address in _texts_in(_value(text))
        if (place := services.blobs.locate(address)) and place[0] in containers
    }
    return any(_read(services.blobs, *place) is None for place in sorted(places))


def _is_there(blobs: Blobs, photo: LandedPhoto) -> bool:
    try:
        blobs.stat(photo.container, photo.name)
    except NotFound:
        return False
    return True


def _read(blobs: Blobs, container: str, name: str) -> bytes | None:
    """Return a blob's bytes; None if it is missing, or listed without its bytes.

    Raises:
        StorageUnavailable: storage did not answer.
    """
    try:
        return blobs.get(container, name, _LARGEST)
    except (NotFound, PermanentError):
        return None
    except StorageUnavailable:
        # The emulator may know a blob and have lost where its bytes lie.
        blobs.stat(container, name)
        return None


def _value(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return None


def _texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)
