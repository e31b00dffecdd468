"""Alarms of a simulated process: each is an actor of its own, which dies with its process."""

from collections.abc import Callable
from typing import Protocol

from tests.simulation.faults import WorkerDied
from tests.simulation.scheduler import Actor, InstanceDied, Scheduler

_A_MOMENT = 0.01


class Surroundings(Protocol):
    """What alarms need of the run."""

    scheduler: Scheduler


class SimulatedAlarm:
    """Something that is done later by the process that asked for it."""

    def __init__(self, around: Surroundings, seconds: float, act: Callable[[], None]) -> None:
        self._around, self._act = around, act
        self._stopped = self._rings = False
        self._died: BaseException | None = None
        self.actor: Actor = around.scheduler.start("alarm", self._ring, seconds)

    def _ring(self) -> None:
        if self._stopped:
            return
        self._rings = True
        try:
            self._act()
        except (WorkerDied, InstanceDied) as death:  # the process of which this is a part
            self._died = death
        finally:
            self._rings = False

    def stop(self) -> None:
        """See that it is not done any more; wait while it is being done."""
        self._stopped = True
        while self._rings:
            self._around.scheduler.pause(_A_MOMENT)
        if self._died is not None:
            raise self._died


class SimulatedAlarms:
    """The alarms of one process."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._set: list[SimulatedAlarm] = []

    def after(self, seconds: float, act: Callable[[], None]) -> SimulatedAlarm:
        """Do something later."""
        alarm = SimulatedAlarm(self._around, seconds, act)
        self._set.append(alarm)
        return alarm

    def end(self) -> None:
        """End with the process."""
        for alarm in self._set:
            self._around.scheduler.kill(alarm.actor)
        self._set = []
