"""The one place where jobs go to their first queue: safe on the disk before they are accepted.

On storage that keeps what it acknowledges nothing lands. The storage emulator forgets its last
seconds when it is killed; `usecases/reconcile.py` puts back what lies here.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from imaginem.errors import ImaginemError
from imaginem.message import JobMessage
from imaginem.names import own_photo_metadata
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.ports import (
    DashboardServices,
    Decision,
    Deed,
    JobKey,
    LandedJob,
    LandedPhoto,
)

_NOBODY_ANSWERS = timedelta(days=7)
"""How long a job lies here whose message another app has taken without leaving a row."""


def land_and_send(
    services: DashboardServices,
    message: JobMessage,
    photo: bytes | None,
    record: Callable[[], None],
    *,
    run: str = "",
    dropped: bool = False,
) -> str:
    """Send a job to its first queue once the job and its photo are safe; return its run's id.

    Args:
        services: where it lands and is sent.
        message: of the job; its photo is in storage already, or is elsewhere.
        photo: the photo's bytes, if they are at hand.
        record: makes the job known; called when it is safe, and before it is sent.
        run: id of the run that it starts, where that is not the id of the queue message.
        dropped: somebody else wrote the photo's blob.

    Raises:
        DiskFull: there is no room; nothing is recorded or sent.
        ConfigurationError: the folder can't be written.
        StorageUnavailable: it may have been sent or not; it is not accepted.
    """
    landed = None
    with services.landing.sending():
        if services.landing.active:
            landed = services.landing.land(_entry(services, message, photo, run, dropped), photo)
        try:
            record()
            sent = services.queues.send(message.current, message.encode())
        except ImaginemError:
            if landed is not None:
                services.landing.remove(landed)
            raise
        if landed is not None and not run:
            services.landing.sent(landed, sent)
    return run or sent


def _entry(
    services: DashboardServices,
    message: JobMessage,
    photo: bytes | None,
    run: str,
    dropped: bool,
) -> LandedJob:
    batch_id = message.key[0]
    group = services.batches.groups_of([batch_id]).get(batch_id, "")
    place = services.blobs.locate(message.job_definition.input.image_url)
    kept = None
    if photo is not None and place is not None:
        digest = hashlib.sha256(photo).hexdigest()
        # Even a dropped photo gets our mark when we put it there: it starts no job again.
        kept = LandedPhoto(*place, digest, own_photo_metadata(*place), dropped)
    return LandedJob(message.key, message.current, message.encode(), group, kept, run)


def decide(
    services: DashboardServices,
    deed: Deed,
    batch_id: str,
    job_ids: Collection[str] = (),
    *,
    whole: bool = False,
    usd: float | None = None,
) -> None:
    """Keep a decision until storage has saved what follows from it. Raises as `land` does."""
    if services.landing.active:
        services.landing.decide(Decision(deed, batch_id, tuple(sorted(job_ids)), whole, usd=usd))


def by_job(jobs: Iterable[LandedJob]) -> dict[JobKey, list[LandedJob]]:
    """Return landed jobs by key, each job's oldest first."""
    grouped: dict[JobKey, list[LandedJob]] = defaultdict(list)
    for job in jobs:
        grouped[job.key].append(job)
    return grouped


def sweep(services: DashboardServices) -> int:
    """Remove what storage has saved for good: jobs that have ended, and decisions.

    Returns:
        How many entries were removed.

    Raises:
        StorageUnavailable: storage did not answer.
    """
    landing = services.landing
    jobs, decisions = by_job(landing.jobs()), landing.decisions()
    if not (jobs or decisions):
        return 0
    saved = landing.saved_until()
    landing.ask_storage()  # for the next time; and storage must be there now
    if saved is None:
        return 0
    removed = 0
    for entries in jobs.values():
        if _is_over(services, entries[-1], saved):
            for job in entries:
                landing.remove(job)
            removed += len(entries)
    for decision in decisions:
        if decision.at is not None and decision.at < saved:
            landing.settle(decision)
            removed += 1
    return removed


def _is_over(services: DashboardServices, job: LandedJob, saved: datetime) -> bool:
    """Tell whether a job has ended, and storage has saved that it has."""
    if job.at is None or job.at >= saved:
        return False
    row = read_row(services.log, job.key)
    if row is None:
        # Its message was lost, and storage may have lost the note of its batch, too; or it waits,
        # or was taken from a queue that no step of ours serves.
        services.open_batches.note(job.key[0], surely=True)  # so the watchdog looks there
        return saved - job.at > _NOBODY_ANSWERS and not services.queues.count(job.queue)
    ended = row.has_ended and is_of(row, job)
    return ended and row.updated is not None and row.updated < saved


def is_of(row: ProgressRow, job: LandedJob) -> bool:
    """Tell whether a row is of a landed job's run, or of a newer one.

    Where the one or the other tells no run, the row is if it was written after the job landed.
    """
    if job.run and row.run:
        return job.run in row.runs
    return row.updated is not None and job.at is not None and row.updated >= job.at
