"""How fast many things are done in a row."""

import time
from collections.abc import Callable


class Pace:
    """Lets calls through at a rate.

    Args:
        rate: calls a second at most; 0 for as many as come.
        clock: returns seconds since any fixed moment.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        rate: float = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 1 / rate if rate > 0 else 0.0
        self._clock, self._sleep = clock, sleep
        self._begun = clock()
        self._next = self._begun

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._begun

    @property
    def next_turn(self) -> float:
        """Seconds from when it was made to the next turn."""
        return self._next - self._begun

    def wait(self) -> None:
        """Wait for the next turn; the first one comes at once, and no turn is made up for."""
        now = self._clock()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(self._next, now) + self._gap
