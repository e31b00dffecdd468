"""Puts right what the storage emulator forgot when it died, before any worker runs.

The emulator's queues, tables and blobs each fall back to a moment of their own. What was accepted
lies in the landing: every job of it that has not ended is sent again, marked so that any number
of copies is harmless (see `pipeline/resending.py`), and blobs that are gone are put back. Beside
live workers this would send again what is being worked on.
"""

import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from imaginem.errors import Conflict, InvalidMessage, PermanentError
from imaginem.message import decode_message
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.resending import Resending, Resends
from imaginem.pipeline.resuming import message_from_row
from imaginem.ports import DashboardServices, Decision, Deed, JobKey, LandedJob, Pause
from imaginem.redaction import one_line
from imaginem.usecases.erase import erase_batch, erase_job
from imaginem.usecases.landed_blobs import lost_blobs, put_back
from imaginem.usecases.landing import by_job, is_of
from imaginem.usecases.runs import name_of_landed
from imaginem.usecases.submit import record_sent

_logger = logging.getLogger("imaginem.reconcile")
_TRIES = 8


@dataclass(frozen=True)
class Reconciled:
    """What was found and done; all are counts of jobs but `photos` and `decisions`.

    Attributes:
        landed: were accepted, and not known to be saved.
        ended: of these, need nothing.
        resumed: were sent again to the step whose turn it is.
        begun_again: were sent again from their first step.
        failed: could not be sent again; the log says why.
        photos: were put back.
        decisions: cancellations and erasures that were carried out again.
    """

    landed: int = 0
    ended: int = 0
    resumed: int = 0
    begun_again: int = 0
    failed: int = 0
    photos: int = 0
    decisions: int = 0


def reconcile(services: DashboardServices) -> Reconciled:
    """Send again every accepted job that has not ended, and put back what is missing.

    To be called while no worker runs, each time that storage has started. May be interrupted, and
    is then done again from the start. Nobody sends a job meanwhile, and between the start of
    storage and this if `storage_starts` of the landing was called before.

    Raises:
        StorageUnavailable: storage did not answer.
    """
    landing = services.landing
    if not landing.active:
        return Reconciled()
    landing.storage_starts()
    stopped, saved = landing.stopped_at(), landing.saved_until()
    decisions = _carry_out(services, stopped)
    work = _Jobs(services, saved)
    for jobs in by_job(landing.jobs()).values():
        if stopped is None or jobs[-1].at is None or jobs[-1].at > stopped:
            work.settle(jobs)
    done = replace(work.done, decisions=decisions)
    landing.storage_started()
    if done != Reconciled():
        landing.ask_storage()
        counts = ", ".join(
            f"{name.replace('_', ' ')} {count}" for name, count in vars(done).items()
        )
        _logger.info("storage was compared with what had been accepted: %s", counts)
    return done


def _carry_out(services: DashboardServices, stopped: datetime | None) -> int:
    """Do again what was decided and storage may have forgotten; return how many."""
    decisions = [
        decision
        for decision in services.landing.decisions()
        if stopped is None or decision.at is None or decision.at > stopped
    ]
    for decision in decisions:
        if decision.deed is Deed.CANCEL:
            services.cancellations.cancel(decision.batch_id)
        elif decision.deed is Deed.REOPEN:
            services.cancellations.reopen(decision.batch_id)
        elif decision.deed is Deed.PAUSE:
            services.pauses.pause(decision.batch_id, Pause(_moment_of(decision), "somebody"))
        elif decision.deed is Deed.RESUME:
            services.pauses.resume(decision.batch_id)
        elif decision.deed is Deed.BUDGET:
            services.budgets.set(decision.batch_id, decision.usd)
        else:
            _erase_again(services, decision)
    services.erased.settle()
    return len(decisions)


def _moment_of(decision: Decision) -> datetime:
    return decision.at or datetime.now(UTC)


def _erase_again(services: DashboardServices, decision: Decision) -> None:
    """Erase what came back, but nothing of jobs that were sent since."""
    sent_since = {
        job.key[1]
        for job in services.landing.jobs()
        if job.key[0] == decision.batch_id
        and (job.at is None or decision.at is None or job.at > decision.at)
    }
    if decision.whole and not sent_since:
        erase_batch(services, decision.batch_id, decision.job_ids)
        return
    for job_id in decision.job_ids:
        if job_id not in sent_since:
            erase_job(services, (decision.batch_id, job_id))


