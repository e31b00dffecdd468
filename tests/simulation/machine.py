"""The processes of a run: instances of the host, timers, and the emulator of storage."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from imaginem.errors import ImaginemError
from imaginem.memory.stores import MemoryStores
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.ports import Fusion
from imaginem.usecases.reconcile import reconcile
from imaginem.usecases.watchdog import Watchdog
from tests.simulation.clock import Clock
from tests.simulation.emulator import SAVE_SECONDS, Books
from tests.simulation.faults import Faults, WorkerDied
from tests.simulation.host import Instance
from tests.simulation.ledger import BrokenInvariant, Ledger
from tests.simulation.plan import Plan
from tests.simulation.scheduler import Actor, InstanceDied, Scheduler
from tests.simulation.services import SimulatedServices, Stores
from tests.simulation.steps import Pipeline
from tests.simulation.stores import LooseQueues, WatchedLog
from tests.simulation.tracing import Trace
from tests.simulation.upkeep import PERIOD_SECONDS, Upkeep

_RESTART_SECONDS = 2.0
_LONGEST_DOWN = 10.0


@dataclass(frozen=True)
class Variant:
    """The protocol that is played; the tests break it in one place each.

    Attributes:
        log: keeps the rows.
        instance: takes the messages.
        watchdog: looks after jobs that stopped moving; without one, no message is lost.
        sql: makes what is kept in SQL.
        waits_for_reconciler: whether instances stop before the reconciler begins.
        settles: whether an output is recorded before a step reads it.
    """

    name: str = "as it is"
    log: type[WatchedLog] = WatchedLog
    instance: type[Instance] = Instance
    watchdog: type[Watchdog] | None = Watchdog
    sql: Callable[[], MemoryStores] = MemoryStores
    waits_for_reconciler: bool = True
    settles: bool = True


class Surroundings(Protocol):
    """What the processes need of the run."""

    plan: Plan
    clock: Clock
    scheduler: Scheduler
    chance: random.Random
    queues: LooseQueues
    pipeline: Pipeline
    services: SimulatedServices
    stores: Stores
    ledger: Ledger
    faults: Faults
    trace: Trace
    happened: Counter[str]

    def fusion_of(self, instance: str) -> Fusion:
        """Return which steps share a delivery on an instance."""

    def ended(self, queue: str, outcome: str) -> None:
        """Note how a delivery ended."""


class Machine:
    """Starts processes, starts them again, and lets the emulator die.

    Attributes:
        instances: by name, each with its actor.
    """

    def __init__(self, around: Surroundings, variant: Variant) -> None:
        self._around, self._variant = around, variant
        self._books = Books(around.stores, around.clock)
        self._timers: list[Actor] = []
        self._recovery: Actor | None = None
        self.instances: dict[str, tuple[Instance, Actor]] = {}

    def start(self) -> None:
        """Start every instance and timer."""
        plan = self._around.plan
        for number in range(plan.workers):
            self._start(f"instance-{number}")
        for number in range(plan.watchdogs if self._variant.watchdog else 0):
            self._keep_up(f"watchdog-{number}")

    def start_saving(self) -> None:
        """Let the emulator save its books from time to time."""
        if self._around.plan.emulated:
            self._around.scheduler.start("emulator", self._save)

    def _save(self) -> None:
        number = 0
        while self._around.faults.on:
            self._around.scheduler.pause(self._around.chance.random() * SAVE_SECONDS)
            self._books.save(number)
            number += 1

    def save_all(self) -> None:
        """Let storage have saved everything."""
        self._books.save_all()

    def _keep_up(self, name: str) -> None:
        assert self._variant.watchdog is not None
        upkeep = Upkeep(name, self._around, self._variant.watchdog)
        first = self._around.chance.random() * PERIOD_SECONDS
        self._timers.append(self._around.scheduler.start(name, upkeep.live, first))

    def _start(self, name: str, delay: float = 0.0) -> None:
        """Start an instance; when it dies, another one takes its place."""
        around = self._around
        instance = self._variant.instance(name, around)

        def live() -> None:
            try:
                instance.live()
            finally:
                mine = self.instances.get(name, (None,))[0] is instance
                if mine and not around.scheduler.is_over:
                    around.happened["instances that died"] += 1
                    self._start(name, _RESTART_SECONDS)

        self.instances[name] = (instance, around.scheduler.start(name, live, delay))

    def emulator_dies(self) -> None:
        """Let the emulator forget what it has not saved, and come back."""
        around = self._around
        around.happened["emulator died"] += 1
        around.trace.note("emulator", "!! dies")
        if self._variant.waits_for_reconciler:
            self._stop()
        if self._recovery is not None:
            around.scheduler.kill(self._recovery)
        self._books.fall_back()
        around.faults.down = True
        down = around.chance.random() * _LONGEST_DOWN
        self._recovery = around.scheduler.start("host", self._come_back, down)

    def _stop(self) -> None:
        """Kill every instance and timer."""
        actors = [actor for _, actor in self.instances.values()] + self._timers
        self.instances, self._timers = {}, []
        for actor in actors:
            self._around.scheduler.kill(actor)

    def _come_back(self) -> None:
        """Reconcile, again until it was done, then start the instances."""
        around = self._around
        around.faults.down = False
        around.ledger.busy += 1
        try:
            self._until_done(lambda: self._reconcile(around.services.restarted()))
        finally:
            around.ledger.busy -= 1
        self._recovery = None
        if self._variant.waits_for_reconciler:
            self.start()

    def _reconcile(self, services: SimulatedServices) -> None:
        done = reconcile(services)
        self._around.happened["jobs that the reconciler sent again"] += (
            done.resumed + done.begun_again
        )
        self._around.happened["photos that were put back"] += done.photos

    def _until_done(self, action: Callable[[], None]) -> None:
        around = self._around
        me = around.scheduler.current
        while True:
            try:
                action()
                return
            except (ImaginemError, WorkerDied) as problem:
                around.trace.note("host", f"{type(problem).__name__}: {problem}")
            except InstanceDied:
                if me is None or me.killed:
                    raise
                around.trace.note("host", "died")
            around.scheduler.pause(_RESTART_SECONDS)

    def sent(self, body: str) -> None:
        """Check that the reconciler sends nothing that is being worked on.

        Raises:
            BrokenInvariant: it does.
        """
        around = self._around
        if self._recovery is None or around.scheduler.current is not self._recovery:
            return
        for instance, actor in self.instances.values():
            item = instance.in_hand
            if item is not None and not actor.killed and ids_in(item.body) == ids_in(body):
                raise BrokenInvariant(f"the reconciler sends what {instance.name} is working on")
