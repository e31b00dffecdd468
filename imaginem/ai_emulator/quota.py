"""A strict quota: no more than so many calls in any second."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable


class Quota:
    """Counts calls in a sliding window of one second.

    Attributes:
        calls: how many were made.
        refused: how many of them were over the quota.
        filled_in: seconds until the calls of the month are filled up again; 0 if some are left.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = 1.0 if per_second >= 1 or not per_second else 1 / per_second
        self._most = max(math.floor(per_second), 1) if per_second else 0
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()
        self.calls = self.refused = 0
        self.filled_in = 0

    def admit(self) -> int:
        """Return 0 if there is room for a call, else the seconds to wait."""
        now = self._clock()
        with self._lock:
            self.calls += 1
            while self._times and self._times[0] <= now - self._window:
                self._times.popleft()
            if self._most and len(self._times) >= self._most:
                self.refused += 1
                return max(math.ceil(self._times[0] + self._window - now), 1)
            self._times.append(now)
            return 0