class _Jobs:
    """Brings landed jobs and storage together, one after the other.

    Args:
        services: where jobs are read and sent.
        saved: what came before outlived storage's death.

    Attributes:
        done: what was found and done so far.
    """

    def __init__(self, services: DashboardServices, saved: datetime | None) -> None:
        self._services, self._saved = services, saved
        self._resends = Resends(services.shared_state)
        self._opened: set[tuple[str, str]] = set()
        self.done = Reconciled()

    def settle(self, jobs: Sequence[LandedJob]) -> None:
        """Bring one job's entries and storage together; the latest entry tells its run."""
        services, job = self._services, jobs[-1]
        row = read_row(services.log, job.key)
        if row is None and job.run and services.erased.covers(job.key, (job.run,), None):
            for each in jobs:
                services.landing.remove(each)
            return
        if not job.run and not any(job.id == each.id for each in services.landing.jobs()):
            return  # it was sent and erased since the entries were read: its run is not known here
        newest = {(each.photo.container, each.photo.name): each for each in jobs if each.photo}
        photos = sum(put_back(services, each, self._saved) for each in newest.values())
        self._count(landed=1, photos=photos)
        if row is None or not is_of(row, job):
            self._begin_again(job, job.run or uuid.uuid4().hex, name_of_landed(job))
        elif self._needs_nothing(row, job):
            self._count(ended=1)
        elif row.has_ended or not self._resume(row):
            self._begin_again(job, "", row.run)

    def _count(self, **more: int) -> None:
        known = vars(self.done)
        self.done = replace(self.done, **{name: known[name] + more[name] for name in more})

    def _needs_nothing(self, row: ProgressRow, job: LandedJob) -> bool:
        """Tell whether a job has ended with all its blobs, or has a run that came by others."""
        if not row.has_ended:
            return job.run not in ("", row.run)
        if self._saved is not None and row.updated is not None and row.updated < self._saved:
            return True
        return not lost_blobs(self._services, row)

    def _resume(self, row: ProgressRow) -> bool:
        """Send the message that a job's row waits for; False if what it links to is gone."""
        services = self._services
        try:
            if lost_blobs(services, row):
                return False
            message = message_from_row(row, services).noting(look=True)
        except (PermanentError, InvalidMessage) as problem:
            _logger.warning("%s", one_line(f"job {row.job_id} begins again: {problem}"))
            return False
        wait = (row.not_before - datetime.now(UTC)).total_seconds() if row.not_before else 0.0
        self._open(row.key[0])
        services.queues.send(message.current, message.encode(), delay=max(0.0, wait))
        self._count(resumed=1)
        return True

    def _begin_again(self, job: LandedJob, run: str, made_of: str) -> None:
        """Send a job's first message again.

        Args:
            job: as it landed.
            run: id of the run that it starts, so that the message that was lost is a duplicate if
                it comes after all; empty for a run of its own, which replaces one that lost its
                blobs.
            made_of: the run, or the landed entry, of which the message is made.
        """
        services = self._services
        try:
            message = decode_message(job.body, services.core_settings.default_pipeline)
        except InvalidMessage as problem:  # the file was edited by hand, or by another version
            _logger.error("%s", one_line(f"job {job.key[1]} can't be sent again: {problem}"))
            self._count(failed=1)
            return
        # It may be erased before the message is sent: the run of which it is made tells that.
        kept = message.job_definition.bookkeeping
        message = message.noting(replay_of=kept.replay_of or made_of)
        if not run:
            message = message.noting(drop="", replay="")
        elif not (kept.drop or kept.replay):  # of which the run follows from the message
            message = message.noting(replaces=run)
            self._authorise(job.key, run)
        self._open(job.key[0], job.group)
        sent = services.queues.send(message.current, message.encode())
        record_sent(services, message, run or sent, None)
        if (run or sent) != job.run:
            services.landing.sent(job, run or sent)
        self._count(begun_again=1)

    def _open(self, batch_id: str, group: str = "") -> None:
        """Make a batch known to SQL, with its group, and to the watchdog; once is enough."""
        if (batch_id, group) in self._opened:
            return
        self._opened.add((batch_id, group))
        with suppress(PermanentError):  # it is another group's by now
            self._services.batches.open_batch(batch_id, group)
        self._services.open_batches.note(batch_id, surely=True)

    def _authorise(self, key: JobKey, run: str) -> None:
        """Give the message that is going to be sent the right to stand for the lost one."""
        for _ in range(_TRIES):
            before = self._resends.of(key, run, "")
            sends = before.sends if before is not None else 0
            try:
                self._resends.note(key, Resending(run, "", sends, datetime.now(UTC)))
            except Conflict:  # it was noted twice since it was read
                self._resends = Resends(self._services.shared_state)
            else:
                return
