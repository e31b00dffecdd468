"""What a seed draws before its run begins: who takes part, and what may go wrong.

Each seed draws some kinds of faults and leaves out the others: where everything goes wrong at
once, many a fault hides behind another one.
"""

import random
from dataclasses import dataclass, replace
from enum import StrEnum

from imaginem.ports import Fusion

STEPS = (
    "looks",
    "names",
    "faces",
    "match",
    "calls",
    "waits",
    "breaks",
    "refuses",
    "large",
)
"""Steps that a pipeline may have, in this order; `report` comes last."""
TOGETHER = "compares"
"""The step over several photos, in runs that have one."""


class Fault(StrEnum):
    """What may go wrong at a call of a port."""

    REFUSED = "call failed before its effect"
    UNANSWERED = "call failed after its effect"
    REPEATED = "call repeated by the SDK after its effect"
    WORKER_DIED_BEFORE = "worker died before a call"
    WORKER_DIED_AFTER = "worker died after a call"
    INSTANCE_DIED_BEFORE = "instance died before a call"
    INSTANCE_DIED_AFTER = "instance died after a call"


class Event(StrEnum):
    """What people and the world do beside the calls of ports."""

    SUBMIT = "submitted again"
    CANCEL = "batch cancelled"
    REOPEN = "batch reopened"
    PAUSE = "batch paused"
    RESUME = "batch let go on"
    BUDGET = "budget given"
    RAISE = "budget raised"
    REPLAY = "poison replayed"
    RUN_AGAIN = "run again"
    RERUN = "run again from a step"
    ERASE = "job erased"
    ERASE_BATCH = "batch erased"
    COPY = "late copy of a message"
    COPY_FIRST = "late first message"
    FORGE = "forged bookkeeping"
    JUMP = "wall clock jumped"
    LOSE = "message lost"
    LOSE_ALL = "queue emptied by another program"
    CLEAR = "queue cleared"
    CRASH = "emulator killed"
    SEARCH = "searched photos and faces"
    IMPORT_AGAIN = "photo imported again as the same job"
    IMPORT_ELSEWHERE = "photo imported again as another job"


_ONLY_AROUND_ERASURES = frozenset({Event.SEARCH, Event.IMPORT_AGAIN, Event.IMPORT_ELSEWHERE})
_PAUSES = (Event.PAUSE, Event.PAUSE, Event.RESUME)
_BUDGETS = (Event.BUDGET, Event.RAISE)
_LOSSES = frozenset({Event.LOSE, Event.LOSE_ALL, Event.CRASH})
_UNPROMISED_OF_ERASURES = frozenset({Event.LOSE, Event.LOSE_ALL, Event.CLEAR, Event.JUMP})
_AROUND_ERASURES = (
    *(Event.ERASE, Event.ERASE, Event.ERASE, Event.ERASE_BATCH),
    *(Event.COPY, Event.COPY, Event.COPY, Event.COPY_FIRST, Event.SUBMIT),
    *(Event.REPLAY, Event.RERUN, Event.RUN_AGAIN),
    *(Event.SEARCH, Event.SEARCH, Event.SEARCH, Event.IMPORT_AGAIN, Event.IMPORT_ELSEWHERE),
)
FREQUENT = (Event.COPY, Event.COPY, Event.COPY_FIRST, Event.FORGE, Event.REPLAY)


@dataclass(frozen=True)
class Plan:
    """What one run is like.

    Attributes:
        workers: instances that take messages.
        jobs: batch id, job id and pipeline of each job that is submitted.
        fault_rate: share of the calls of ports that go wrong.
        faults: how they go wrong.
        loss_rate: share of the messages that are lost when they are sent.
        stall_rate: share of the calls after which an instance stands still, up to minutes.
        events: what happens beside, each with its moment in seconds.
        defective: share of the runs of `breaks` that raise.
        lasts: seconds that go by with faults when everything else has happened.
        watchdogs: timers that run at the same time.
        emulated: whether storage is an emulator, which may be killed.
        skewed: whether storage has a clock of its own.
        grouped: whether jobs go through a step over several photos.
    """

    seed: int
    workers: int
    jobs: tuple[tuple[str, str, tuple[str, ...]], ...]
    fault_rate: float
    faults: tuple[Fault, ...]
    loss_rate: float
    stall_rate: float
    events: tuple[tuple[float, Event], ...]
    defective: float
    lasts: float
    watchdogs: int
    emulated: bool
    skewed: bool
    grouped: bool = False

    @property
    def reuses(self) -> bool:
        """Whether outputs of pure steps are taken from earlier jobs, in every fourth run."""
        return self.seed % 4 == 3

    def without_losses(self) -> "Plan":
        """Return the plan for a run in which nobody sends lost messages again."""
        kept = tuple(event for event in self.events if event[1] not in _LOSSES)
        return replace(self, events=kept, loss_rate=0.0)

    def with_erasures(self) -> "Plan":
        """Return the plan for a run in which jobs are erased while they are on their way."""
        chance = random.Random(self.seed + 2)
        length = chance.choice((1.0, 3.0, 10.0))
        count = chance.choice((6, 12, 18))
        kinds = (*_AROUND_ERASURES, *chance.choice(((), (), (), (Event.LOSE, Event.LOSE_ALL) * 2)))
        more = ((chance.random() * length, chance.choice(kinds)) for _ in range(count))
        kept = (event for event in self.events if event[1] not in _UNPROMISED_OF_ERASURES)
        return replace(self, events=tuple(sorted((*kept, *more))), loss_rate=0.0)

    def with_groups(self) -> "Plan":
        """Return the plan for a run in which some steps work on several photos."""
        chance = random.Random(self.seed + 4)
        more = [_job(chance, number) for number in range(len(self.jobs), chance.randrange(3, 9))]
        jobs = tuple(
            (batch, job, _with_group(chance, pipeline))
            for batch, job, pipeline in (*self.jobs, *more)
        )
        return replace(self, jobs=jobs, grouped=True)


