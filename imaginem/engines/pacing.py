"""Keeps the calls to a service under its quota, together with all other instances.

Every call takes a slot in time; slots lie `1 / rate` seconds apart. The next free slot is
a register that all instances share and change by compare-and-swap, so that a thousand
queued photos become a steady stream of calls instead of a storm of refusals.
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
"""Share of the quota that is used: calls arrive less evenly than they are sent."""
_LATE = 0.2
"""Seconds after which an unused slot is forgotten; used later, it would crowd its followers."""
_TRIES = 60
_LONGEST_HOLD = 300.0
_LONGEST_PATIENCE = 300.0
_FARTHEST = _LONGEST_HOLD + _LONGEST_PATIENCE + 120.0
"""Seconds ahead of which no slot is ever given out."""


class Pacer:
    """Gives out the slots of one service.

    Args:
        shared_state: where the next free slot is kept.
        name: of the service.
        per_second: calls that the service takes; 0 leaves the calls unpaced.
        patience: seconds that a call waits here at most; beyond, its message waits on its
            queue instead.
        clock: seconds since the epoch; instances' clocks must agree to some tenths.
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
            wait_for_quota: wait for minutes if need be.

        Raises:
            Busy: the next free slot is too far away.
            StorageUnavailable: the shared register can't be reached.
        """
        if not self._gap:
            return
        deadline = self._clock() + (_LONGEST_PATIENCE if wait_for_quota else self._patience)
        while True:
            slot = self._take(deadline)
            delay = slot - self._clock()
            if delay > 0:
                self._sleep(delay)
            if slot >= self._held_until:  # else somebody was told to hold off while we waited
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
        """Let nobody call for some seconds: the service said that it has no room."""
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
        self._check_near(self._slots[0], deadline)  # else it stays for somebody more wait_for_quota
        return self._slots.popleft()

    def _reserved(self, free: float, wanted: int, deadline: float) -> tuple[float, float]:
        """Return the next free slot after taking `wanted`, and the first of those."""
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
        """Change the shared slot; return what `change` found, or the new slot."""
        for attempt in range(_TRIES):
            free, fence = self._known or self._read()
            if not math.isfinite(free) or free > self._clock() + _FARTHEST:
                free = 0.0  # of a clock gone wrong, or written by hand
            changed, found = change(free)
            try:
                fence = self._shared_state.write(self._name, repr(changed), fence)
            except Conflict:
                self._known = None
                if attempt > 2:
                    self._sleep(random.uniform(0, 0.05))  # noqa: S311 - spreads load only
                continue
            self._known = (changed, fence)
            return changed if found is None else found
        raise StorageUnavailable(f"the register {self._name} changes faster than it can be written")

    def _read(self) -> tuple[float, str]:
        found = self._shared_state.read(self._name)
        if found is None:
            return 0.0, ""
        try:
            return float(found[0]), found[1]
        except ValueError:  # somebody wrote into the table by hand
            return 0.0, found[1]
