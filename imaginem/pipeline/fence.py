"""Exactly-once effect on a job's row, at no extra read.

Queues deliver at least once. The ETag that a write returns travels in the message as its
fence (a "fencing token"), and the next step execution writes with If-Match: of two
deliveries of one message only the first changes the row. The other one reads the row and
decides between four cases:

* `DROP`: another delivery has recorded this step, and its holder sends the job on;
* `RESEND`: this delivery recorded it, but may have died before sending: the step does not run,
  and what the row has of it is sent;
* `RESUME`: the step is not recorded (it is retried, or was poisoned): go on. If storage has
  lost what the row had of earlier steps, they are recorded as the message carries them;
* `TAKE_OVER`: there is no row, or it is of a run that does not know this one (a forged or
  outdated fence): start a new run, so that no job is lost silently.

What was erased is none of these: its tombstone is looked for once a row was inserted, so that an
erasure which did not see the row is seen here, and whenever a row was read.

A run is called by the id of the queue message that started it. The run of a dropped photo has
its id from the blob and its ETag: what starts it may die and send again, and the second
message is then one of the same run.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from imaginem.errors import Conflict, StorageUnavailable
from imaginem.message import JobMessage
from imaginem.pipeline.openings import new_run
from imaginem.pipeline.progress_row import ProgressRow, RowChange, StepChange, read_row
from imaginem.pipeline.states import CONCLUDED
from imaginem.ports import JobErased, JobKey, JobLog

_TRIES = 8


class Verdict(enum.Enum):
    """What a delivery does whose fence does not match the row; see the module's docstring."""

    DROP = enum.auto()
    RESEND = enum.auto()
    RESUME = enum.auto()
    TAKE_OVER = enum.auto()


class AlreadyConcluded(Exception):
    """The step has been concluded before: a delivery changes nothing any more.

    Attributes:
        row: the row, if this very delivery concluded the step: it may not have sent the job on.
            None, if another delivery did.
    """

    def __init__(self, row: ProgressRow | None) -> None:
        super().__init__("the step has been concluded")
        self.row = row


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Claim:
    """The right to write a job's row, held by one delivery.

    Attributes:
        run: id of the run that the job is in.
        fence: ETag that the row must still have when the step is recorded.
        delivery: id of the queue message that was delivered.
        step: queue whose turn it is.
        opening: makes what a new run of the job starts with; of its steps, all but the last one
            are those that the message carries.
        drop: id of the run that the message starts, where it follows from the photo or from the
            message that was lost; empty for other messages.
        behind: earlier steps that the message carries and the row has lost.
        is_erased: tells whether the message is of something that was erased.
        chained: the holder has recorded steps under this claim, and goes on: whoever else changed
            the row since may have sent the job on, and let its message be deleted.
        disturbed: somebody else changed the row before the holder recorded anything.
    """

    key: JobKey
    run: str
    fence: str
    delivery: str
    step: str
    opening: Callable[[], RowChange]
    drop: str = ""
    behind: tuple[StepChange, ...] = ()
    is_erased: Callable[[], bool] = _never
    chained: bool = False
    disturbed: bool = False


def claim_step(
    log: JobLog,
    message: JobMessage,
    delivery: str,
    opening: Callable[[], RowChange],
    *,
    look_first: bool = False,
    authorised: bool = False,
    is_erased: Callable[[], bool] = _never,
) -> Claim:
    """Claim the job for this delivery; the first step of a run writes the row.

    Args:
        look_first: the message was delayed or delivered before, so the job may have gone on
            without it: read the row before the step has effects elsewhere.
        authorised: the message may start the run that it `replaces`, under that run's id.
        is_erased: tells whether the message is of something that was erased.

    Raises:
        AlreadyConcluded: the message has been delivered before, and the step is recorded.
        JobErased: it is of something that was erased; nothing is left in the log.
    """
    kept = message.job_definition.bookkeeping
    claim = Claim(
        key=message.key,
        run=kept.run,
        fence=kept.fence,
        delivery=delivery,
        step=message.current,
        opening=opening,
        drop=kept.drop,
        is_erased=is_erased,
    )
    if not (kept.run and kept.fence):
        if look_first and is_erased():  # or a row would be left if this execution dies, too
            raise JobErased
        return _begin(log, replace(claim, fence=""), kept.replaces, authorised)
    return claim_again(log, claim) if look_first else claim


def record_step(
    log: JobLog,
    claim: Claim,
    change: RowChange,
    begun_anew: Callable[[Claim], Claim] = lambda claim: claim,
) -> Claim:
    """Record the result of a step execution; return the claim with its new fence.

    Args:
        log: has the row.
        claim: of the delivery.
        change: of the row.
        begun_anew: told when the delivery had to begin a run of its own to record the step.

    Raises:
        AlreadyConcluded: another execution was quicker; nothing was written.
        JobErased: the job was erased; nothing was written.
    """
    for _ in range(_TRIES):
        steps = (*claim.behind, *change.steps)
        properties = replace(change, steps=steps, delivery=claim.delivery).properties()
        try:
            return replace(claim, fence=log.merge(claim.key, properties, claim.fence))
        except Conflict:
            known, claim = claim.run, claim_again(log, claim)
            claim = replace(claim, disturbed=True)
            if claim.run != known:
                claim = begun_anew(claim)
    raise StorageUnavailable("the job's row in pipelinelogs keeps changing: it can't be recorded")


