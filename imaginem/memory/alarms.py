"""Alarms that a test lets ring; left alone, they never do."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class MemoryAlarm:
    """Something that is done when a test says so."""

    seconds: float
    act: Callable[[], None]
    stopped: bool = False

    def stop(self) -> None:
        """See that it is not done any more."""
        self.stopped = True


@dataclass
class MemoryAlarms:
    """Keeps what is to be done later.

    Attributes:
        set: every alarm that was ever set, the latest last.
    """

    set: list[MemoryAlarm] = field(default_factory=list)

    def after(self, seconds: float, act: Callable[[], None]) -> MemoryAlarm:
        """Keep something to be done."""
        alarm = MemoryAlarm(seconds, act)
        self.set.append(alarm)
        return alarm

    def ring(self) -> None:
        """Do what was not stopped."""
        for alarm in list(self.set):  # what is done may set another one
            if not alarm.stopped:
                alarm.stopped = True
                alarm.act()
