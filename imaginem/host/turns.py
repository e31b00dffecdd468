"""Whose turn it is: the order in which waiting queues are looked into.

Every second turn belongs to the queue with the oldest job. A job counts as a second older for
each place that it has come further, so that of jobs of one age those are finished first that began
first. Every other turn belongs to the queue that has waited for one longest, whatever its jobs'
age. So old jobs pass a batch of any length, and no queue waits for more than two turns a queue.

What waits is known without asking storage: when a function ends, its job is expected on the next
queue, with the age of its first message; and a queue that gave as many messages as were asked
for has more of that age. Within a queue messages come in storage's order.
"""

import heapq
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

HEAD_START = 1.0
"""Seconds that a job is taken for older for each place further on its way."""
_LONGEST_WAITING_EVERY = 2
BUSY_REST = 3.0
"""Seconds between looks into a queue of which nothing is known, while calls wait for workers.

What lies there would have to wait, too, and each look costs storage and host some milliseconds."""
_REMEMBERED = 100_000
"""Runs whose age is known; of others the message's own age is taken."""


class _Queue:
    """What is known of one queue without looking into it."""

    def __init__(self, place: int, now: float) -> None:
        self.place = place
        self.more_since: float | None = -math.inf  # nobody knows before the first look
        self.looked_at = now
        self.turn = 0
        self.asked = 0
        self.expected: dict[str, tuple[float, int]] = {}
        self.ages: list[tuple[float, str]] = []

    def oldest(self) -> float:
        """Return when the oldest job that may wait here was born."""
        while self.ages and self.expected.get(self.ages[0][1], (None,))[0] != self.ages[0][0]:
            heapq.heappop(self.ages)  # it has come, or was given up
        bounds = [self.looked_at if self.more_since is None else self.more_since]
        return min(bounds + [age for age, _ in self.ages[:1]])

    @property
    def waits(self) -> bool:
        """Whether messages are known to wait."""
        return self.more_since is not None or bool(self.expected)


class Turns:
    """Orders queues by the age of what waits in them and by their place.

    Args:
        queues: in the order in which jobs visit them.
        clock: seconds since 1970, as storage's times are.
        idle_seconds: a queue in which nothing is known to wait gets no turn before its time
            until it has not been looked into for so long.
    """

    def __init__(
        self,
        queues: Sequence[str],
        clock: Callable[[], float] = time.time,
        idle_seconds: float = 1.0,
    ) -> None:
        self._clock, self._idle_seconds = clock, idle_seconds
        now = clock()
        self._queues = {name: _Queue(place, now) for place, name in enumerate(queues)}
        self._births: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()
        self._turn = self._count = 0

    def order(self, due: Iterable[str]) -> list[str]:
        """Return queues in the order in which they should be looked into, until one gives."""
        with self._lock:
            ranked = sorted(due, key=self._rank)
            if self._turn % _LONGEST_WAITING_EVERY == 0:
                waiting = [name for name in ranked if self._may_wait(name)]
                if waiting:
                    longest = min(waiting, key=lambda name: self._queues[name].turn)
                    ranked.remove(longest)
                    ranked.insert(0, longest)
            return ranked

    def _rank(self, name: str) -> tuple[float, int]:
        queue = self._queues[name]
        return queue.oldest() - HEAD_START * queue.place, -queue.place

    def _may_wait(self, name: str) -> bool:
        queue = self._queues[name]
        return (
            queue.waits or abs(self._clock() - queue.looked_at) >= self._idle_seconds
        )  # it may jump

    def rest(self, name: str) -> float:
        """Return for how many seconds nobody need look into a queue while all workers are busy."""
        with self._lock:
            queue = self._queues[name]
            if queue.waits:
                return 0.0
            return max(BUSY_REST - abs(self._clock() - queue.looked_at), 0.0)  # it may jump

    def asking(self, name: str) -> None:
        """Note that a queue is looked into: a job that is sent to it later may not be found."""
        with self._lock:
            self._count += 1
            self._queues[name].asked = self._count

    def received(self, name: str, runs: Sequence[tuple[str, float | None]], more: bool) -> None:
        """Note what came from a queue.

        Args:
            runs: of the messages: id, and when the message was put there if storage tells.
            more: there may be more.
        """
        with self._lock:
            queue, now = self._queues[name], self._clock()
            births = [self._birth(run, now if put is None else put) for run, put in runs]
            for run, _ in runs:
                queue.expected.pop(run, None)
            if not more:  # what was expected before has come, or went elsewhere
                later = {r: e for r, e in queue.expected.items() if e[1] > queue.asked}
                queue.expected = later
            queue.more_since = max(births, default=now) if more else None
            queue.looked_at = now
            self._turn += bool(runs)
            queue.turn = self._turn

    def went_on(self, run: str, names: Iterable[str]) -> None:
        """Note that a job was sent to queues; those of others are passed over."""
        with self._lock:
            for queue in filter(None, map(self._queues.get, names)):
                self._count += 1
                birth = self._birth(run, self._clock())
                queue.expected[run] = birth, self._count
                heapq.heappush(queue.ages, (birth, run))

    def _birth(self, run: str, put: float) -> float:
        """Return when a run's first message was put into its queue, as far as is known."""
        birth = self._births.setdefault(run, put)
        self._births.move_to_end(run)
        if len(self._births) > _REMEMBERED:
            self._births.popitem(last=False)
        return birth
