"""Makes a job of a photo that somebody dropped in the input container, once for each drop.

Events come at least once, several workers get them at the same time, and any of them may die
anywhere. So a record of the blob is written before its job is sent, by compare-and-swap, and
whoever finds a record that is not marked as sent sends its job. A job that is sent twice so is
one run: the run's id follows from the blob and its ETag, and the fence knows the second message
as a duplicate.
"""

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime

from pydantic_core import to_json

from imaginem.errors import (
    Conflict,
    InvalidMessage,
    NotFound,
    PermanentError,
    StorageUnavailable,
)
from imaginem.images.limits import BYTE_LIMIT
from imaginem.message import (
    DroppedPhoto,
    JobMessage,
    decode_message,
    read_json,
)
from imaginem.names import is_own_photo
from imaginem.pipeline.barred import PhotoBarred, check_photo, digest_of
from imaginem.pipeline.poison import keep_invalid
from imaginem.pipeline.progress_row import RowChange, read_row
from imaginem.pipeline.states import JobState
from imaginem.ports import BlobInfo, DashboardServices, Drop
from imaginem.ports.log_lines import working_on
from imaginem.redaction import one_line
from imaginem.usecases.admission import free_id
from imaginem.usecases.jobs import state_of_job
from imaginem.usecases.landing import land_and_send
from imaginem.usecases.refused_drops import (
    batch_of_blob,
    file_name,
    refuse_barred,
    refuse_drop,
    refused_id,
)
from imaginem.usecases.submit import check_open, record_sent

_logger = logging.getLogger("imaginem.drops")
_TRIES = 8
_AGAIN = frozenset({JobState.FAILED, JobState.CANCELLED})
"""States of a job that its photo starts again when it is written once more."""


def receive_drop(services: DashboardServices, blob: str) -> Drop | None:
    """Start the job of a photo that was dropped, unless that has been done.

    What can never become a job is kept in `pipelinepoison` with its reason.

    Args:
        services: where to read and send.
        blob: name of the blob in the input container.

    Returns:
        The record of the drop; None when the blob starts no job: it is our own, it is gone, or
        it is the mark of a folder.

    Raises:
        StorageUnavailable: storage did not answer, or the blob changes all the time.
    """
    with working_on(batch_id=batch_of_blob(blob)):
        for _ in range(_TRIES):
            try:
                return _receive(services, blob)
            except Conflict:  # the blob, or its record, was written meanwhile: look again
                continue
            except PhotoBarred as problem:
                refuse_barred(services, blob, problem)
                return None
            except (InvalidMessage, PermanentError) as problem:
                refuse_drop(services, blob, "", str(problem))
                return None
        raise StorageUnavailable(f"the dropped photo {blob} keeps changing: its job is not started")


def give_up_drop(services: DashboardServices, report: bytes) -> None:
    """Keep in `pipelinepoison` a dropped photo whose job could not be started at any try.

    Args:
        services: where it is kept.
        report: the host's message on it; one that is not on a blob of ours is logged only, since a
            message of a poison queue comes again until it is taken.
    """
    try:
        told = read_json(report)
    except InvalidMessage:
        told = None
    container, blob = (
        (told.get("ContainerName"), told.get("BlobName")) if isinstance(told, dict) else ("", "")
    )
    if container != services.core_settings.input_container or not blob:
        _logger.warning("not on a photo of ours: %s", one_line(report.decode("utf-8", "replace")))
        return
    tries = services.core_settings.max_dequeue_count
    reason = f"its job could not be started in {tries} tries; the host's log has the details"
    blob, etag = str(blob), str(told.get("ETag", ""))
    job_id = _settle(services, blob, refused_id(blob, etag))
    refuse_drop(services, blob, etag, reason, job_id=job_id)


def _settle(services: DashboardServices, blob: str, job_id: str) -> str:
    """Record a given-up drop, so that erasing the job that a replay starts finds the photo.

    Returns:
        The id of that job: the one given, or the one that the drop has a record of already.

    Raises:
        Conflict: the record was written meanwhile.
    """
    try:
        found = services.blobs.stat(services.core_settings.input_container, blob)
    except (NotFound, PermanentError):
        return job_id  # it is gone, or no job can have its name
    before = services.drops.read(batch_of_blob(blob), blob)
    if before is not None and before.etag == found.etag:
        settled = replace(before, sent=True, replaced=None)
    else:
        fence = before.fence if before else ""
        settled = Drop(
            batch_of_blob(blob), blob, found.etag, job_id, "", found.size, sent=True, fence=fence
        )
    return services.drops.write(settled).job_id


def _receive(services: DashboardServices, blob: str) -> Drop | None:
    container = services.core_settings.input_container
    try:
        found = services.blobs.stat(container, blob)
    except NotFound:
        return None
    if is_own_photo(container, blob, found.metadata) or "hdi_isfolder" in found.metadata:
        return None
    before = services.drops.read(batch_of_blob(blob), blob)
    if before is not None and not before.sent:
        before = _start(services, before)
    if before is not None and before.etag == found.etag:
        return before
    drop = _new_drop(services, found, before)
    if before is not None and _is_there(services, before, drop):
        return services.drops.write(replace(drop, sent=True))
    _message(services, drop)  # an invalid one leaves no record
    return _start(services, services.drops.write(drop))


