"""Erasing jobs everywhere: photos, results, faces, progress, what was poisoned."""

from collections.abc import Sequence

from imaginem.errors import NotFound, PermanentError
from imaginem.names import blob_segment
from imaginem.offload import CONTAINER as LARGE_MESSAGES
from imaginem.ports import DashboardServices, JobKey, LogEntry
from imaginem.renditions import CONTAINER as THUMBNAILS
from imaginem.submitting import at_work


class AtWork(PermanentError):
    """A job has not ended: what is erased now would come back with its next step."""


def forget_job(services: DashboardServices, key: JobKey) -> None:
    """Erase a job. Repeatable: what was interrupted is done again from the start.

    Raises:
        NotFound: nothing is known of it.
        AtWork: it has not ended.
    """
    entry, result = services.log.read(key), services.results.read(key)
    if entry is None and result is None and key[1] not in services.archive.submissions(key[0]):
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    if key[1] in _in_the_way(services, key[0], [entry] if entry else []):
        raise AtWork(
            f"job {key[1]} is still at work: cancel batch {key[0]}, or wait until it has ended"
        )
    services.gallery.enrol(key, [])
    place = services.blobs.locate(result.photo_url) if result and result.photo_url else None
    if place is not None and place[0] == services.limits.input_container:
        services.blobs.delete(*place)
    _forget_blobs(services, key)
    for poisoned in services.poison.list():
        if (poisoned.batch_id, poisoned.job_id) == key:
            services.poison.drop(poisoned.queue, poisoned.id)
    services.archive.forget(key)
    services.log.delete(key)  # last: as long as it is there, the rest can be found again


def forget_batch(services: DashboardServices, batch_id: str) -> int:
    """Erase all jobs of a batch, and the batch; return how many jobs that were.

    Raises:
        NotFound: nothing is known of it.
        AtWork: a job has not ended; nothing is erased then.
    """
    wanted = ["job_state", "imaginem_run", "imaginem_previous_runs"]
    entries = list(services.log.batch(batch_id, only=wanted))
    sent = services.archive.submissions(batch_id)
    done = [result.id for result in services.results.batch(batch_id)]
    if not (entries or sent or done or services.archive.batch(batch_id)):
        raise NotFound(f"there is no batch {batch_id}")
    busy = _in_the_way(services, batch_id, entries)
    if busy:
        raise AtWork(
            f"{len(busy)} jobs of batch {batch_id} are still at work: cancel it, or wait until "
            "they have ended"
        )
    everybody = sorted({*sent, *done, *(entry.job_id for entry in entries)})
    for job_id in everybody:
        forget_job(services, (batch_id, job_id))
    services.archive.forget_batch(batch_id)
    return len(everybody)


def _in_the_way(
    services: DashboardServices, batch_id: str, entries: Sequence[LogEntry]
) -> list[str]:
    """Return jobs that would come back; in a cancelled batch those that only wait do not."""
    stopped = services.cancellations.is_cancelled(batch_id)
    working = at_work(services, batch_id, entries)
    return [name for name, state in working.items() if not (stopped and state == "queued")]


def _forget_blobs(services: DashboardServices, key: JobKey) -> None:
    own = f"{blob_segment(key[0])}/{blob_segment(key[1])}"
    limits = services.limits
    for container in (limits.input_container, limits.faces_container, LARGE_MESSAGES, THUMBNAILS):
        for name in services.blobs.list(container, own):
            if name == own or name.startswith(f"{own}/"):  # not those of job-10 with job-1's
                services.blobs.delete(container, name)
