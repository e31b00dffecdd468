"""Photos of jobs that were not sent after all: removed when no job has had them for a day.

A sender that fails, or whose record the watchdog withdraws, may have put its photo; or it may be
slow and put it later. So the photo is noted before the record of it is withdrawn, in an entry of
the shared state, and is looked at a day later. Erasing the job or its batch finds it there, too.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from imaginem.errors import Conflict, NotFound, StorageUnavailable
from imaginem.names import is_own_photo, job_prefix
from imaginem.pipeline.progress_row import read_row
from imaginem.ports import DashboardServices, JobKey

_AFTER = timedelta(days=1)
"""Longer than any sender takes between putting a photo and sending its job."""
_PREFIX = "unsent-"


class _Noted(NamedTuple):
    """A job that was not sent, and when that was found."""

    batch_id: str
    job_id: str
    at: datetime


_ENTRY = TypeAdapter(_Noted)


def withdraw(services: DashboardServices, key: JobKey) -> None:
    """Withdraw the record of a job that was not sent, once its photo is sure to be removed.

    Without storage the record stays: the watchdog withdraws it later.
    """
    name, noted = _name(key), _Noted(*key, datetime.now(UTC))
    try:
        before = services.shared_state.read(name)
        with contextlib.suppress(Conflict):  # it was noted by another one just now
            services.shared_state.write(
                name, _ENTRY.dump_json(noted).decode(), before[1] if before else ""
            )
    except StorageUnavailable:
        return
    services.submissions.withdraw(key)


def remove_unsent(
    services: DashboardServices, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Remove the photos that no job has had for a day; return how many.

    Raises:
        StorageUnavailable: storage did not answer.
    """
    removed = 0
    for name, (text, _) in services.shared_state.list(_PREFIX).items():
        noted = _read(text)
        if noted is not None:
            if now() - noted.at < _AFTER:
                continue
            removed += remove_photos(services, (noted.batch_id, noted.job_id))
        services.shared_state.remove(name)
    return removed


def remove_photos(services: DashboardServices, key: JobKey) -> int:
    """Remove a job's photos if there is no such job; one that is put again meanwhile stays."""
    container = services.core_settings.input_container
    photos = list(_photos(services, key))
    if not photos or _is_known(services, key):
        return 0
    services.remains.note()
    for name, etag in photos:
        services.blobs.delete(container, name, etag=etag)
    return len(photos)


def _photos(services: DashboardServices, key: JobKey) -> Iterator[tuple[str, str]]:
    """Yield name and ETag of the photos that we put into a job's folder."""
    container = services.core_settings.input_container
    for name in services.blobs.list(container, job_prefix(*key)):
        try:
            found = services.blobs.stat(container, name)
        except NotFound:
            continue
        if is_own_photo(container, name, found.metadata):
            yield name, found.etag


def _is_known(services: DashboardServices, key: JobKey) -> bool:
    return (
        services.submissions.submission(key) is not None
        or read_row(services.log, key) is not None
        or services.results.read(key) is not None
    )


def is_noted(services: DashboardServices, batch_id: str, job_id: str = "") -> bool:
    """Tell whether a photo of a batch, or of one of its jobs, is noted here."""
    if job_id:
        return services.shared_state.read(_name((batch_id, job_id))) is not None
    return bool(services.shared_state.list(_of_batch(batch_id)))


def forget_unsent(services: DashboardServices, batch_id: str, job_id: str = "") -> None:
    """Remove what is noted of a batch, or of one of its jobs, that is erased."""
    if job_id:
        services.shared_state.remove(_name((batch_id, job_id)))
        return
    for name in services.shared_state.list(_of_batch(batch_id)):
        services.shared_state.remove(name)


def _read(text: str) -> _Noted | None:
    try:
        return _ENTRY.validate_json(text)
    except ValidationError:  # the table was edited by hand
        return None


def _of_batch(batch_id: str) -> str:
    return f"{_PREFIX}{_digest(batch_id)}-"


def _name(key: JobKey) -> str:
    return f"{_of_batch(key[0])}{_digest(key[1])}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
