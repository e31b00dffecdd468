"""Erasing what has been kept for as long as the settings say. It bars nothing from coming again."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imaginem.errors import Conflict, ImaginemError, NotFound
from imaginem.names import blob_segment, job_prefix
from imaginem.pipeline.progress_row import ProgressRow, progress_properties, read_row
from imaginem.ports import (
    AuditDeed,
    AuditSubject,
    BatchInfo,
    DashboardServices,
    PoisonFilter,
    SharedState,
)
from imaginem.usecases.at_work import is_at_work
from imaginem.usecases.audit.acting import note
from imaginem.usecases.erase import forget_job
from imaginem.usecases.poison import drop_found
from imaginem.usecases.renditions import CONTAINER as THUMBNAILS

_logger = logging.getLogger("imaginem.retention")
_CURSOR = "retention-cursor"
_BATCHES = 20
_SLICE = 200
"""Jobs that one run of the timer erases something of, and messages that it drops."""
_SECONDS = 20.0


@dataclass
class _Slice:
    """What one run may still do."""

    seconds: Callable[[], float]
    until: float
    left: int = _SLICE

    def is_used_up(self) -> bool:
        return self.left <= 0 or self.seconds() >= self.until


def apply_retention(
    services: DashboardServices,
    now: datetime | None = None,
    seconds: Callable[[], float] = time.monotonic,
) -> int:
    """Erase a slice of what is too old; the next run goes on from there.

    Returns:
        How many jobs lost something, and messages were dropped.
    """
    at = now or datetime.now(UTC)
    some = _Slice(seconds, seconds() + _SECONDS)
    _drop_poison(services, at, some)
    days = services.core_settings.retention
    kinds = (days.photos, days.crops, days.thumbnails, days.results, days.rows)
    if any(kinds):
        youngest = at - timedelta(days=min(filter(None, kinds)))
        _look_through_batches(services, at, youngest, some)
    return _SLICE - some.left


def _drop_poison(services: DashboardServices, at: datetime, some: _Slice) -> None:
    days = services.core_settings.retention.poison
    if not days:
        return
    old = PoisonFilter(until=at - timedelta(days=days))
    for entry in services.poison.page(old, limit=_SLICE).entries:
        if some.is_used_up():
            return
        drop_found(services, entry)
        some.left -= 1


def _look_through_batches(
    services: DashboardServices, at: datetime, youngest: datetime, some: _Slice
) -> None:
    kept = services.shared_state.read(_CURSOR)
    cursor, fence = kept or ("", "")
    while not some.is_used_up():
        page = services.batches.batches(None, cursor, _BATCHES)
        for batch in page.batches:
            if batch.created <= youngest:  # no job of a younger one is old enough
                _look_at_batch(services, batch, at, some)
            if some.is_used_up():
                return  # what is left of this page is looked at again
        cursor = page.cursor
        fence = _note_cursor(services.shared_state, cursor, fence)
        if not cursor:
            return


def _note_cursor(state: SharedState, cursor: str, fence: str) -> str:
    with suppress(Conflict):  # another instance does the same
        return state.write(_CURSOR, cursor, fence)
    kept = state.read(_CURSOR)
    return kept[1] if kept else ""


def _look_at_batch(
    services: DashboardServices, batch: BatchInfo, at: datetime, some: _Slice
) -> None:
    rows, ended = _ended_jobs(services, batch.batch_id)
    days = services.core_settings.retention
    for job_id in _older(ended, at, days.results):
        if some.is_used_up():
            return
        del ended[job_id]
        key = (batch.batch_id, job_id)
        if is_at_work(read_row(services.log, key), services.submissions.submission(key)):
            continue  # it was sent again meanwhile
        with suppress(NotFound):  # it was erased meanwhile
            forget_job(services, key, settle=False)
            some.left -= 1
    settings = services.core_settings
    kinds: tuple[tuple[int, set[str]], ...] = (
        (days.photos, {settings.input_container, "pipelinedrops"}),
        (days.crops, {settings.faces_container}),
        (days.thumbnails, {THUMBNAILS}),
    )
    for limit, places in kinds:
        old = _with_blobs(services, batch.batch_id, _older(ended, at, limit), places)
        _erase(services, batch.batch_id, old, places, some)
    old = [job_id for job_id in _older(ended, at, days.rows) if job_id in rows]
    _erase(services, batch.batch_id, old, {"pipelinelogs", "submission"}, some)


def _ended_jobs(services: DashboardServices, batch_id: str) -> tuple[set[str], dict[str, datetime]]:
    """Return which jobs have a row, and when each job that is not at work ended."""
    ended: dict[str, datetime] = {}
    sent = services.submissions.submissions(batch_id)
    rows = map(ProgressRow, services.log.batch(batch_id, only=progress_properties(())))
    known: set[str] = set()
    for row in rows:
        known.add(row.job_id)
        if row.updated is not None and not is_at_work(row, sent.get(row.job_id)):
            ended[row.job_id] = row.updated
    for job_id in services.results.finished(batch_id):
        if job_id not in known and not is_at_work(None, sent.get(job_id)):
            result = services.results.read((batch_id, job_id))
            if result is not None and result.timestamp is not None:
                ended[job_id] = result.timestamp
    return known, ended


def _older(ended: Mapping[str, datetime], at: datetime, days: int) -> list[str]:
    if not days:
        return []
    limit = at - timedelta(days=days)
    return [job_id for job_id, moment in sorted(ended.items()) if moment <= limit]


def _with_blobs(
    services: DashboardServices, batch_id: str, job_ids: Iterable[str], places: set[str]
) -> list[str]:
    """Return the jobs that have something in these places: one listing a container and batch."""
    asked = list(job_ids)
    if not asked:
        return []
    folder = f"{blob_segment(batch_id)}/"
    segments = {
        name.removeprefix(folder).partition("/")[0]
        for container in places - {"pipelinedrops"}
        for name in services.blobs.list(container, folder)
    }
    dropped = (
        {drop.job_id for drop in services.drops.of_batch(batch_id)}
        if "pipelinedrops" in places
        else set()
    )
    return [
        job_id
        for job_id in asked
        if job_id in dropped
        or job_prefix(batch_id, job_id).removeprefix(folder).rstrip("/") in segments
    ]


def _erase(
    services: DashboardServices,
    batch_id: str,
    job_ids: list[str],
    places: set[str],
    some: _Slice,
) -> None:
    """Erase jobs from the stores that hold these places."""
    if not job_ids or some.is_used_up():
        return
    note(services, AuditDeed.ERASED, AuditSubject.BATCH, batch_id)
    stores = [store for store in services.erasables if places & set(store.holds)]
    for job_id in job_ids:
        if some.is_used_up():
            return
        some.left -= 1
        for store in stores:
            try:
                store.erase((batch_id, job_id))
            except ImaginemError as problem:
                _logger.error("retention could not erase from %s: %s", store.holds, problem)