def _new_drop(services: DashboardServices, found: BlobInfo, before: Drop | None) -> Drop:
    """Return the record of a photo that was not seen before.

    Raises:
        Conflict: the blob was written again meanwhile.
        PhotoBarred: the photo was erased for good.
    """
    digest = _digest(services, found)
    check_photo(services, batch_of_blob(found.name), lambda: digest)
    name = file_name(found.name)
    job_id = free_id(services, batch_of_blob(found.name), name, digest)
    other = before is not None and before.job_id != job_id
    return Drop(
        batch_id=batch_of_blob(found.name),
        blob=found.name,
        etag=found.etag,
        job_id=job_id,
        sha256=digest,
        size=found.size,
        replaced=(before.job_id, before.etag) if before and other else None,
        fence=before.fence if before else "",
    )


def _is_there(services: DashboardServices, before: Drop, drop: Drop) -> bool:
    """Tell whether the same photo was only written once more, and its job has not come to grief."""
    key = (drop.batch_id, drop.job_id)
    if before.job_id != drop.job_id or before.sha256 != drop.sha256:
        return False
    known = services.submissions.submission(key)
    return known is not None and state_of_job(services, key) not in _AGAIN


def _digest(services: DashboardServices, found: BlobInfo) -> str:
    """Return the SHA-256 of a blob's bytes; of its ETag if no step would read so many."""
    if found.size > BYTE_LIMIT:
        return hashlib.sha256(found.etag.encode()).hexdigest()
    container = services.core_settings.input_container
    data = services.blobs.get(container, found.name, BYTE_LIMIT, etag=found.etag)
    return digest_of(data)


def _message(services: DashboardServices, drop: Drop) -> JobMessage:
    """Return the message of a drop's job.

    Raises:
        InvalidMessage: an id is too long.
    """
    settings = services.core_settings
    photo = {
        "image_url": services.blobs.address(settings.input_container, drop.blob),
        "image_parameters": {"original_name": file_name(drop.blob), "size": drop.size},
    }
    definition = {"id": drop.job_id, "batch_id": drop.batch_id, "input": photo}
    message = decode_message(to_json({"job_definition": definition}), settings.default_pipeline)
    source = f"{settings.input_container}/{drop.blob}"
    dropped = DroppedPhoto(source=source, etag=drop.etag, sha256=drop.sha256)
    return message.noting(dropped=dropped, drop=drop.run)


def _start(services: DashboardServices, drop: Drop) -> Drop:
    """Send a drop's job and mark its record; every line may have been done before.

    Raises:
        Conflict: the record was written meanwhile.
    """
    message = _message(services, drop)
    if drop.replaced is not None:
        _tell_replaced(services, (drop.batch_id, drop.replaced[0]), drop.replaced[1])
    try:
        check_open(services, drop.batch_id)
    except PermanentError as problem:
        body = message.noting(drop="").encode()  # when it is replayed, it is a run of its own
        keep_invalid(services, message.current, drop.run, body, one_line(str(problem)))
    else:
        _send(services, message, drop)
    return services.drops.write(replace(drop, sent=True, replaced=None))


def _send(services: DashboardServices, message: JobMessage, drop: Drop) -> None:
    """Record a job in SQL, so that it is known while it waits, and send it."""
    services.open_batches.note(message.key[0])
    services.batches.open_batch(message.key[0])  # one that is a group's stays the group's
    land_and_send(
        services,
        message,
        _bytes_to_land(services, drop),
        lambda: record_sent(services, message, drop.run, drop.sha256),
        run=drop.run,
        dropped=True,
    )
    ids = {"batch_id": message.key[0], "job_id": message.key[1]}
    _logger.info("a dropped photo starts a job", extra=ids)


def _bytes_to_land(services: DashboardServices, drop: Drop) -> bytes | None:
    """Return a dropped photo's bytes where storage may forget them; None if they are gone."""
    if not services.landing.active or drop.size > BYTE_LIMIT:
        return None
    try:
        container = services.core_settings.input_container
        return services.blobs.get(container, drop.blob, BYTE_LIMIT, etag=drop.etag)
    except (NotFound, Conflict, PermanentError):  # replaced meanwhile: that photo lands next
        return None


def _tell_replaced(services: DashboardServices, key: tuple[str, str], etag: str) -> None:
    """Note in a job's row that its photo was replaced, if the row is of that photo."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    for _ in range(_TRIES):
        row = read_row(services.log, key)
        if row is None or row.replaced or row.dropped is None or row.dropped.etag != etag:
            return
        try:
            services.log.merge(key, RowChange(replaced=moment).properties(), row.fence)
        except Conflict:  # a step is at work on it
            continue
        return
