"""Keeps the calls of all instances to a service under its quota.

Every call takes a slot, a moment in time; slots are `1 / rate` seconds apart. All instances share
the time of the next free slot and change it by compare-and-swap. So a thousand queued photos make
a steady stream of calls instead of a thousand refusals.

When a service says that the quota of a day or a month is used up, the shared state keeps until
when, and every instance sends its messages back for that long.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from imaginem.errors import Busy, Conflict, StorageUnavailable
from imaginem.ports import SharedState

T = TypeVar("T")
_HEADROOM = 0.95
"""Share of the quota that is used, since calls arrive less evenly than they are sent."""
_LATE = 0.2
"""Seconds after which an unused slot is dropped: used later, it would be too near to the next."""
_TRIES = 60
_SHORT_HOLD = 300.0
_LONGEST_HOLD = 7 * 24 * 3600.0
"""Seconds that the service is believed: a message can't be hidden in its queue for longer."""
_LONGEST_WAIT = 300.0
_CLOCKS_DIFFER = 120.0
_FARTHEST = _SHORT_HOLD + _LONGEST_WAIT + _CLOCKS_DIFFER
"""Seconds from now within which every slot lies; a time beyond is not to be believed."""


@dataclass(frozen=True)
class _State:
    """What all instances share.

    Attributes:
        free: time of the next free slot.
        held: until when the service takes no calls; 0 if it does.
        rate: calls a second that the hold was told for. With another rate the account has got
            another tier, and the hold is void.
    """

    free: float = 0.0
    held: float = 0.0
    rate: float = 0.0

    def text(self) -> str:
        """Return it as it is kept."""
        return f"{self.free!r} {self.held!r} {self.rate!r}" if self.held else repr(self.free)


def _state(text: str) -> _State:
    """Return the state in a text; one that was written by hand starts anew."""
    try:
        numbers = [float(part) for part in text.split()]
        return _State(*numbers) if all(map(math.isfinite, numbers)) else _State()
    except (TypeError, ValueError):
        return _State()


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
        self._rate = per_second
        self._gap = 1 / (per_second * _HEADROOM) if per_second else 0.0
        self._patience = patience
        self._clock, self._sleep = clock, sleep
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._slots: deque[float] = deque()
        self._known: tuple[_State, str] | None = None
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
        """Make all instances wait for some seconds: the service said that its quota is used up.

        Args:
            seconds: a week at most is believed.
        """
        if not self._gap:
            return
        until = self._clock() + min(seconds, _LONGEST_HOLD)

        def change(state: _State) -> tuple[_State, None]:
            if seconds > _SHORT_HOLD:
                return replace(state, held=max(state.held, until), rate=self._rate), None
            return replace(state, free=max(state.free, until)), None

        with self._turn:
            self._held_until = max(self._held_until, until)
            self._slots.clear()
            self._swap(change)

    def _next_slot(self, deadline: float) -> float:
        now = self._clock()
        while self._slots and self._slots[0] < now - _LATE:
            self._slots.popleft()
        if not self._slots:
            with self._count:
                wanted = max(self._waiting, 1)
            first = self._swap(lambda state: self._reserved(state, wanted, deadline))
            self._slots.extend(first + self._gap * number for number in range(wanted))
        self._check_near(self._slots[0], deadline)  # if it raises, others may take the slot
        return self._slots.popleft()

    def _reserved(self, state: _State, wanted: int, deadline: float) -> tuple[_State, float]:
        """Return the state once `wanted` slots are taken, and the first of those."""
        first = max(state.free, self._clock(), self._held_until, state.held)
        self._check_near(first, deadline)
        return _State(first + self._gap * wanted), first

    def _check_near(self, slot: float, deadline: float) -> None:
        if slot <= deadline:
            return
        away = slot - self._clock()
        if away > _FARTHEST:
            until = datetime.fromtimestamp(slot, UTC)
            raise Busy(
                f"{self._name} takes no calls until {until:%Y-%m-%d %H:%M} UTC: the quota is "
                "used up",
                retry_after=away,
            )
        raise Busy(
            f"the calls to {self._name} are spoken for until {round(away)} s from now",
            retry_after=away,
        )

    def _swap(self, change: Callable[[_State], tuple[_State, T]]) -> T:
        """Change what all instances share.

        Args:
            change: gets it and returns what it becomes, and what `_swap` is to return.

        Raises:
            StorageUnavailable: other instances were faster, again and again.
        """
        for attempt in range(_TRIES):
            state, fence = self._known or self._read()
            changed, result = change(self._believed(state))
            try:
                fence = self._shared_state.write(self._name, changed.text(), fence)
            except Conflict:
                self._known = None
                if attempt > 2:
                    self._sleep(random.uniform(0, 0.05))  # noqa: S311 - spreads load only
                continue
            self._known = (changed, fence)
            return result
        raise StorageUnavailable(
            f"the shared state {self._name} changes faster than it can be written"
        )

    def _believed(self, state: _State) -> _State:
        """Return a state without times of a wrong clock, and without a hold that is over."""
        now = self._clock()
        free = state.free if state.free <= now + _FARTHEST else 0.0
        holds = now < state.held <= now + _LONGEST_HOLD + _CLOCKS_DIFFER
        if holds and state.rate == self._rate:
            return replace(state, free=free)
        return _State(free)

    def _read(self) -> tuple[_State, str]:
        text, fence = self._shared_state.read(self._name) or ("", "")
        return _state(text), fence
