"""Finds jobs that stopped moving since their message is lost, and sends the message again.

A job counts as lost when nothing was heard of it for a period and its message can't be among those
on the queue. The message that is sent has the job's run and the row's fence, or names the run of
the first message that it stands for, and the row is read before its step runs: if the job had moved
all the same, or if many such messages come, they change nothing. After three of them, one ends the
job as failed, and a copy that can be replayed is kept.

What is sent is noted first, by compare-and-swap. So of two watchdogs at once only one sends, one
that dies in between costs a try, and a forged message has no authority.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from imaginem.errors import Conflict, ImaginemError, InvalidMessage, PermanentError
from imaginem.message import JobMessage
from imaginem.pipeline.gathering import GatheringJobs
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.paused_batches import messages_back
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.resending import Resending, Resends
from imaginem.pipeline.resuming import QUERY_LOST, bare_message, kept_message, message_from_row
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import DashboardServices, JobKey
from imaginem.redaction import one_line
from imaginem.usecases.at_work import at_work
from imaginem.usecases.erase import complete_erasure
from imaginem.usecases.progress import read_batch
from imaginem.usecases.queue_views import QueueViews
from imaginem.usecases.unsent import withdraw

SENDS = 3
"""Messages that are sent in place of a lost one before one ends the job."""
PATIENCE = 4
"""Periods to wait instead of one while messages of the queue are hidden, or in a fused run of one
before it: they are being worked on or delayed, and one of them may be the job's. With the usual
period that is twice the time that a function may run on Azure (`functionTimeout` in host.json)."""
_SLACK = timedelta(minutes=1)
"""A message is put on its queue after its row was written; by how much later at most."""
_FORGOTTEN_AFTER = timedelta(days=1)
_REASON_LIMIT = 300

_logger = logging.getLogger("imaginem.watchdog")


@dataclass(frozen=True)
class _Waiting:
    """A job that waits for a message.

    Attributes:
        fence: of its row; empty if the run has no row yet.
        since: when it was heard of last, or when its delayed message comes.
        earlier: queues before that one: a message of theirs may have brought the job here.
    """

    key: JobKey
    run: str
    fence: str
    queue: str
    since: datetime
    earlier: tuple[str, ...] = ()


class Watchdog:
    """Finds jobs of open batches whose message is lost, and sends it again.

    Args:
        services: where jobs are read and messages are sent.
        open_batches: says at which batches to look.
        period: after which a job without a sign of its message counts as lost.
        served: names of the steps that the app has; empty if they are not known.
        now: returns the current moment.
    """

    def __init__(
        self,
        services: DashboardServices,
        open_batches: NotedBatches,
        period: timedelta,
        served: Collection[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._services = services
        self._open_batches = open_batches
        self._period = period
        self._served = served
        self._now = now

    def watch(self) -> None:
        """Look at every open batch once.

        Raises:
            ImaginemError: the first problem, once all batches have been looked at.
        """
        batches = self._open_batches.noted()
        if not batches:
            return
        resends = Resends(self._services.shared_state)
        self._resumed = self._services.pauses.resumed()
        queues = QueueViews(self._services.queues)
        problems: list[ImaginemError] = []
        for batch_id in batches:
            try:
                problems += self._watch_batch(batch_id, resends, queues)
            except ImaginemError as problem:
                problems.append(problem)
        resends.forget(self._now() - _FORGOTTEN_AFTER)
        GatheringJobs(self._services.shared_state).forget(self._now() - _FORGOTTEN_AFTER)
        for told in problems:
            _logger.warning("%s", one_line(str(told)))
        if problems:
            raise problems[0]

    def _watch_batch(
        self, batch_id: str, resends: Resends, queues: QueueViews
    ) -> list[ImaginemError]:
        services = self._services
        if services.pauses.paused_for(batch_id) is not None:
            return []  # its messages are hidden on their queues, for longer than a period
        names = set(services.core_settings.default_pipeline)
        rows = {row.job_id: row for row in read_batch(services.log, batch_id, names)}
        working = at_work(services, batch_id, rows.values())
        if not working:
            self._open_batches.close(batch_id)
            return []
        waiting = [
            *(_at_step(row) for name, row in rows.items() if working.get(name) == JobState.RUNNING),
            *self._queued(batch_id, working),
        ]
        back = messages_back(batch_id, self._resumed)  # if it was paused
        late = (replace(job, since=max(job.since, back)) for job in waiting)
        overdue = [job for job in late if self._now() - job.since >= self._period]
        problems: list[ImaginemError] = []
        for job in overdue:
            try:
                self._look_after(job, resends, queues)
            except ImaginemError as problem:
                problems.append(problem)
        return problems + self._unserved(batch_id, overdue)

    def _queued(self, batch_id: str, working: dict[str, str]) -> list[_Waiting]:
        """Return the jobs whose first message has not been taken yet.

        A submission without a run was never answered: its sender died before the message was sent,
        or a moment later, and then the job has a row as soon as its message is taken.
        """
        waiting: list[_Waiting] = []
        for name, sent in self._services.submissions.submissions(batch_id).items():
            key = (batch_id, name)
            if working.get(name) != "queued":
                continue
            if sent.run and sent.queue:
                waiting.append(_Waiting(key, sent.run, "", sent.queue, sent.since))
            elif not sent.run and self._now() - sent.since >= self._period * PATIENCE:
                withdraw(self._services, key)
        return waiting

    def _unserved(self, batch_id: str, overdue: list[_Waiting]) -> list[ImaginemError]:
        """Return what to tell of jobs on queues from which nobody takes messages."""
        served = {"", *self._served} if self._served else {job.queue for job in overdue}
        queues = {job.queue for job in overdue} - served
        return [
            PermanentError(
                f"jobs of batch {batch_id} wait on the queue {queue}, but no step here serves it: "
                f"add that step, or end the jobs with `imaginem clear {queue}`"
            )
            for queue in sorted(queues)
        ]

    def _look_after(self, job: _Waiting, resends: Resends, queues: QueueViews) -> None:
        """Send a job's message again if it is lost, and if that was not done a moment ago."""
        if not job.queue:
            raise PermanentError(
                f"the row of job {job.key[1]} in batch {job.key[0]} says that the job is running, "
                "but names no step that it waits for: was it edited by hand?"
            )
        noted = resends.of(job.key, job.run, job.fence)
        seen = queues.view(job.queue)
        now = self._now()
        last = noted.last if noted is not None and noted.last <= now else job.since
        if seen.oldest is not None and seen.oldest <= last + _SLACK:
            return  # its message may be among those that wait
        if now - last < self._period * (PATIENCE if self._may_be_held(job, queues) else 1):
            return
        if self._services.erased.covers(job.key, (job.run,), None):
            complete_erasure(self._services, job.key)
            return
        try:
            message = self._message(job)
            ends = ""
        except (PermanentError, InvalidMessage) as problem:
            message = self._bare(job)
            ends = _reason(f"it can't be made again: {problem}")
        replays = message.job_definition.bookkeeping.replay_of if message is not None else ""
        if self._services.erased.covers(job.key, (job.run, replays), None):
            complete_erasure(self._services, job.key)
        elif message is not None:
            self._send(job, message, noted.sends if noted else 0, ends, resends)

    def _may_be_held(self, job: _Waiting, queues: QueueViews) -> bool:
        """Tell whether somebody may be working on the job's message, or it may be delayed.

        In a fused run that is a message of an earlier step's queue.
        """
        fused = not self._services.core_settings.fusion.is_off
        names = (job.queue, *job.earlier) if fused else (job.queue,)
        return any(queues.view(name).hidden for name in names)

    def _send(
        self, job: _Waiting, message: JobMessage, sends: int, ends: str, resends: Resends
    ) -> None:
        """Note what is sent, then send it; nothing is sent if another watchdog was quicker."""
        batch_id, job_id = job.key
        kept = message.job_definition.bookkeeping
        stopped = self._services.cancellations.is_cancelled(batch_id)
        lacks_photo = kept.image_error == QUERY_LOST and not stopped
        if sends >= SENDS and not ends:
            ends = _reason(QUERY_LOST if lacks_photo else f"sent {SENDS} times, taken by nobody")
        holds_back = lacks_photo and not ends  # its copy would fail a photo that is being fetched
        count = SENDS if holds_back else min(sends + 1, SENDS)
        try:
            resends.note(job.key, Resending(job.run, job.fence, count, self._now(), ends))
        except Conflict:
            return
        if holds_back:
            return
        sent = message.noting(ends=ends) if ends else message
        self._services.queues.send(job.queue, sent.encode())
        outcome = "ended" if ends else "sent"
        self._services.telemetry.count("imaginem.resent", step=job.queue, outcome=outcome)
        _logger.warning(
            "a message of the queue %s was lost: it is sent %s",
            job.queue,
            "to end its job" if ends else f"again, {count} of {SENDS}",
            extra={"batch_id": batch_id, "job_id": job_id},
        )

    def _message(self, job: _Waiting) -> JobMessage | None:
        """Return the message that a job waits for; None if the job has moved.

        Raises:
            PermanentError: what it is made of is gone.
            InvalidMessage: what was kept is no message.
        """
        if not job.fence:
            text = self._services.submissions.message(job.key)
            message = kept_message(text, job.key, self._services)
            return message.noting(replaces=job.run) if message else None
        row = self._row(job)
        return message_from_row(row, self._services).noting(look=True) if row else None

    def _bare(self, job: _Waiting) -> JobMessage | None:
        """Return as much of the message as its job's row tells; None if there is no such row."""
        row = self._row(job) if job.fence else None
        return bare_message(row, self._services).noting(look=True) if row else None

    def _row(self, job: _Waiting) -> ProgressRow | None:
        row = read_row(self._services.log, job.key)
        return row if row is not None and row.fence == job.fence else None


def _at_step(row: ProgressRow) -> _Waiting:
    """Return what a job at work waits for; a delayed message is not expected before it comes."""
    since = row.updated or datetime.min.replace(tzinfo=UTC)
    delayed = (StepState.RETRYING, StepState.GATHERING)
    if row.not_before is not None and row.state_of(row.current) in delayed:
        since = max(since, row.not_before)
    names = row.pipeline
    earlier = names[: names.index(row.current)] if row.current in names else []
    return _Waiting(row.key, row.run, row.fence, row.current, since, tuple(earlier))


def _reason(text: str) -> str:
    return one_line(f"lost: {text}", _REASON_LIMIT)
