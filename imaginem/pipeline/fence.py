"""Exactly-once effect on a job's row, at no extra read.

Queues deliver at least once. The ETag that a write returns travels in the message as its
fence (a "fencing token"), and the next step execution writes with If-Match: of two
deliveries of one message only the first changes the row. The other one reads the row and
decides between four cases:

* `DROP`: another delivery has recorded this step, and its holder sends the job on;
* `RESEND`: this delivery recorded it, but may have died before sending: send again;
* `RESUME`: the step is not recorded (it is retried, or was poisoned and replayed): go on;
* `TAKE_OVER`: there is no row, or it is of a run that does not know this one (a forged or
  outdated fence): start a new run, so that no job is lost silently.

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
from imaginem.pipeline.progress_row import ProgressRow, RowChange, read_row
from imaginem.pipeline.states import CONCLUDED
from imaginem.ports import JobKey, JobLog

_TRIES = 8


class Verdict(enum.Enum):
    """What a delivery does whose fence does not match the row; see the module's docstring."""

    DROP = enum.auto()
    RESEND = enum.auto()
    RESUME = enum.auto()
    TAKE_OVER = enum.auto()


@dataclass(frozen=True)
class Claim:
    """The right to write a job's row, held by one delivery.

    Attributes:
        run: id of the run that the job is in.
        fence: ETag that the row must still have when the step is recorded.
        delivery: id of the queue message that was delivered.
        step: queue whose turn it is.
        opening: makes what a new run of the job starts with.
        earlier: queues of the pipeline before this step.
        drop: id of the run that the message starts, where it follows from the photo or from the
            message that was lost; empty for other messages.
    """

    key: JobKey
    run: str
    fence: str
    delivery: str
    step: str
    opening: Callable[[], RowChange]
    earlier: tuple[str, ...]
    drop: str = ""


def claim_step(
    log: JobLog,
    message: JobMessage,
    delivery: str,
    opening: Callable[[], RowChange],
    *,
    look_first: bool = False,
    authorised: bool = False,
) -> Claim | None:
    """Claim the job for this delivery; the first step of a run writes the row.

    Args:
        look_first: the message was delayed or delivered before, so the job may have gone on
            without it: read the row before the step has effects elsewhere.
        authorised: the message may start the run that it `replaces`, under that run's id.

    Returns:
        None when another delivery of the same message has recorded the step.
    """
    definition = message.job_definition
    kept = definition.bookkeeping
    claim = Claim(
        key=message.key,
        run=kept.run,
        fence=kept.fence,
        delivery=delivery,
        step=message.current,
        opening=opening,
        earlier=tuple(definition.processing_pipeline[: definition.processing_step]),
        drop=kept.drop,
    )
    if not (kept.run and kept.fence):
        return _begin(log, replace(claim, fence=""), kept.replaces, authorised)
    if not look_first:
        return claim
    row = read_row(log, claim.key)
    verdict = judge(row, claim)
    if verdict is Verdict.DROP:
        return None
    if row is None or verdict is Verdict.TAKE_OVER:
        return _start_run(log, claim)
    return replace(claim, fence=row.fence)


def record_step(log: JobLog, claim: Claim, change: RowChange) -> tuple[Claim, Verdict | None]:
    """Record the result of a step execution.

    Returns:
        The claim with its new fence, and None; or, when nothing was written, the claim and
        the reason: DROP or RESEND.
    """
    properties = replace(change, delivery=claim.delivery).properties()
    for _ in range(_TRIES):
        try:
            fence = log.merge(claim.key, properties, claim.fence)
            return replace(claim, fence=fence), None
        except Conflict:
            row = read_row(log, claim.key)
            verdict = judge(row, claim)
            if verdict is Verdict.DROP:
                return claim, verdict
            if row is not None and verdict is Verdict.RESEND:
                return replace(claim, fence=row.fence), verdict
            if row is not None and verdict is Verdict.RESUME:
                claim = replace(claim, fence=row.fence)
                continue
            started = _start_run(log, replace(claim, run=""))
            if started is None:
                return claim, Verdict.DROP
            claim = started
    raise StorageUnavailable("the job's row in pipelinelogs keeps changing: it can't be recorded")


def judge(row: ProgressRow | None, claim: Claim) -> Verdict:
    """Return what a delivery does whose fence does not match the row."""
    if row is None:
        return Verdict.TAKE_OVER
    if row.run != claim.run:
        return Verdict.DROP if claim.run in row.previous_runs else Verdict.TAKE_OVER
    if row.state_of(claim.step) not in CONCLUDED:
        return Verdict.RESUME
    return Verdict.RESEND if row.delivery == claim.delivery else Verdict.DROP


def _begin(log: JobLog, claim: Claim, replaces: str, authorised: bool) -> Claim | None:
    """Start a run; one in place of a lost message's has that run's id, so that both are one run.

    A sender may have made `replaces` up: without authority it can only tell a duplicate.
    """
    if not replaces:
        return _start_run(log, claim)
    if authorised:
        return _start_run(log, replace(claim, drop=replaces))
    row = read_row(log, claim.key)
    if row is not None and judge(row, replace(claim, run=replaces)) is Verdict.DROP:
        return None
    return _start_run(log, claim)


def _start_run(log: JobLog, claim: Claim) -> Claim | None:
    """Insert the row, or take it over from an earlier run of the job."""
    fresh = not claim.fence  # most jobs are new: then no read is needed
    claim = replace(claim, run=claim.drop or claim.delivery)
    opening = replace(claim.opening(), run=claim.run, delivery=claim.delivery, previous_runs=())
    for _ in range(_TRIES):
        row = None if fresh else read_row(log, claim.key)
        fresh = False
        try:
            if row is None:
                return replace(claim, fence=log.insert(claim.key, opening.properties()))
            verdict = judge(row, claim)
            if verdict is Verdict.DROP:
                return None
            if verdict is Verdict.TAKE_OVER:
                taken = new_run(row, opening, claim.earlier)
                return replace(claim, fence=log.replace(claim.key, taken, row.fence))
            return replace(claim, fence=row.fence)  # an earlier delivery of this message died
        except Conflict:
            continue
    raise StorageUnavailable("the job's row in pipelinelogs keeps changing while a run starts")
