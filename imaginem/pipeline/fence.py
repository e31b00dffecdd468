"""Exactly-once effect on a job's log entity, at no extra read.

Queues deliver at least once. The ETag of each closing merge travels in the message as
`fence`, and the next hop merges with If-Match: of two deliveries of one message only the
first changes the entity. The loser reads it and finds out which of four cases it is:

* `DROP`: another delivery has concluded this step, and its holder sends the job on;
* `RESEND`: we concluded it ourselves, but may have died before sending: send again;
* `RESUME`: the step is not concluded (retried, poisoned and replayed): go on from here;
* `TAKE_OVER`: the entity is missing, or of a run that never knew ours (a forged or
  outdated fence): start a run, so that no job is ever lost silently.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imaginem.errors import Conflict, StorageUnavailable
from imaginem.message import JobMessage
from imaginem.names import property_name, step_properties
from imaginem.ports import JobKey, JobLog, LogEntry

_TRIES = 8
_RUNS_REMEMBERED = 20
_CONCLUDED = ("success", "failed", "skipped")


class Verdict(enum.Enum):
    """What the loser of a fence does; see the module's docstring."""

    DROP = enum.auto()
    RESEND = enum.auto()
    RESUME = enum.auto()
    TAKE_OVER = enum.auto()


@dataclass(frozen=True)
class Claim:
    """Our claim on a job's entity.

    Attributes:
        run: id of the run that the job is in.
        delivery: id of the queue message that we claim.
        step: queue whose turn it is.
        opening: properties that a new run starts with.
        earlier: queues of the pipeline before this step.
    """

    key: JobKey
    run: str
    fence: str
    delivery: str
    step: str
    opening: Mapping[str, Any]
    earlier: tuple[str, ...]


def claim_step(
    log: JobLog,
    message: JobMessage,
    delivery: str,
    opening: Mapping[str, Any],
    *,
    look_first: bool = False,
) -> Claim | None:
    """Claim the job for this delivery; the first hop of a run writes the entity.

    Args:
        look_first: the message was delayed or delivered before, so the job may have gone on
            without it: read the entity before the step has effects elsewhere.

    Returns:
        None when another delivery of the same message has concluded the step.
    """
    definition = message.job_definition
    kept = definition.bookkeeping
    claim = Claim(
        key=(definition.batch_id, definition.id),
        run=kept.run,
        fence=kept.fence,
        delivery=delivery,
        step=message.current,
        opening=opening,
        earlier=tuple(definition.processing_pipeline[: definition.processing_step]),
    )
    if not (kept.run and kept.fence):
        return _start_run(log, replace(claim, fence=""))
    if not look_first:
        return claim
    entry = log.read(claim.key)
    verdict = judge(entry, claim)
    if verdict is Verdict.DROP:
        return None
    if entry is None or verdict is Verdict.TAKE_OVER:
        return _start_run(log, claim)
    return replace(claim, fence=entry.fence)


def record_step(
    log: JobLog, claim: Claim, properties: Mapping[str, Any]
) -> tuple[Claim, Verdict | None]:
    """Record what the hop came to.

    Returns:
        The claim with its new fence, and why nothing was written: DROP or RESEND; None
        when it was recorded.
    """
    written = {**properties, "imaginem_delivery": claim.delivery}
    for _ in range(_TRIES):
        try:
            fence = log.merge(claim.key, written, claim.fence)
            return replace(claim, fence=fence), None
        except Conflict:
            entry = log.read(claim.key)
            verdict = judge(entry, claim)
            if verdict is Verdict.DROP:
                return claim, verdict
            if entry is not None and verdict is Verdict.RESEND:
                return replace(claim, fence=entry.fence), verdict
            if entry is not None and verdict is Verdict.RESUME:
                claim = replace(claim, fence=entry.fence)
                continue
            started = _start_run(log, replace(claim, run=""))
            if started is None:
                return claim, Verdict.DROP
            claim = started
    raise StorageUnavailable("the job's log entity keeps changing under this hop")


def judge(entry: LogEntry | None, claim: Claim) -> Verdict:
    """Say what a delivery does whose fence doesn't fit the entity."""
    if entry is None:
        return Verdict.TAKE_OVER
    if entry.properties.get("imaginem_run") != claim.run:
        known = claim.run in _runs(entry)
        return Verdict.DROP if known else Verdict.TAKE_OVER
    if entry.state_of(property_name(claim.step)) not in _CONCLUDED:
        return Verdict.RESUME
    mine = entry.properties.get("imaginem_delivery") == claim.delivery
    return Verdict.RESEND if mine else Verdict.DROP


def _runs(entry: LogEntry) -> list[str]:
    return str(entry.properties.get("imaginem_previous_runs", "")).split()


def _start_run(log: JobLog, claim: Claim) -> Claim | None:
    """Insert the entity, or take it over from an earlier run of the job."""
    fresh = not claim.fence  # most jobs are new: then no read is needed
    claim = replace(claim, run=claim.delivery)
    opening = {
        **claim.opening,
        "imaginem_run": claim.run,
        "imaginem_delivery": claim.delivery,
        "imaginem_previous_runs": "",
    }
    for _ in range(_TRIES):
        entry = None if fresh else log.read(claim.key)
        fresh = False
        try:
            if entry is None:
                return replace(claim, fence=log.insert(claim.key, opening))
            verdict = judge(entry, claim)
            if verdict is Verdict.DROP:
                return None
            if verdict is Verdict.TAKE_OVER:
                taken = _taken_over(entry, claim, opening)
                return replace(claim, fence=log.replace(claim.key, taken, entry.fence))
            return replace(claim, fence=entry.fence)  # an earlier delivery of this message died
        except Conflict:
            continue
    raise StorageUnavailable("the job's log entity keeps changing under its first hop")


def _taken_over(entry: LogEntry, claim: Claim, opening: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new run's properties: the opening, and what earlier steps had come to."""
    runs = [str(entry.properties.get("imaginem_run", "")), *_runs(entry)][:_RUNS_REMEMBERED]
    earlier = set().union(*(step_properties(name) for name in claim.earlier))
    kept = {name: value for name, value in entry.properties.items() if name in earlier}
    return {**kept, **opening, "imaginem_previous_runs": " ".join(run for run in runs if run)}
