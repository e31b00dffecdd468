"""Runs actors in turn, in simulated time: one goes on until it waits, then the next one does.

Each actor is a greenlet, so that production code can be stopped wherever it calls a port,
without knowing of it. Nothing runs beside anything else: a run is the same each time.
"""

import heapq
import itertools
import math
import random
from collections.abc import Callable

from greenlet import getcurrent, greenlet

from tests.simulation.clock import Clock


class InstanceDied(BaseException):
    """A process ended where it stood; no handler of the pipeline sees it."""


class Actor:
    """Somebody who acts: an instance of the host with its worker, a person, a timer."""

    def __init__(self, name: str, body: Callable[[], None], hub: greenlet) -> None:
        self.name = name
        self.killed = False
        self._body = body
        self.thread = greenlet(self._live, hub)

    def _live(self) -> None:
        try:
            if not self.killed:
                self._body()
        except InstanceDied:
            self.killed = True


class Scheduler:
    """Decides who goes on, and moves the clock.

    Attributes:
        current: who acts now; None between two actors.
        is_over: the run has ended, and with it every actor.

    Args:
        clock: of the run.
        chance: decides.
        next_message: returns when the next message can be received, for whoever is idle.
    """

    def __init__(
        self, clock: Clock, chance: random.Random, next_message: Callable[[], float]
    ) -> None:
        self._clock, self._chance, self._next_message = clock, chance, next_message
        self._hub = getcurrent()
        self._due: list[tuple[float, int, Actor]] = []
        self._order = itertools.count()
        self._idle: list[Actor] = []
        self.current: Actor | None = None
        self.is_over = False

    def start(self, name: str, body: Callable[[], None], delay: float = 0) -> Actor:
        """Let an actor begin after a delay in seconds."""
        actor = Actor(name, body, self._hub)
        heapq.heappush(self._due, (self._clock.seconds + delay, next(self._order), actor))
        return actor

    def pause(self, seconds: float) -> None:
        """Let others go on; come back after so many seconds.

        Raises:
            InstanceDied: the actor was killed meanwhile.
        """
        actor = self._running()
        heapq.heappush(self._due, (self._clock.seconds + seconds, next(self._order), actor))
        self._leave(actor)

    def await_message(self) -> None:
        """Let others go on until there is a message to receive."""
        actor = self._running()
        self._idle.append(actor)
        self._leave(actor)

    def kill(self, actor: Actor) -> None:
        """End an actor where it stands."""
        actor.killed = True
        if actor in self._idle:
            self._idle.remove(actor)
            heapq.heappush(self._due, (self._clock.seconds, next(self._order), actor))

    def run(self, until: float) -> None:
        """Let actors act until a moment comes."""
        while True:
            due = self._due[0][0] if self._due else math.inf
            message = self._next_message() if self._idle else math.inf
            moment = min(due, message)
            if moment > until:
                self._clock.seconds = until
                return
            self._clock.seconds = max(self._clock.seconds, moment)
            if message <= due:
                actor = self._idle.pop(self._chance.randrange(len(self._idle)))
            else:
                actor = heapq.heappop(self._due)[2]
            self.current = actor
            actor.thread.switch()
            self.current = None

    def _running(self) -> Actor:
        assert self.current is not None, "only an actor can wait"
        return self.current

    def _leave(self, actor: Actor) -> None:
        self._hub.switch()
        if actor.killed:
            raise InstanceDied

    def end(self) -> None:
        """End whoever is left, so that no greenlet outlives the run."""
        self.is_over = True
        for actor in [*self._idle, *(entry[2] for entry in self._due)]:
            actor.killed = True
            if actor.thread:
                actor.thread.switch()
        self._idle, self._due = [], []
