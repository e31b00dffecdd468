"""Keeps the calls of all instances to a service under its quota.

Every call takes a slot, a moment in time; slots are `1 / rate` seconds apart. All instances share
the time of the next free slot and change it by compare-and-swap. So a thousand queued photos make
a steady stream of calls instead of a thousand refusals.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable

from imaginem.errors import Busy, Conflict, StorageUnavailable
from imaginem.ports import SharedState

_HEADROOM = 0.95
"""Share of the quota that is used, since calls arrive less evenly than they are sent."""
_LATE = 0.2
"""Seconds after which an unused slot is dropped: used later, it would be too near to the next."""
_TRIES = 60
_LONGEST_HOLD = 300.0
_LONGEST_WAIT = 300.0
_FARTHEST = _LONGEST_HOLD + _LONGEST_WAIT + 120.0
"""Seconds from now within which every slot lies; a time beyond is not to be believed."""


class Pacer:
    """Gives out the slots of one service.

    Args:
        shared_state: where the time of the next free slot is kept, under the name.
        name: of the service.
        per_second: calls that the service accepts; 0 for no pacing.
        patience: seconds that a call waits here at most; for longer its message goes back to its
            queue.
        clock: seconds since the epoch; instances' clocks must agree to some tenths of a second.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        shared_state: SharedState,
        name: str,
        per_second: float,
        *,
        patience: float = 20.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._shared_state = shared_state
        self._name = name
        self._gap = 1 / (per_second * _HEADROOM) if per_second else 0.0
        self._patience = patience
        self._clock, self._sleep = clock, sleep
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._slots: deque[float] = deque()
        self._known: tuple[float, str] | None = None
        self._held_until = 0.0

    def wait(self, *, wait_for_quota: bool = False) -> None:
        """Wait for a slot.

        Args:
            wait_for_quota: wait up to five minutes if need be.

        Raises:
            Busy: the next free slot is too far away.
            StorageUnavailable: the shared state can't be reached.
        """
        if not self._gap:
            return
        deadline = self._clock() + (_LONGEST_WAIT if wait_for_quota else self._patience)
        while True:
            slot = self._take(deadline)
            delay = slot - self._clock()
            if delay > 0:
                self._sleep(delay)
            if slot >= self._held_until:  # else the service refused another call while we waited
                return

    def _take(self, deadline: float) -> float:
        with self._count:
            self._waiting += 1
        try:
            with self._turn:
                return self._next_slot(deadline)
        finally:
            with self._count:
                self._waiting -= 1

    def hold_off(self, seconds: float) -> None:
        """Make all instances wait for some seconds: the service said that its quota is used up."""
        if not self._gap:
            return
        until = self._clock() + min(seconds, _LONGEST_HOLD)
        with self._turn:
            self._held_until = max(self._held_until, until)
            self._slots.clear()
            self._swap(lambda free: (max(free, until), None))

    def _next_slot(self, deadline: float) -> float:
        now = self._clock()
        while self._slots and self._slots[0] < now - _LATE:
            self._slots.popleft()
        if not self._slots:
            with self._count:
                wanted = max(self._waiting, 1)
            first = self._swap(lambda free: self._reserved(free, wanted, deadline))
            self._slots.extend(first + self._gap * number for number in range(wanted))
        self._check_near(self._slots[0], deadline)  # if it raises, others may take the slot
        return self._slots.popleft()

    def _reserved(self, free: float, wanted: int, deadline: float) -> tuple[float, float]:
        """Return the next free slot once `wanted` slots are taken, and the first of those."""
        first = max(free, self._clock(), self._held_until)
        self._check_near(first, deadline)
        return first + self._gap * wanted, first

    def _check_near(self, slot: float, deadline: float) -> None:
        if slot <= deadline:
            return
        away = slot - self._clock()
        raise Busy(
            f"the calls to {self._name} are spoken for until {round(away)} s from now",
            retry_after=away,
        )

    def _swap(self, change: Callable[[float], tuple[float, float | None]]) -> float:
        """Change the shared time of the next free slot.

        Args:
            change: gets that time and returns the new one, and what `_swap` is to return; None
                for the new time.

        Raises:
            StorageUnavailable: other instances were faster, again and again.
        """
        for attempt in range(_TRIES):
            free, fence = self._known or self._read()
            if not math.isfinite(free) or free > self._clock() + _FARTHEST:
                free = 0.0  # written by hand, or by a clock that is wrong
            changed, result = change(free)
            try:
                fence = self._shared_state.write(self._name, repr(changed), fence)
            except Conflict:
                self._known = None
                if attempt > 2:
                    self._sleep(random.uniform(0, 0.05))  # noqa: S311 - spreads load only
                continue
            self._known = (changed, fence)
            return changed if result is None else result
        raise StorageUnavailable(
            f"the shared state {self._name} changes faster than it can be written"
        )

    def _read(self) -> tuple[float, str]:
        state = self._shared_state.read(self._name)
        if state is None:
            return 0.0, ""
        text, fence = state
        try:
            return float(text), fence
        except ValueError:  # written by hand
            return 0.0, fence
