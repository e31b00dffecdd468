"""One run: what a seed draws is played, comes to rest, and is looked at."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from imaginem import JobContext
from imaginem.errors import NotFound
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import CONCLUDED, JobState, StepState
from imaginem.ports import Fusion, JobKey, PoisonEntry
from imaginem.usecases.budgets import set_budget
from imaginem.usecases.final_sweep import sweep_finally
from imaginem.usecases.poison import replay_entry
from imaginem.usecases.rerun import prepare_rerun, rerun_job
from tests.simulation import invariants
from tests.simulation.clock import Clock, simulated_time
from tests.simulation.faults import Faults
from tests.simulation.host import POISON
from tests.simulation.known import known
from tests.simulation.ledger import BrokenInvariant, Ledger
from tests.simulation.machine import Machine, Variant
from tests.simulation.people import RAISED, Person
from tests.simulation.plan import STEPS, Event, Plan, draw, fusions
from tests.simulation.scheduler import Scheduler
from tests.simulation.services import SimulatedServices, Stores
from tests.simulation.steps import Pipeline
from tests.simulation.stores import LooseQueues, MarkedLanding
from tests.simulation.tracing import Trace, shortened

_REST = 12 * 3600.0
"""Seconds after the last fault in which everything must have come to rest."""
_LOOK = 600.0

PIPELINE = Pipeline()


AS_IT_IS = Variant()


@dataclass
class Report:
    """How a run went.

    Attributes:
        broken: the invariant that does not hold; empty if all do.
        known: the same, where `known.py` names the fault.
        happened: what there was of everything.
        trace: what happened, line by line, if it was asked for.
    """

    seed: int
    broken: str = ""
    known: str = ""
    happened: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


class World:
    """A run with all that belongs to it.

    Attributes:
        is_watched: whether a watchdog looks after jobs that stopped moving.
        healthy: whether every step does its work, for the end of a run.
        executed: how many step executions there were.
    """

    def __init__(
        self,
        plan: Plan,
        variant: Variant = AS_IT_IS,
        *,
        traced: bool = False,
        fused: bool = False,
        pipeline: Pipeline = PIPELINE,
    ) -> None:
        self.plan = plan
        self._fusions = fusions(plan.seed) if fused else (Fusion(),)
        if variant.watchdog is None:  # it mends what a change of the setting may break
            self._fusions = self._fusions[:1]
        self.clock = Clock()
        self.chance = random.Random(plan.seed + 1)
        if plan.skewed:
            self.clock.skew = self.chance.uniform(-120.0, 120.0)
        self.queues = LooseQueues(self.clock, self.chance)
        self.scheduler = Scheduler(self.clock, self.chance, self._next_message)
        self.trace = Trace(self.clock.read, traced)
        self.faults = Faults(plan, self.chance, self.scheduler, self.trace)
        self.stores = Stores(
            self.queues,
            variant.log(),
            MarkedLanding(self.clock),
            sql=variant.sql(),
        )
        self.ledger = Ledger()
        self.happened = self.ledger.happened
        self.queues.on_send = self._sent
        self.queues.loses = self.faults.loses_message
        self.stores.log.on_change = self.ledger.changed
        self.services = SimulatedServices(self, plan.emulated)
        self.pipeline = pipeline
        self.machine = Machine(self, variant)
        self._settles = variant.settles
        self.is_watched = variant.watchdog is not None
        self.healthy = False
        self.executed = 0

    def fusion_of(self, instance: str) -> Fusion:
        """Return which steps share a delivery on an instance."""
        return self._fusions[int(instance.rpartition("-")[2]) % len(self._fusions)]

    def play(self) -> None:
        """Play the plan, let everything come to rest, and look.

        Raises:
            BrokenInvariant: something does not hold.
        """
        self.pipeline.around = self
        self.machine.start()
        self.machine.start_saving()
        for batch, job, pipeline in self.plan.jobs:
            submit = self._submission((batch, job), pipeline)
            self.scheduler.start("people", submit, self.chance.random() * 2)
        for moment, event in self.plan.events:
            self.scheduler.start("people", self._event(event), moment)
        last = max((moment for moment, _ in self.plan.events), default=0.0)
        self.scheduler.run(until=max(last, 2.0) + self.plan.lasts)
        self.come_to_rest()
        invariants.check(self)
        self._replay_everything()
        self._run_again_what_was_not_kept()
        invariants.check(self)
        self._sweep_finally()
        invariants.check(self)

    def come_to_rest(self) -> None:
        """Stop all faults, and let the clock run until nothing is left to do."""
        self.trace.note(
            "world", "nothing goes wrong from now on; no batch is paused, budgets are raised"
        )
        self.faults.on = False
        self._settle()

    def _settle(self) -> None:
        """Let the clock run until every job has ended, but not for ever."""
        self.machine.save_all()
        latest = self.clock.seconds + _REST
        while self.clock.seconds < latest:
            for batch in sorted({name for name, _, _ in self.plan.jobs}):
                if self.services.budgets.of(batch, anew=True) is not None:
                    set_budget(self.services, batch, RAISED)
                self.services.pauses.resume(batch)
            self.scheduler.run(until=self.clock.seconds + _LOOK)
            if not (self.queues.left() or self.ledger.busy or invariants.at_work(self)):
                return

    def _replay_everything(self) -> None:
        """Mend every step, open every batch, and replay each poisoned message."""
        self.trace.note("world", "every step does its work; what is poisoned is replayed")
        self.healthy = True
        for batch in sorted({name for name, _, _ in self.plan.jobs}):
            self.services.cancellations.reopen(batch)
        self.scheduler.run(until=self.clock.seconds + 60)
        for entry in self.stores.poison.list():
            half_erased = invariants.is_half_erased(self, (entry.batch_id, entry.job_id))
            if half_erased or self.stores.poison.read(entry.queue, entry.id) is None:
                continue
            self.trace.note("world", f"replays {entry.queue} {entry.id}: {entry.reason}")
            try:
                done = replay_entry(self.services, entry, force=True).done
            except NotFound:
                self.trace.note("world", "its job was erased: the entry is removed")
                continue
            self._settle()
            if not done:
                self._check_replayed(entry)
        left = [
            entry
            for entry in self.stores.poison.list()
            if not invariants.is_half_erased(self, (entry.batch_id, entry.job_id))
        ]
        if left:
            raise BrokenInvariant(
                f"{left[0].queue} {left[0].id} can't be replayed: {left[0].reason}"
            )

    def _run_again_what_was_not_kept(self) -> None:
        """Run again, from its step, each job whose poisoned message was lost before it was kept."""
        for entry in self.stores.log.rows():
            row = ProgressRow(entry)
            poisoned = [name for name in row.pipeline if row.state_of(name) is StepState.POISONED]
            half_erased = invariants.is_half_erased(self, row.key)
            if not poisoned or half_erased or self._may_lack_its_photo(row.key):
                continue
            wanted = prepare_rerun(self.services, row.key[0], poisoned[0], {})
            rerun_job(self.services, row.key, wanted)
            self._settle()
            again = read_row(self.stores.log, row.key)
            if again is None or again.job_state is not JobState.SUCCEEDED:
                raise BrokenInvariant(f"{row.key} did not succeed when it was run again")
            self.happened["jobs run again whose poison was lost"] += 1

    def _sweep_finally(self) -> None:
        """Look once more through what was erased, hours later; receipts are final then."""
        later = datetime.now(UTC) + timedelta(hours=6)  # clocks jumped by three
        self.happened["receipts made final"] += sweep_finally(self.services, STEPS, later)
        planned = self.stores.shared_state.list("sweep-")
        if planned:
            raise BrokenInvariant(f"ids of what was erased stay after the final sweep: {planned}")

    def _may_lack_its_photo(self, key: JobKey) -> bool:
        """Tell whether a job was erased, or the emulator died over a photo that nobody accepted."""
        unaccepted = key not in self.ledger.accepted and bool(self.happened["emulator died"])
        return unaccepted or key in self.ledger.touched

    def _check_replayed(self, entry: PoisonEntry) -> None:
        if self._may_lack_its_photo((entry.batch_id, entry.job_id)):
            return
        row = read_row(self.stores.log, (entry.batch_id, entry.job_id))
        state = row.state_of(entry.queue) if row else StepState.WAITING
        if state not in CONCLUDED or state is StepState.FAILED:
            raise BrokenInvariant(f"{entry.queue} of {entry.job_id} is {state} after its replay")
        self.happened["poison entries replayed to success"] += 1

    def _submission(self, key: JobKey, pipeline: tuple[str, ...]) -> Callable[[], None]:
        return lambda: Person(self).submit(key, pipeline)

    def _event(self, event: Event) -> Callable[[], None]:
        return lambda: Person(self).act(event)

    def end(self) -> None:
        """End every process."""
        self.scheduler.end()

    def _sent(self, message_id: str, body: str) -> None:
        self.ledger.sent(message_id, body)
        self.machine.sent(body)

    def _next_message(self) -> float:
        return self.queues.next_visible()

    def executes(self, job: JobContext, name: str) -> int:
        """Note that a step runs."""
        self.executed += 1
        if not self._settles:
            job._settle = lambda name: None
        row = read_row(self.stores.log, job.key)
        run = job._message.job_definition.bookkeeping.run
        if row is not None and row.run == run and row.state_of(name) in CONCLUDED:
            self.happened["executions of recorded steps"] += 1
        return self.executed

    def sees(self, keys: Sequence[JobKey]) -> None:
        """Check that jobs which a step sees at once may be seen together.

        Raises:
            BrokenInvariant: they may not.
        """
        self.happened["calls for several photos" if len(keys) > 1 else "calls for one photo"] += 1
        if len(set(keys)) < len(keys) or len({batch for batch, _ in keys}) > 1:
            raise BrokenInvariant(f"a step saw these together: {keys}")

    def wrote(self, key: JobKey) -> None:
        """Check that SQL took nothing of a job that was erased.

        Raises:
            BrokenInvariant: it did.
        """
        if key in self.ledger.erased and not invariants.may_have_unknown_runs(self):
            raise BrokenInvariant(f"{key} was erased, but a step that was at work wrote into SQL")

    def happens(self, what: str) -> bool:
        """Tell whether a step fails this time."""
        if self.healthy:
            return False
        rate = self.plan.defective if what in ("defect", "permanent error") else 0.5
        fails = self.chance.random() < rate
        if fails:
            self.happened[f"steps: {what}"] += 1
        return fails

    def ended(self, queue: str, outcome: str) -> None:
        """Note how a delivery ended."""
        kind = "poison deliveries" if queue.endswith(POISON) else "deliveries"
        self.happened[f"{kind}: {outcome}"] += 1


@contextmanager
def silence() -> Iterator[None]:
    """Keep the log of what goes wrong on purpose to ourselves."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def run(
    seed: int,
    variant: Variant = AS_IT_IS,
    *,
    traced: bool = False,
    erasing: bool = False,
    fused: bool | None = None,
    grouped: bool = False,
) -> Report:
    """Play a seed.

    Args:
        seed: decides all that is drawn.
        variant: the protocol.
        traced: whether the report has every call.
        erasing: whether jobs are erased again and again meanwhile.
        fused: whether steps share deliveries; by default, they do on odd seeds.
        grouped: whether jobs go through a step over several photos.
    """
    plan = draw(seed) if variant.watchdog else draw(seed).without_losses()
    plan = plan.with_erasures() if erasing else plan
    plan = plan.with_groups() if grouped else plan
    world = World(plan, variant, traced=traced, fused=bool(seed % 2) if fused is None else fused)
    report = Report(seed, happened=world.happened, trace=world.trace.lines)
    world.trace.note("world", f"{plan}")
    with simulated_time(world.clock, seed), silence():
        try:
            world.play()
        except BrokenInvariant as problem:
            report.broken = shortened(str(problem))
        except Exception as problem:
            report.broken = shortened(f"{type(problem).__name__}: {problem}")
            if traced:
                raise
        finally:
            world.end()
    if why := known(report.broken):
        report.broken, report.known = "", report.broken
        report.happened[f"known fault: {why}"] += 1
    report.happened["step executions"] = world.executed
    report.happened.update(world.faults.happened)
    return report
