"""The timer: runs the maintenance jobs every few minutes, each in a process that may die."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from imaginem.errors import ImaginemError
from imaginem.usecases.landing import sweep
from imaginem.usecases.unsent import remove_unsent
from imaginem.usecases.watchdog import Watchdog
from tests.simulation.faults import WorkerDied
from tests.simulation.ledger import Ledger
from tests.simulation.scheduler import InstanceDied, Scheduler
from tests.simulation.services import SimulatedServices
from tests.simulation.steps import Pipeline
from tests.simulation.tracing import Trace

PERIOD_SECONDS = 300.0


class Surroundings(Protocol):
    """What the timer needs of the run."""

    scheduler: Scheduler
    chance: random.Random
    services: SimulatedServices
    pipeline: Pipeline
    ledger: Ledger
    trace: Trace


class Upkeep:
    """A timer with its maintenance jobs."""

    def __init__(self, name: str, around: Surroundings, watchdog: type[Watchdog]) -> None:
        self.name, self._around, self._watchdog = name, around, watchdog

    def live(self) -> None:
        """Run them again and again."""
        while True:
            self._run(self._watch)
            self._run(lambda services: self._ignore(sweep(services)))
            self._run(lambda services: self._ignore(remove_unsent(services)))
            self._around.scheduler.pause(PERIOD_SECONDS)

    def _watch(self, services: SimulatedServices) -> None:
        period = timedelta(seconds=PERIOD_SECONDS)
        steps = self._around.pipeline.registry.names()
        self._watchdog(services, services.open_batches, period, steps).watch()

    def _ignore(self, result: object) -> None:
        """Take a result that nobody needs."""

    def _run(self, job: Callable[[SimulatedServices], None]) -> None:
        around = self._around
        me = around.scheduler.current
        around.ledger.busy += 1
        try:
            job(around.services.restarted())
        except (ImaginemError, WorkerDied) as problem:
            around.trace.note(self.name, f"{type(problem).__name__}: {problem}")
        except InstanceDied:
            if me is None or me.killed:
                raise
            around.trace.note(self.name, "died")
        finally:
            around.ledger.busy -= 1
