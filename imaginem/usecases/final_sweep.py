"""The final sweep: what an execution wrote after an erasure, before it died, is removed later.

Who was at work on an erased job takes away what it wrote itself (`pipeline/stopping.py`). If it
dies before that, and its message is lost, nobody would. So everything is looked through once more
when nothing can be at work any more that was at work before; only then is the receipt final.

Until then something must name what was erased: entries of the shared state, which the sweep
removes. A job that was sent again since keeps everything.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from imaginem.errors import NotFound
from imaginem.pipeline.progress_row import progress_properties, read_row
from imaginem.pipeline.stopping import written_by_steps
from imaginem.ports import DashboardServices, JobKey
from imaginem.usecases.erasables import PoisonedMessages
from imaginem.usecases.kept_receipts import (
    NOTHING_AT_WORK_AFTER,
    finalise,
    find_receipt,
    keep,
)
from imaginem.usecases.planned_sweeps import Entries, PlannedSweep, planned_sweeps
from imaginem.usecases.receipts import Receipt, contents
from imaginem.usecases.runs import runs_of_entry
from imaginem.usecases.unsent import remove_photos

_RUNS_FOR = timedelta(minutes=10)
"""A function runs no longer (`functionTimeout` in host.json), and may send a message at its end."""


def sweep_finally(
    services: DashboardServices,
    queues: Collection[str],
    now: datetime | None = None,
    *,
    at_rest: bool = False,
) -> int:
    """Look through what was erased once more, and make receipts final; one call if there is none.

    Interrupted anywhere, it is completed the next time.

    Args:
        services: where it is looked for.
        queues: of the steps.
        now: the moment.
        at_rest: nothing is at work, and no message waits: there is nothing to wait for.

    Returns:
        How many receipts were made final.
    """
    planned = planned_sweeps(services)
    if not planned:
        return 0
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    oldest = None if at_rest else _oldest_message(services, queues)
    count = 0
    for receipt_id, entries in planned.items():
        if at_rest or _is_time(services, receipt_id, entries, oldest, moment):
            _finish(services, receipt_id, entries, moment)
            count += 1
    return count


def swept_by_hand(
    services: DashboardServices, batch_id: str, job_id: str = "", now: datetime | None = None
) -> Receipt | None:
    """Return the receipt of a job or batch of which nothing is left but the plan of its sweep.

    It is swept now if it is time: where no timer does that, erasing it again makes it final.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    for receipt_id, entries in planned_sweeps(services).items():
        if not any(_names(entry, batch_id, job_id) for _, entry in entries):
            continue
        if _is_time(services, receipt_id, entries, None, moment):
            _finish(services, receipt_id, entries, moment)
        with suppress(NotFound):  # its erasure was interrupted
            return find_receipt(services, receipt_id)
    return None


def _names(entry: PlannedSweep, batch_id: str, job_id: str) -> bool:
    is_named = job_id in entry.job_ids and not entry.whole if job_id else entry.whole
    return entry.batch_id == batch_id and is_named


def _oldest_message(services: DashboardServices, queues: Iterable[str]) -> datetime | None:
    times = [services.queues.oldest(queue) for queue in sorted(queues)]
    return min((put for put in times if put is not None), default=None)


def _is_time(
    services: DashboardServices,
    receipt_id: str,
    entries: Entries,
    oldest: datetime | None,
    now: datetime,
) -> bool:
    """Tell whether nothing is at work any more that was, and no message waits that it sent."""
    at = max(entry.at for _, entry in entries)
    with suppress(NotFound):
        at = max(at, datetime.fromisoformat(find_receipt(services, receipt_id).at))
    waits = oldest is not None and oldest <= at + _RUNS_FOR
    return now >= at + NOTHING_AT_WORK_AFTER and not waits


def _finish(services: DashboardServices, receipt_id: str, entries: Entries, now: datetime) -> None:
    """Sweep, then make the receipt final, then forget whom it is of."""
    for _, entry in entries:
        found = _sweep(services, entry)
        receipt = _receipt(services, receipt_id)
        if receipt is not None and found:
            swept = Counter(receipt.swept) + found
            keep(services, replace(receipt, swept=dict(sorted(swept.items()))))
    receipt = _receipt(services, receipt_id)
    if receipt is not None and not receipt.final:
        finalise(services, receipt, now, _left(services, entries))
    for name, _ in entries:
        services.shared_state.remove(name)


