"""After a backup was restored: erases again what had been erased since it was made.

To be done before anything works on the restored stores, once the tombstones are back.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

from imaginem.pipeline.progress_row import read_row
from imaginem.ports import DashboardServices, ErasedJobs, JobKey
from imaginem.usecases.erasables import JobBlobs
from imaginem.usecases.erase import erase_batch, erase_job
from imaginem.usecases.forget_face import erase_suppressed
from imaginem.usecases.runs import runs_of_job

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_PAGE = 200


def erased_since(services: DashboardServices, erased: ErasedJobs) -> list[JobKey]:
    """Return the jobs in the stores that were erased, and not sent again later.

    Either all runs that a job has were erased, or nothing of it is later than the tombstone of
    the job or its batch.
    """
    return [key for key in sorted(set(_keys(services))) if _is_erased(services, key, erased)]


def erase_again(services: DashboardServices, keys: list[JobKey]) -> None:
    """Erase jobs, batches that were erased and have nothing left, and erased faces of others."""
    left = set(_keys(services)) - set(keys)
    for key in keys:
        erase_job(services, key)
    for batch_id in sorted({*_batches(services)} - {key[0] for key in left}):
        batch = services.batches.batch(batch_id)
        if batch is not None and services.erased.covers((batch_id, ""), (), batch.created):
            erase_batch(services, batch_id, ())
    erase_suppressed(services, left)


def _keys(services: DashboardServices) -> Iterator[JobKey]:
    """Yield the jobs that any store names, some of them more than once."""
    yield from services.log.keys()
    yield from (job.key for job in services.landing.jobs())
    yield from ((e.batch_id, e.job_id) for e in services.poison.list() if e.job_id)
    for batch_id in _batches(services):
        names = {
            *services.submissions.submissions(batch_id),
            *services.results.finished(batch_id),
            *(drop.job_id for drop in services.drops.of_batch(batch_id)),
        }
        yield from ((batch_id, job_id) for job_id in names)
    for store in services.erasables:
        if isinstance(store, JobBlobs):
            for blob in services.blobs.scan(store.holds[0]):
                batch, _, rest = blob.name.partition("/")
                if rest:
                    yield unquote(batch), unquote(rest.partition("/")[0])


def _batches(services: DashboardServices) -> Iterator[str]:
    cursor = ""
    while True:
        page = services.batches.batches(None, cursor, _PAGE)
        yield from (batch.batch_id for batch in page.batches)
        cursor = page.cursor
        if not cursor:
            return


def _is_erased(services: DashboardServices, key: JobKey, erased: ErasedJobs) -> bool:
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    result = services.results.read(key)
    stated = [sent.since if sent else None, result.timestamp if result else None]
    # The table's own time may be that of the restoring.
    times = stated if any(stated) else [row.updated if row else None]
    latest = max((at for at in times if at is not None), default=_LONG_AGO)
    runs = {found.run for found in (row, sent, result) if found is not None}
    if not runs:
        return erased.covers(key, runs_of_job(services, key), latest)
    return all(erased.covers(key, (run,), latest) for run in runs)
