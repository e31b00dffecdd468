"""Lanes: where calls of one kind wait for a worker, so that no kind keeps another from its turn."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, Protocol

from imaginem.host.worker_process import Invocation, Sent


class Workers(Protocol):
    """What a lane needs of the pool of workers."""

    @property
    def at_once(self) -> int:
        """How many calls all workers together run at once."""

    def submit(self, function: str, *, lane: str, **message: Any) -> "Future[Sent]":
        """Queue a call on a lane; the future fails if the function does."""

    def waiting(self, lane: str) -> int:
        """Return how many calls wait on a lane until a worker is free."""

    def cancel_pending(self, lane: str) -> None:
        """Cancel what waits on a lane and what is still submitted to it."""


class Lane:
    """One kind of calls on their way to the workers: steps, poison, blobs or timers.

    Args:
        pool: the workers.
        name: of the lane.
    """

    def __init__(self, pool: Workers, name: str) -> None:
        self._pool, self._name = pool, name

    def submit(self, function: str, **message: Any) -> "Future[Sent]":
        """Queue a function call for the workers; the future fails if the function does."""
        return self._pool.submit(function, lane=self._name, **message)

    @property
    def at_once(self) -> int:
        """How many calls the workers run at once, those of other lanes among them."""
        return self._pool.at_once

    @property
    def has_waiting(self) -> bool:
        """Whether calls wait until a worker is free."""
        return self._pool.waiting(self._name) > 0

    @property
    def has_room(self) -> bool:
        """Whether more messages may be received: those that wait will soon be started."""
        return self._pool.waiting(self._name) < self._pool.at_once

    def cancel_pending(self) -> None:
        """Cancel the calls that no worker has started, and those that are still submitted."""
        self._pool.cancel_pending(self._name)


class Waiting:
    """The calls that wait, by lane; lanes take turns. Not safe for threads by itself."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Invocation]] = {}

    def __bool__(self) -> bool:
        return any(self._lanes.values())

    def add(self, lane: str, invocation: Invocation) -> None:
        """Put a call at the end of a lane."""
        self._lanes.setdefault(lane, deque()).append(invocation)

    def count(self, lane: str) -> int:
        """Return how many calls wait on a lane."""
        return len(self._lanes.get(lane, ()))

    def take(self) -> Invocation:
        """Return the first call of the lane whose turn it is. Raises IndexError if none waits."""
        for name in list(self._lanes):
            lane = self._lanes.pop(name)
            self._lanes[name] = lane  # it goes to the end of the line
            if lane:
                return lane.popleft()
        raise IndexError("no call waits")

    def clear(self, lane: str | None = None) -> Iterator[Invocation]:
        """Remove and yield the calls of a lane, or of all."""
        for name in list(self._lanes) if lane is None else [lane]:
            yield from self._lanes.pop(name, ())
