"""Erasing jobs everywhere: photos, results, faces, progress, what was poisoned."""

from imaginem.errors import NotFound, PermanentError
from imaginem.names import blob_segment
from imaginem.pipeline.offload import CONTAINER as LARGE_MESSAGES
from imaginem.pipeline.progress_row import ProgressRow, progress_properties, read_row
from imaginem.ports import DashboardServices, JobKey
from imaginem.usecases.renditions import CONTAINER as THUMBNAILS
from imaginem.usecases.submit import at_work, is_at_work


class AtWork(PermanentError):
    """A job has not ended: what is erased now would come back with its next step."""


def forget_job(services: DashboardServices, key: JobKey) -> None:
    """Erase a job. Repeatable: what was interrupted is done again from the start.

    A photo that lies outside the job's own folder is somebody else's, and stays.

    Raises:
        NotFound: nothing is known of it.
        AtWork: it has not ended.
    """
    row, sent = read_row(services.log, key), services.archive.submission(key)
    if row is None and sent is None and services.results.read(key) is None:
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    if is_at_work(row, sent):
        raise AtWork(
            f"job {key[1]} is still at work: cancel batch {key[0]}, or wait until it has ended"
        )
    own = f"{blob_segment(key[0])}/{blob_segment(key[1])}"
    _forget_blobs(services, own, [own], f"{own}/")
    _forget_poisoned(services, {key})
    _forget_rows(services, key)


def forget_batch(services: DashboardServices, batch_id: str) -> int:
    """Erase all jobs of a batch, and the batch; return how many jobs that were.

    Raises:
        NotFound: nothing is known of it.
        AtWork: a job has not ended; nothing is erased then.
    """
    entries = services.log.batch(batch_id, only=progress_properties(()))
    rows = [ProgressRow(entry) for entry in entries]
    sent = services.archive.submissions(batch_id)
    done = services.archive.finished(batch_id)
    if not (rows or sent or done or services.archive.batch(batch_id)):
        raise NotFound(f"there is no batch {batch_id}")
    busy = at_work(services, batch_id, rows)
    if busy:
        raise AtWork(
            f"{len(busy)} jobs of batch {batch_id} are still at work: cancel it, or wait until "
            "they have ended"
        )
    keys = {(batch_id, name) for name in (*sent, *done, *(row.job_id for row in rows))}
    folder = f"{blob_segment(batch_id)}/"
    _forget_blobs(services, folder, [], folder)
    _forget_poisoned(services, keys)
    for key in sorted(keys):
        _forget_rows(services, key)
    services.archive.forget_batch(batch_id)
    return len(keys)


def _forget_rows(services: DashboardServices, key: JobKey) -> None:
    services.gallery.enrol(key, [])
    services.archive.forget(key)
    services.log.delete(key)  # last: as long as it is there, the rest can be found again


def _forget_poisoned(services: DashboardServices, keys: set[JobKey]) -> None:
    for poisoned in services.poison.list():
        if (poisoned.batch_id, poisoned.job_id) in keys:
            services.poison.drop(poisoned.queue, poisoned.id)


def _forget_blobs(services: DashboardServices, prefix: str, names: list[str], folder: str) -> None:
    """Remove blobs of these names and of a folder: of job-1, but not those of job-10."""
    limits = services.core_settings
    for container in (limits.input_container, limits.faces_container, LARGE_MESSAGES, THUMBNAILS):
        for name in services.blobs.list(container, prefix):
            if name in names or name.startswith(folder):
                services.blobs.delete(container, name)
