"""A good of which there is only so much, such as memory: who finds none left waits, or is refused.

Waiting holds no thread and no event loop, and who waits longest is served first.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress

from imaginem.errors import Busy


class Crowded(Busy):
    """So many wait already that nobody else may."""


class Share:
    """So much of a good, shared by all requests of a process.

    Args:
        total: how much there is.
        waiting: how many may wait for some of it.
        seconds: how long each may wait.
        refusal: what those are told who can't wait, or waited in vain.
    """

    def __init__(self, total: int, *, waiting: int, seconds: float, refusal: str) -> None:
        self._total = self._left = total
        self._most_waiting, self._seconds, self._refusal = waiting, seconds, refusal
        self._queue: deque[tuple[int, Future[None]]] = deque()
        self._lock = threading.Lock()

    async def take(self, wanted: int) -> int:
        """Take some of it, at most all; return how much was taken, to be given back.

        Raises:
            Crowded: too many wait.
            Busy: it took too long.
        """
        amount = min(wanted, self._total)
        with self._lock:
            if not self._queue and amount <= self._left:
                self._left -= amount
                return amount
            if len(self._queue) >= self._most_waiting:
                raise Crowded(self._refusal)
            turn: Future[None] = Future()
            self._queue.append((amount, turn))
        try:
            await asyncio.wait_for(asyncio.wrap_future(turn), self._seconds)
        except TimeoutError:
            self._leave(amount, turn)
            raise Busy(self._refusal) from None
        except asyncio.CancelledError:
            self._leave(amount, turn)
            raise
        return amount

    def give_back(self, amount: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._left += amount
            self._serve()

    def _leave(self, amount: int, turn: "Future[None]") -> None:
        """Stop waiting; what was given in the same moment goes back."""
        with self._lock:
            with suppress(ValueError):
                self._queue.remove((amount, turn))
            if turn.done() and not turn.cancelled():
                self._left += amount
            self._serve()

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._left:
            amount, turn = self._queue.popleft()
            if turn.set_running_or_notify_cancel():
                self._left -= amount
                turn.set_result(None)
