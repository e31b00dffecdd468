"""Something that is done later, beside whatever goes on: a step may run for minutes."""

from collections.abc import Callable
from typing import Protocol


class Alarm(Protocol):
    """Something that is going to be done once."""

    def stop(self) -> None:
        """See that it is not done any more; if it is being done now, wait until that is over."""


class Alarms(Protocol):
    """Does things later."""

    def after(self, seconds: float, act: Callable[[], None]) -> Alarm:
        """Do something in so many seconds, unless it is stopped before; it must not raise."""
