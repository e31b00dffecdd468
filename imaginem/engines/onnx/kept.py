"""Keeps what is dear to make, until nobody has asked for it for a while."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

KEPT_SECONDS = 600.0
"""How long a network stays open that no step asks for."""

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Kept(Generic[KeyT, ValueT]):
    """Values by key: each is made once, and let go when it is idle.

    Who has one goes on with it: what is let go is only what is kept here.

    Args:
        later: does something after so many seconds.
        clock: returns seconds.
        after: is called when something was let go.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.monotonic,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._later, self._clock, self._after = later, clock, after
        self._values: dict[KeyT, ValueT] = {}
        self._used: dict[KeyT, float] = {}
        self._waiting = False
        self._lock = threading.Lock()

    def get(self, key: KeyT, make: Callable[[], ValueT]) -> ValueT:
        """Return the value of a key; made now if there is none. Others wait meanwhile."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
            self._used[key] = self._clock()
            self._wait()
            return self._values[key]

    def _wait(self) -> None:
        """See to it that the value that is idle for longest goes in time."""
        if self._used and not self._waiting:
            self._waiting = True
            rest = min(self._used.values()) + KEPT_SECONDS - self._clock()
            self._later(max(rest, 0), self._let_go)

    def _let_go(self) -> None:
        with self._lock:
            self._waiting = False
            idle_since = self._clock() - KEPT_SECONDS
            idle = [key for key, used in self._used.items() if used <= idle_since]
            for key in idle:
                del self._used[key], self._values[key]
            self._wait()
        if idle:
            self._after()