def claim_again(log: JobLog, claim: Claim) -> Claim:
    """Read the row, and return what the delivery may do now.

    Raises:
        AlreadyConcluded: the step is recorded, or the job is in a later run.
        JobErased: the job was erased.
    """
    row = read_row(log, claim.key)
    if claim.is_erased():
        raise JobErased
    verdict = judge(row, claim)
    if row is None or verdict is Verdict.TAKE_OVER:
        return _start_run(log, claim)
    return _go_on(row, claim, verdict)


def _go_on(row: ProgressRow, claim: Claim, verdict: Verdict) -> Claim:
    """Return the claim of a delivery that resumes."""
    if verdict is Verdict.DROP:
        raise AlreadyConcluded(None)
    if verdict is Verdict.RESEND or (claim.chained and row.fence != claim.fence):
        raise AlreadyConcluded(row)
    carried = claim.opening().steps[:-1]
    behind = tuple(step for step in carried if row.state_of(step.queue) not in CONCLUDED)
    return replace(claim, fence=row.fence, behind=behind)


def call_off(log: JobLog, row: ProgressRow, delivery: str) -> ProgressRow:
    """Break the fence of whoever else works for this delivery; return the row as it is then.

    A delivery that comes again may be sent on while an earlier execution of it, taken for dead,
    goes on with the steps that follow. Its message is deleted then, so it must record no more.

    Raises:
        AlreadyConcluded: another delivery carries the job on.
    """
    for _ in range(_TRIES):
        try:
            properties = RowChange(delivery=delivery).properties()
            return row.at_fence(log.merge(row.key, properties, row.fence))
        except Conflict:
            found = read_row(log, row.key)
            if found is None or found.run != row.run:
                break  # erased, lost or begun anew: whoever delivers again finds out
            if found.delivery != delivery:
                raise AlreadyConcluded(None) from None
            row = found
    raise StorageUnavailable("the job's row in pipelinelogs keeps changing: it can't be sent on")


def judge(row: ProgressRow | None, claim: Claim) -> Verdict:
    """Return what a delivery does whose fence does not match the row."""
    if row is None:
        return Verdict.TAKE_OVER
    if row.run != claim.run:
        return Verdict.DROP if claim.run in row.previous_runs else Verdict.TAKE_OVER
    if row.state_of(claim.step) not in CONCLUDED:
        return Verdict.RESUME
    return Verdict.RESEND if row.delivery == claim.delivery else Verdict.DROP


def _begin(log: JobLog, claim: Claim, replaces: str, authorised: bool) -> Claim:
    """Start a run; one in place of a lost message's has that run's id, so that both are one run.

    A sender may have made `replaces` up: without authority it can only tell a duplicate.
    """
    if not replaces:
        return _start_run(log, claim)
    if authorised:
        return _start_run(log, replace(claim, drop=replaces))
    row = read_row(log, claim.key)
    if row is not None and judge(row, replace(claim, run=replaces)) is Verdict.DROP:
        raise AlreadyConcluded(None)
    return _start_run(log, claim)


def _start_run(log: JobLog, claim: Claim) -> Claim:
    """Insert the row, or take it over from an earlier run of the job."""
    fresh = not claim.fence  # most jobs are new: then no read is needed
    named = claim
    claim = replace(claim, run=claim.drop or claim.delivery, behind=())
    opening = replace(claim.opening(), run=claim.run, delivery=claim.delivery, previous_runs=())
    new = opening.properties()
    for _ in range(_TRIES):
        row = None if fresh else read_row(log, claim.key)
        fresh = False
        try:
            if row is None:
                return _inserted(log, replace(claim, fence=log.insert(claim.key, new)))
            if claim.is_erased():  # before a later run's row is taken over
                raise JobErased
            if named.run and row.run == named.run:  # the row has come back meanwhile
                return _go_on(row, named, judge(row, named))
            verdict = judge(row, claim)
            if verdict is not Verdict.TAKE_OVER:
                return _go_on(row, claim, verdict)  # an earlier delivery of this message died
            taken = new_run(row, opening)
            return replace(claim, fence=log.replace(claim.key, taken, row.fence))
        except Conflict:
            continue
    raise StorageUnavailable("the job's row in pipelinelogs keeps changing while a run starts")


def _inserted(log: JobLog, claim: Claim) -> Claim:
    """Return the claim on a new row, unless the job was erased before the row was there."""
    if claim.is_erased():
        log.delete(claim.key, claim.fence)
        raise JobErased
    return claim
