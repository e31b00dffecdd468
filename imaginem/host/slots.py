"""The places of the workers: when a dead one is replaced, and when a start is given up."""

import time

_LONGEST_DELAY = 10.0
_DEATHS_IN_START = 5
"""Deaths in a row after which a start is given up."""


class Slots:
    """Counts the deaths on each place. Not safe for threads by itself.

    Args:
        count: number of workers.

    Attributes:
        refusal: why the app can't be loaded, as a worker said; empty if none did.
    """

    def __init__(self, count: int) -> None:
        numbers = range(1, count + 1)
        self._deaths = dict.fromkeys(numbers, 0)
        self._due = dict.fromkeys(numbers, 0.0)
        self._last_end = ""
        self.refusal = ""

    def missing(self, there: set[int]) -> list[int]:
        """Return the places on which a worker is to be started now."""
        now = time.monotonic()
        return [number for number, due in self._due.items() if number not in there and due <= now]

    def worked(self, number: int) -> None:
        """Note that a worker has run a function."""
        self._deaths[number] = 0

    def ended(self, number: int, how: str) -> float:
        """Note that a worker has ended; return the seconds until the next one starts."""
        self._last_end = how
        self._deaths[number] += 1
        delay: float = min(0.1 * 2.0 ** min(self._deaths[number], 10), _LONGEST_DELAY)
        self._due[number] = time.monotonic() + delay
        return delay

    def problem(self) -> str:
        """Return why the app can't be started; empty while it may be."""
        if self.refusal:
            return f"function_app.py can't be loaded: {self.refusal}"
        number, deaths = max(self._deaths.items(), key=lambda slot: slot[1])
        if deaths < _DEATHS_IN_START:
            return ""
        return (
            f"worker {number} ended {deaths} times while it started, at last with "
            f"{self._last_end}: the lines above may say why; is there enough memory?"
        )