def _with_group(chance: random.Random, pipeline: tuple[str, ...]) -> tuple[str, ...]:
    at = chance.randrange(len(pipeline))
    return (*pipeline[:at], TOGETHER, *pipeline[at:])


def draw(seed: int) -> Plan:
    """Return what a seed's run is like."""
    chance = random.Random(seed)
    jobs = [_job(chance, number) for number in range(chance.choice((1, 1, 2, 2, 3)))]
    faults = tuple(fault for fault in Fault if chance.random() < 0.5) or tuple(Fault)
    apart = {*_ONLY_AROUND_ERASURES, *_PAUSES, *_BUDGETS}
    kinds = [e for e in Event if e not in apart and chance.random() < 0.5]
    kinds += [event for event in FREQUENT if event in kinds]
    length = chance.choice((1.0, 10.0, 100.0))
    count = chance.choice((0, 2, 4, 6)) if kinds else 0
    emulated = chance.random() < 0.5
    if emulated and chance.random() < 0.5:
        kinds += [Event.CRASH] * max(1, len(kinds) // 2)
    elif Event.CRASH in kinds:
        kinds.remove(Event.CRASH)
    events = [(chance.random() * length, chance.choice(kinds)) for _ in range(count)]
    events = sorted((*events, *_pauses(seed, length), *_budgets(seed, length)))
    return Plan(
        seed=seed,
        workers=chance.choice((1, 2, 2, 3, 4)),
        jobs=tuple(jobs),
        fault_rate=chance.choice((0.0, 0.01, 0.05, 0.1, 0.2)),
        faults=faults,
        loss_rate=chance.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.6)),
        stall_rate=chance.choice((0.0, 0.0, 0.01, 0.03)),
        events=tuple(events),
        defective=chance.choice((0.1, 0.5, 1.0)),
        lasts=chance.choice((0.0, 60.0, 600.0, 6000.0)),
        watchdogs=chance.choice((1, 1, 2)),
        emulated=emulated,
        skewed=not emulated and chance.random() < 0.5,
    )


def _pauses(seed: int, length: float) -> list[tuple[float, Event]]:
    """Return when batches are paused and let go on, in every third run."""
    chance = random.Random(seed + 4)
    count = chance.choice((0, 0, 0, 0, 2, 4))
    return [(chance.random() * length, chance.choice(_PAUSES)) for _ in range(count)]


def _budgets(seed: int, length: float) -> list[tuple[float, Event]]:
    """Return when batches get budgets of a few executions, and higher ones, in every third run."""
    chance = random.Random(seed + 5)
    if chance.random() < 2 / 3:
        return []
    given = [(chance.random() * 3, Event.BUDGET) for _ in range(3)]
    return [*given, (3 + chance.random() * length, chance.choice((Event.RAISE, Event.RESUME)))]


def fusions(seed: int) -> tuple[Fusion, ...]:
    """Return which steps share a delivery in a fused run: on each instance, or on all alike.

    Some runs have groups, and in some an instance is not fused, as while a setting is changed.
    """
    chance = random.Random(seed + 3)
    auto = Fusion(every=True)
    at = chance.randrange(1, len(STEPS))
    grouped = Fusion(groups=(frozenset(STEPS[:at]), frozenset((*STEPS[at:], "report"))))
    return chance.choice(((auto,), (auto,), (auto,), (grouped,), (auto, Fusion())))


def _job(chance: random.Random, number: int) -> tuple[str, str, tuple[str, ...]]:
    count = chance.choice((0, 1, 2, 3, 4))
    chosen = set(chance.sample(STEPS, count))
    if "match" in chosen:
        chosen.add("faces")
    pipeline = [name for name in STEPS if name in chosen]
    return f"batch{number % 2}", f"job{number}", (*pipeline, "report")
