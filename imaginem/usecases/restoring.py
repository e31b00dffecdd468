"""After a backup was restored: erases again what had been erased since it was made.

To be done before anything works on the restored stores, once the tombstones are back.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ErasedBefore:
    """What restored stores have again that was erased.

    Attributes:
        jobs: not those that were sent again later.
        batches: of which nothing else is there.
        others: the other jobs: some of their faces may have been erased.
        photos: how many files of photos the jobs have.
    """

    jobs: Sequence[JobKey]
    batches: Sequence[str]
    others: Collection[JobKey]
    photos: int


def erased_since(services: DashboardServices, erased: ErasedJobs) -> ErasedBefore:
    """Return what the stores have of what was erased.

    Of a job either all its runs were erased, or nothing of it is later than the tombstone of the
    job or its batch.
    """
    keys = set(_keys(services))
    jobs = [key for key in sorted(keys) if _is_erased(services, key, erased)]
    others = keys.difference(jobs)
    batches = []
    for batch_id in sorted({*_batches(services)} - {key[0] for key in others}):
        batch = services.batches.batch(batch_id)
        if batch is not None and erased.covers((batch_id, ""), (), batch.created):
            batches.append(batch_id)
    return ErasedBefore(jobs, batches, others, _photos_of(services, jobs))


def erase_again(services: DashboardServices, found: ErasedBefore) -> int:
    """Erase what was found, and erased faces of other jobs; return how many faces these were."""
    for key in found.jobs:
        erase_job(services, key)
    for batch_id in found.batches:
        erase_batch(services, batch_id, ())
    return erase_suppressed(services, found.others)


def _photos_of(services: DashboardServices, jobs: Collection[JobKey]) -> int:
    container, wanted = services.core_settings.input_container, set(jobs)
    stores = [s for s in services.erasables if isinstance(s, JobBlobs) and container in s.holds]
    count = sum(len(store.of_job(key)) for store in stores for key in jobs)
    for batch_id in {key[0] for key in jobs}:
        drops = services.drops.of_batch(batch_id)
        count += sum((batch_id, drop.job_id) in wanted for drop in drops)
    return count


def _keys(services: DashboardServices) -> Iterator[JobKey]:
    """Yield the jobs that any store names, some of them more than once."""
    yield from services.log.keys()
    yield from (job.key for job in services.landing.jobs())
    yield from ((e.batch_id, e.job_id) for e in services.poison.list() if e.job_id)
    dropped = set[str]()
    for batch_id in _batches(services):
        drops = services.drops.of_batch(batch_id)
        dropped.update(drop.blob for drop in drops)
        names = {
            *services.submissions.submissions(batch_id),
            *services.results.finished(batch_id),
            *(drop.job_id for drop in drops),
        }
        yield from ((batch_id, job_id) for job_id in names)
    for store in services.erasables:
        if isinstance(store, JobBlobs):
            for blob in services.blobs.scan(store.holds[0]):
                batch, _, rest = blob.name.partition("/")
                if rest and blob.name not in dropped:  # which has no job's name
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
