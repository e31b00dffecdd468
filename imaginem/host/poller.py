"""Looks into queues while the workers have room, in the order that is just."""

import logging
import math
import threading
import time
from collections.abc import Sequence

from imaginem.host.lanes import Lane
from imaginem.host.listener import QueueListener
from imaginem.host.steady import SteadyThread
from imaginem.host.turns import Turns

_logger = logging.getLogger("imaginem.host")
_LONGEST_WAIT = 1.0


class Poller:
    """Polls queues while the workers have room.

    Args:
        name: of its thread.
        listeners: any order.
        lane: to the workers.
        turns: says which queue is polled next.
    """

    def __init__(
        self, name: str, listeners: Sequence[QueueListener], lane: Lane, turns: Turns
    ) -> None:
        self._listeners = {listener.queue: listener for listener in listeners}
        self._lane, self._turns = lane, turns
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = SteadyThread(name, self._run, self._stop)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def wake(self) -> None:
        """Poll again now: a worker has become free, or a message may have come."""
        self._wake.set()

    @property
    def lost(self) -> str:
        """Name of the thread if it has ended by itself; else empty."""
        return self._thread.lost

    def halt(self) -> None:
        """Receive no more messages, without a call to storage."""
        self._stop.set()
        self._wake.set()

    def cease(self) -> None:
        """Receive no more messages; those that no worker has begun return to their queues."""
        self.halt()
        self._lane.cancel_pending()
        for listener in self._listeners.values():
            listener.release_held()

    def join(self, seconds: float) -> bool:
        """Wait for some seconds until every message that was received has ended; tell whether."""
        deadline = time.monotonic() + seconds
        ended = self._thread.join(seconds)
        self._lane.cancel_pending()
        for listener in self._listeners.values():
            listener.release_held()  # what came last
            ended = listener.join(deadline - time.monotonic()) and ended
        return ended

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            if not self._lane.has_room:
                self._wake.wait(_LONGEST_WAIT)
                continue
            due = [name for name, seconds in self._waits().items() if seconds <= 0]
            if not any(self._poll(name) for name in self._turns.order(due)):
                soonest = min(self._waits().values(), default=math.inf)
                self._wake.wait(min(max(soonest, 0.0), _LONGEST_WAIT))

    def _waits(self) -> dict[str, float]:
        """Return the seconds until each queue is due."""
        now, busy = time.monotonic(), self._lane.has_waiting
        return {
            name: max(each.due_in(now), self._turns.rest(name) if busy else 0.0)
            for name, each in self._listeners.items()
        }

    def _poll(self, name: str) -> bool:
        """Poll a queue; tell whether a message came."""
        if self._stop.is_set():
            return False
        try:
            return bool(self._listeners[name].poll())
        except Exception:  # the other queues are polled none the less
            _logger.exception("%s: an unexpected error; trying again", name)
            return False
