"""Until when something may take, as a whole."""

import time
from collections.abc import Callable

Clock = Callable[[], float]


class Deadline:
    """A time after which whatever is still going on is given up.

    Args:
        seconds: from now on.
        clock: tells the time; it never goes backwards.
    """

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def has_passed(self) -> bool:
        """Whether there is no time left."""
        return self._clock() >= self._end

    def left(self, most: float | None = None) -> float:
        """Return the seconds that one operation may take.

        Args:
            most: that it may take however much is left.

        Raises:
            TimeoutError: the deadline has passed.
        """
        remaining = self._end - self._clock()
        if remaining <= 0:
            raise TimeoutError("the whole took too long")
        return min(remaining, most or remaining)
