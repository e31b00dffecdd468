"""Erasing jobs everywhere: photos, results, faces, progress, poisoned messages.

Tombstones are laid first, so that nothing of what is on its way comes back; then every store is
emptied twice, the second time after the job's row is gone, unless the job was sent again by then.
Whoever still works on the job can't record it from then on, and takes away what it wrote itself
(`pipeline/stopping.py`).
"""

from collections.abc import Collection, Mapping

from imaginem.errors import NotFound
from imaginem.pipeline.progress_row import ProgressRow, progress_properties, read_row
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, Deed, Erasable, JobKey
from imaginem.usecases.audit.acting import note
from imaginem.usecases.erasables import PoisonedMessages, ProgressRows
from imaginem.usecases.landing import decide
from imaginem.usecases.receipts import Receipt, contents, receipt
from imaginem.usecases.runs import runs_of_batch, runs_of_job
from imaginem.usecases.unsent import forget_unsent, is_noted


def forget_job(services: DashboardServices, key: JobKey, *, settle: bool = True) -> Receipt:
    """Erase a job, even one at work; return what went.

    After an interruption it is done again from the start.

    A photo outside the job's own folder does not belong to the job, and stays.

    Args:
        services: where it is erased.
        key: of the job.
        settle: return only when a message that another program sends again is known to be later.

    Raises:
        NotFound: there is no such job.
    """
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    known = row is not None or sent is not None or services.results.read(key) is not None
    # A message that could not be read as a job may have left only its poison entry.
    known = known or is_noted(services, *key)  # its sender died, or failed
    known = known or bool(PoisonedMessages(services.poison).of_job(key))
    if not known and not services.erased.is_begun(*key):
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    note(services, AuditDeed.ERASED, AuditSubject.JOB, *key)
    before = contents(services, key[0], [key[1]])
    decide(services, Deed.ERASE, key[0], [key[1]])
    _empty_of_job(services, key)
    after = contents(services, key[0], [key[1]])
    services.erased.end(key[0], [key[1]])
    if settle:
        services.erased.settle()
    return receipt(1, before, after)


def erase_job(services: DashboardServices, key: JobKey) -> None:
    """Remove a job from every store."""
    _empty_of_job(services, key)
    services.erased.end(key[0], [key[1]])


def _empty_of_job(services: DashboardServices, key: JobKey) -> None:
    batch_id, job_id = key
    services.remains.note()  # before anything goes, should this be interrupted
    services.erased.begin(batch_id, [job_id])
    services.erased.add_runs(batch_id, {job_id: runs_of_job(services, key)})
    for store in services.erasables:
        store.erase(key)
    if read_row(services.log, key) is None and services.submissions.submission(key) is None:
        for store in _without_records(services):
            store.erase(key)
    forget_unsent(services, *key)
    services.remains.wipe()


def forget_batch(services: DashboardServices, batch_id: str) -> Receipt:
    """Erase all jobs of a batch, those at work too, and the batch; return what went.

    Raises:
        NotFound: there is no such batch.
    """
    rows = _rows(services, batch_id)
    sent = services.submissions.submissions(batch_id)
    done = services.results.finished(batch_id)
    known = bool(rows or sent or done or services.batches.batch(batch_id))
    known = known or is_noted(services, batch_id)
    known = known or bool(PoisonedMessages(services.poison).of_batch(batch_id))
    if not known and not services.erased.is_begun(batch_id):
        raise NotFound(f"there is no batch {batch_id}")
    names = sorted({*sent, *done, *rows})
    note(services, AuditDeed.ERASED, AuditSubject.BATCH, batch_id)
    before = contents(services, batch_id, names, whole=True)
    decide(services, Deed.ERASE, batch_id, names, whole=True)
    count = _empty_of_batch(services, batch_id, names)
    after = contents(services, batch_id, names, whole=True)
    services.erased.end(batch_id, (), whole=True)
    services.erased.settle()
    return receipt(count, before, after)


def erase_batch(services: DashboardServices, batch_id: str, job_ids: Collection[str]) -> None:
    """Remove a batch and its jobs from every store."""
    _empty_of_batch(services, batch_id, job_ids)
    services.erased.end(batch_id, (), whole=True)


def _empty_of_batch(services: DashboardServices, batch_id: str, job_ids: Collection[str]) -> int:
    """Remove a batch and its jobs from every store; return how many jobs that were.

    That the watchdog looks at it stays noted: a job may be sent to it again at any moment.
    """
    services.remains.note()
    services.erased.begin(batch_id, (), whole=True)
    # Only now: a job that begins after this finds the tombstone when it has inserted its row.
    rows = _rows(services, batch_id)
    services.erased.add_runs(batch_id, runs_of_batch(services, batch_id, rows.values()))
    names = sorted({*job_ids, *rows})
    for store in services.erasables:
        store.erase_batch(batch_id, names)
    later = {*_rows(services, batch_id), *services.submissions.submissions(batch_id)}
    for store in _without_records(services):
        if not later:
            store.erase_batch(batch_id, names)
            continue
        for job_id in names:
            if job_id not in later:
                store.erase((batch_id, job_id))
    forget_unsent(services, batch_id)
    services.batches.forget_batch(batch_id)
    services.remains.wipe()
    return len(names)


def _without_records(services: DashboardServices) -> list[Erasable]:
    """Return the stores but those that name a job: what they name by now was sent since."""
    records = {*services.submissions.holds, *ProgressRows.holds}
    return [store for store in services.erasables if not records & set(store.holds)]


def _rows(services: DashboardServices, batch_id: str) -> Mapping[str, ProgressRow]:
    entries = services.log.batch(batch_id, only=progress_properties(()))
    return {entry.job_id: ProgressRow(entry) for entry in entries}
