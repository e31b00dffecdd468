"""Erasing jobs everywhere: photos, results, faces, progress, poisoned messages.

Tombstones are laid first, so that nothing of what is on its way comes back; then every store is
emptied twice, the second time after the job's row is gone, unless the job was sent again by then.
Whoever still works on the job can't record it from then on, and takes away what it wrote itself
(`pipeline/stopping.py`).
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from imaginem.errors import NotFound
from imaginem.names import stored_run
from imaginem.pipeline.progress_row import ProgressRow, progress_properties, read_row
from imaginem.ports import (
    AuditDeed,
    AuditSubject,
    DashboardServices,
    Deed,
    Erasable,
    ErasableRuns,
    JobKey,
)
from imaginem.usecases.audit.acting import note
from imaginem.usecases.audit.chain import hash_of
from imaginem.usecases.erasables import PoisonedMessages, ProgressRows
from imaginem.usecases.final_sweep import swept_by_hand
from imaginem.usecases.kept_receipts import issue
from imaginem.usecases.landing import decide
from imaginem.usecases.planned_sweeps import plan_sweep
from imaginem.usecases.receipts import Receipt, contents, receipt
from imaginem.usecases.runs import runs_of_batch, runs_of_job
from imaginem.usecases.unsent import forget_unsent, is_noted


def forget_job(
    services: DashboardServices, key: JobKey, *, settle: bool = True, now: datetime | None = None
) -> Receipt:
    """Erase a job, even one at work; return the receipt.

    After an interruption it is done again from the start.

    A photo outside the job's own folder does not belong to the job, and stays.

    Args:
        services: where it is erased.
        key: of the job.
        settle: issue the receipt, and return only when a message that another program sends again
            is known to be later. False where this is a part of something larger, which does both.
        now: the moment.

    Raises:
        NotFound: there is no such job.
    """
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    known = row is not None or sent is not None or services.results.read(key) is not None
    # A message that could not be read as a job may have left only its poison entry.
    known = known or is_noted(services, *key)  # its sender died, or failed
    known = known or bool(PoisonedMessages(services.poison).of_job(key))
    if not known and not services.erased.is_begun(*key):
        return _issued_before(services, key[0], key[1], now)
    note(services, AuditDeed.ERASED, AuditSubject.JOB, *key)
    sweep = plan_sweep(services, key[0], [key[1]], now=now) if settle else ""
    before = contents(services, key[0], [key[1]])
    decide(services, Deed.ERASE, key[0], [key[1]])
    _empty_of_job(services, key)
    after = contents(services, key[0], [key[1]])
    done = receipt(1, before, after)
    if settle:
        subject = hash_of(services.installation_key, AuditSubject.JOB, *key)
        done = issue(services, done, AuditSubject.JOB, subject, sweep=sweep, now=now)
    services.erased.end(key[0], [key[1]])  # last: else who does it again finds nothing to erase
    if settle:
        services.erased.settle()
    return done


def _issued_before(
    services: DashboardServices, batch_id: str, job_id: str, now: datetime | None
) -> Receipt:
    """Return the receipt of what was erased before, where it becomes final only by hand.

    Raises:
        NotFound: there is none.
    """
    by_hand = not services.core_settings.looks_again
    found = swept_by_hand(services, batch_id, job_id, now) if by_hand else None
    if found is None:
        what = f"job {job_id} in batch {batch_id}" if job_id else f"batch {batch_id}"
        raise NotFound(f"there is no {what}")
    return found


def erase_job(services: DashboardServices, key: JobKey) -> None:
    """Remove a job from every store."""
    _empty_of_job(services, key)
    services.erased.end(key[0], [key[1]])


def _empty_of_job(services: DashboardServices, key: JobKey) -> None:
    batch_id, job_id = key
    services.remains.note()  # before anything goes, should this be interrupted
    services.erased.begin(batch_id, [job_id])
    known = runs_of_job(services, key)
    services.erased.add_runs(batch_id, {job_id: known})
    for store in services.erasables:
        if store.holds != ProgressRows.holds:
            store.erase(key)
    told = _remove_rows(services, batch_id, {job_id: known}, lambda: _row(services, key))
    if read_row(services.log, key) is None and services.submissions.submission(key) is None:
        for store in _without_records(services):
            store.erase(key)
    else:
        _empty_of_runs(services, key, told)
    forget_unsent(services, *key)
    services.remains.wipe()


def forget_batch(
    services: DashboardServices, batch_id: str, *, now: datetime | None = None
) -> Receipt:
    """Erase all jobs of a batch, those at work too, and the batch; return the receipt.

    Raises:
        NotFound: there is no such batch.
    """
    rows = _rows(services, batch_id)
    sent = services.submissions.submissions(batch_id)
    finished = services.results.finished(batch_id)
    known = bool(rows or sent or finished or services.batches.batch(batch_id))
    known = known or is_noted(services, batch_id)
    known = known or bool(PoisonedMessages(services.poison).of_batch(batch_id))
    if not known and not services.erased.is_begun(batch_id):
        return _issued_before(services, batch_id, "", now)
    names = sorted({*sent, *finished, *rows})
    note(services, AuditDeed.ERASED, AuditSubject.BATCH, batch_id)
    sweep = plan_sweep(services, batch_id, names, whole=True, now=now)
    before = contents(services, batch_id, names, whole=True)
    decide(services, Deed.ERASE, batch_id, names, whole=True)
    count = _empty_of_batch(services, batch_id, names)
    after = contents(services, batch_id, names, whole=True)
    subject = hash_of(services.installation_key, AuditSubject.BATCH, batch_id)
    found = receipt(count, before, after)
    done = issue(services, found, AuditSubject.BATCH, subject, sweep=sweep, now=now)
    services.erased.end(batch_id, (), whole=True)
    services.erased.settle()
    return done


def erase_batch(services: DashboardServices, batch_id: str, job_ids: Collection[str]) -> None:
    """Remove a batch and its jobs from every store."""
    _empty_of_batch(services, batch_id, job_ids)
    services.erased.end(batch_id, (), whole=True)


def complete_erasure(services: DashboardServices, key: JobKey) -> None:
    """Erase a job whose erasure was interrupted, or whose message was sent too late.

    If its row is of a later run, a sender noted an erased one late: that alone is mended.
    """
    row = read_row(services.log, key)
    if row is not None and row.run and not services.erased.covers(key, (row.run,), None):
        services.submissions.submitted(key, row.run)
    else:
        erase_job(services, key)


def _empty_of_batch(services: DashboardServices, batch_id: str, job_ids: Collection[str]) -> int:
    """Remove a batch and its jobs from every store; return how many jobs that were.

    That the watchdog looks at it stays noted: a job may be sent to it again at any moment.
    """
    services.remains.note()
    services.erased.begin(batch_id, (), whole=True)
    # Only now: a job that begins after this finds the tombstone when it has inserted its row.
    rows = _rows(services, batch_id)
    known = runs_of_batch(services, batch_id, rows.values())
    services.erased.add_runs(batch_id, known)
    names = sorted({*job_ids, *rows})
    for store in services.erasables:
        if store.holds != ProgressRows.holds:
            store.erase_batch(batch_id, names)
    told = _remove_rows(services, batch_id, known, lambda: _rows_of(services, batch_id, names))
    later = {*_rows(services, batch_id), *services.submissions.submissions(batch_id)}
    for store in _without_records(services):
        if not later:
            store.erase_batch(batch_id, names)
            continue
        for job_id in names:
            if job_id not in later:
                store.erase((batch_id, job_id))
    for job_id in later.intersection(names):
        _empty_of_runs(services, (batch_id, job_id), told)
    forget_unsent(services, batch_id)
    services.budgets.set(batch_id, None)
    services.pauses.forget(batch_id)  # what still waits comes back, and finds the tombstone
    services.batches.forget_batch(batch_id)
    services.remains.wipe()
    return len(names)


def _remove_rows(
    services: DashboardServices,
    batch_id: str,
    known: Mapping[str, Collection[str]],
    read: Callable[[], Collection[ProgressRow]],
) -> Mapping[str, Collection[str]]:
    """Remove rows of a batch, and tell as erased the runs that began since the known ones were.

    Without a row nothing would know of such a run. Its next message, later than the erasure, would
    begin the job anew, and SQL would take what its steps find.

    Returns:
        All runs that were told, by job id.
    """
    told = {job_id: set(runs) for job_id, runs in known.items()}
    while rows := read():
        new = {row.job_id: set(row.runs) - told.get(row.job_id, set()) for row in rows}
        if any(new.values()):
            services.erased.add_runs(batch_id, new)
            told |= {row.job_id: told.get(row.job_id, set()) | set(row.runs) for row in rows}
        for row in rows:
            services.log.delete(row.key, row.fence)  # one that changed is looked at again
    return told


def _empty_of_runs(
    services: DashboardServices, key: JobKey, told: Mapping[str, Collection[str]]
) -> None:
    """Remove what erased runs wrote of a job that was sent again by now, where that can be told."""
    of_runs = sorted(map(stored_run, told.get(key[1], ())))
    for store in services.erasables:
        if isinstance(store, ErasableRuns):
            store.erase_runs(key, of_runs)


def _without_records(services: DashboardServices) -> list[Erasable]:
    """Return the stores but those that name a job: what they name by now was sent since."""
    records = {*services.submissions.holds, *ProgressRows.holds}
    return [store for store in services.erasables if not records & set(store.holds)]


def _row(services: DashboardServices, key: JobKey) -> list[ProgressRow]:
    row = read_row(services.log, key)
    return [] if row is None else [row]


def _rows_of(
    services: DashboardServices, batch_id: str, job_ids: Collection[str]
) -> list[ProgressRow]:
    wanted = set(job_ids)
    return [row for job_id, row in _rows(services, batch_id).items() if job_id in wanted]


def _rows(services: DashboardServices, batch_id: str) -> Mapping[str, ProgressRow]:
    entries = services.log.batch(batch_id, only=progress_properties(()))
    return {entry.job_id: ProgressRow(entry) for entry in entries}