def _left(services: DashboardServices, entries: Entries) -> Counter[str]:
    """Count what is there after the sweep: of jobs that were sent again."""
    jobs: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for _, entry in entries:
        named = _named_now(services, entry) if entry.whole else ()
        jobs[entry.batch_id, entry.whole].update(entry.job_ids, named)
    left = Counter[str]()
    for (batch_id, whole), job_ids in jobs.items():
        left += contents(services, batch_id, job_ids, whole=whole)
    return left


def _receipt(services: DashboardServices, receipt_id: str) -> Receipt | None:
    try:
        return find_receipt(services, receipt_id)
    except NotFound:  # its erasure was interrupted, or the emulator has lost it
        return None


def _sweep(services: DashboardServices, entry: PlannedSweep) -> Counter[str]:
    """Remove what was written since of jobs that nobody has sent again; return what was found."""
    batch_id = entry.batch_id
    named = _named_now(services, entry)
    names = {*entry.job_ids, *named} if entry.whole else set(entry.job_ids)
    later = {job_id for job_id in named if _is_later(services, (batch_id, job_id))}
    later |= _landed(services, batch_id)
    gone = sorted(names - later)
    found = Counter[str]()
    services.remains.note()
    for job_id in set(gone) & named:
        found += _forget_records(services, (batch_id, job_id))
    stores = [
        s for s in written_by_steps(services) if not set(PoisonedMessages.holds) & set(s.holds)
    ]
    places = {place for store in stores for place in store.holds}
    whole = entry.whole and not later
    there = contents(services, batch_id, gone, whole=whole)
    found += Counter({place: count for place, count in there.items() if place in places})
    for store in stores:
        if whole:
            store.erase_batch(batch_id, gone)
            continue
        for job_id in gone:
            store.erase((batch_id, job_id))
    container = services.core_settings.input_container
    found += Counter({container: sum(remove_photos(services, (batch_id, j)) for j in gone)})
    found += Counter(pipelinepoison=_forget_poison(services, batch_id, set(gone)))
    services.remains.wipe()
    return +found


def _named_now(services: DashboardServices, entry: PlannedSweep) -> set[str]:
    """Return which of the jobs have a row, a submission or a result by now."""
    batch_id = entry.batch_id
    if not entry.whole:
        keys = [(batch_id, job_id) for job_id in entry.job_ids]
        return {key[1] for key in keys if set(_records(services, key)) != {None}}
    rows = services.log.batch(batch_id, only=progress_properties(()))
    return {
        *(row.job_id for row in rows),
        *services.submissions.submissions(batch_id),
        *services.results.finished(batch_id),
    }


def _landed(services: DashboardServices, batch_id: str) -> set[str]:
    """Return the jobs of a batch that are just being sent, or were sent since."""
    jobs = [job for job in services.landing.jobs() if job.key[0] == batch_id]
    return {
        job.key[1]
        for job in jobs
        if not job.run or not services.erased.covers(job.key, (job.run,), None)
    }


def _records(services: DashboardServices, key: JobKey) -> tuple[str | None, ...]:
    """Return the runs that a job's row, submission and result tell; None for what is not there."""
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    result = services.results.read(key)
    return tuple(found.run if found else None for found in (row, sent, result))


def _is_later(services: DashboardServices, key: JobKey) -> bool:
    """Tell whether something names a run of the job that was not erased, or tells none."""
    runs = [run for run in _records(services, key) if run is not None]
    return any(not run or not services.erased.covers(key, (run,), None) for run in runs)


def _forget_records(services: DashboardServices, key: JobKey) -> Counter[str]:
    """Remove the row and the submission of a run that was erased.

    No tombstone is laid: a message that was sent since must live.
    """
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    if row is not None:
        services.log.delete(key, row.fence)
    if sent is not None:
        services.submissions.erase(key)
    return Counter(pipelinelogs=int(row is not None), submission=int(sent is not None))


def _forget_poison(services: DashboardServices, batch_id: str, job_ids: Collection[str]) -> int:
    """Remove the messages of runs that were erased; others may have come since."""
    entries = [
        entry
        for entry in PoisonedMessages(services.poison).of_batch(batch_id)
        if entry.job_id in job_ids
        and services.erased.covers(
            (batch_id, entry.job_id), set(runs_of_entry(services, entry)) - {""}, None
        )
    ]
    for entry in entries:
        services.poison.drop(entry.queue, entry.id)
    return len(entries)
