"""Erasing jobs everywhere: photos, results, faces, progress, poisoned messages."""

from collections.abc import Collection

from imaginem.errors import NotFound, PermanentError
from imaginem.pipeline.progress_row import ProgressRow, progress_properties, read_row
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, Deed, JobKey
from imaginem.usecases.audit.acting import note
from imaginem.usecases.erasables import PoisonedMessages
from imaginem.usecases.landing import decide
from imaginem.usecases.submit import at_work, is_at_work
from imaginem.usecases.unsent import forget_unsent, is_noted


class AtWork(PermanentError):
    """A job has not ended: its next step would write again what is erased now."""


def forget_job(services: DashboardServices, key: JobKey) -> None:
    """Erase a job. Repeatable: after an interruption it is done again from the start.

    A photo outside the job's own folder does not belong to the job, and stays.

    Raises:
        NotFound: there is no such job.
        AtWork: it has not ended.
    """
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    known = row is not None or sent is not None or services.results.read(key) is not None
    # A message that could not be read as a job may have left only its poison entry.
    known = known or is_noted(services, *key)  # its sender died, or failed
    if not known and not PoisonedMessages(services.poison).of_job(key):
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    if is_at_work(row, sent):
        services.open_batches.note(
            key[0], surely=True
        )  # should its message be lost, the watchdog ends it
        raise AtWork(
            f"job {key[1]} is still at work: cancel batch {key[0]}, or wait until it has ended"
        )
    note(services, AuditDeed.ERASED, AuditSubject.JOB, *key)
    decide(services, Deed.ERASE, key[0], [key[1]])
    erase_job(services, key)


def erase_job(services: DashboardServices, key: JobKey) -> None:
    """Remove a job from every store."""
    services.remains.note()  # before anything goes, should this be interrupted
    for store in services.erasables:
        store.erase(key)
    forget_unsent(services, *key)
    services.remains.wipe()


def forget_batch(services: DashboardServices, batch_id: str) -> int:
    """Erase all jobs of a batch, and the batch; return how many jobs that were.

    Raises:
        NotFound: there is no such batch.
        AtWork: a job has not ended; nothing is erased then.
    """
    entries = services.log.batch(batch_id, only=progress_properties(()))
    rows = [ProgressRow(entry) for entry in entries]
    sent = services.submissions.submissions(batch_id)
    done = services.results.finished(batch_id)
    known = rows or sent or done or services.batches.batch(batch_id) or is_noted(services, batch_id)
    if not known and not PoisonedMessages(services.poison).of_batch(batch_id):
        raise NotFound(f"there is no batch {batch_id}")
    busy = at_work(services, batch_id, rows)
    if busy:
        services.open_batches.note(batch_id, surely=True)
        raise AtWork(
            f"{len(busy)} jobs of batch {batch_id} are still at work: cancel it, or wait until "
            "they have ended"
        )
    names = sorted({*sent, *done, *(row.job_id for row in rows)})
    note(services, AuditDeed.ERASED, AuditSubject.BATCH, batch_id)
    decide(services, Deed.ERASE, batch_id, names, whole=True)
    erase_batch(services, batch_id, names)
    return len(names)


def erase_batch(services: DashboardServices, batch_id: str, job_ids: Collection[str]) -> None:
    """Remove a batch and its jobs from every store.

    That the watchdog looks at it stays noted: a job may be sent to it again at any moment.
    """
    services.remains.note()
    for store in services.erasables:
        store.erase_batch(batch_id, job_ids)
    forget_unsent(services, batch_id)
    services.batches.forget_batch(batch_id)
    services.remains.wipe()
