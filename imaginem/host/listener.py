"""A queue listener: takes messages, keeps hold of them while they are worked on, ends them."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from imaginem.errors import NotFound, StorageUnavailable
from imaginem.host.config import HostConfig
from imaginem.host.pool import WorkerPool
from imaginem.host.triggers import Trigger
from imaginem.ports import QueueItem, Queues

_logger = logging.getLogger("imaginem.host")

LEASE_SECONDS = 60.0
"""How long a taken message stays hidden; renewed while it is worked on."""
_RENEW_SECONDS = 20.0
_SHORTEST_POLL = 0.1
_LONGEST_WAIT = 1.0


@dataclass
class _Held:
    item: QueueItem
    renewed: float
    ending: bool = False


class QueueListener:
    """Feeds one queue's messages to its function, by the rules of `host.json`.

    Args:
        done: called when a function has ended; what it sent may wait on another queue.
        expected: somebody nudges the listener when a message should be there, so it need not
            look often by itself.
    """

    def __init__(
        self,
        trigger: Trigger,
        queues: Queues,
        pool: WorkerPool,
        config: HostConfig,
        done: Callable[["QueueListener"], None] = lambda listener: None,
        *,
        expected: bool = False,
    ) -> None:
        self._trigger, self._queues, self._pool, self._config = trigger, queues, pool, config
        self._done = done
        self._chance = random.Random()  # noqa: S311 - spreads polls, guards nothing
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._renewing = threading.Lock()  # a receipt changes and is used under this one
        self._shortest = config.max_polling_interval if expected else _SHORTEST_POLL
        self._pause = self._shortest
        self._due = 0.0

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self._trigger.queue

    def wake(self) -> None:
        """Let the next look into the queue be now."""
        self._due = 0.0

    def due_in(self, now: float) -> float:
        """Return the seconds until the queue should be looked into; infinite while it is full."""
        with self._lock:
            full = len(self._held) > self._config.new_batch_threshold
        return math.inf if full else self._due - now

    def poll(self) -> int:
        """Look into the queue and begin what is there; return how many messages that was."""
        self._due = math.inf  # set before looking, so that a wake meanwhile is not overwritten
        try:
            items = self._queues.receive(self.queue, self._config.batch_size, LEASE_SECONDS)
        except NotFound:
            items = []
        except StorageUnavailable as problem:
            _logger.warning("%s; trying again", problem)
            items = []
        if len(items) == self._config.batch_size:  # there may be more
            self._due, self._pause = 0.0, self._shortest
        else:
            self._pause = self._shortest if items else self._pause
            self._due = min(self._due, time.monotonic() + self._pause)
            # The Functions host backs off at random, so that instances don't poll in step.
            longer = self._pause * self._chance.uniform(1.2, 2.0)
            self._pause = min(longer, self._config.max_polling_interval)
        for item in items:
            self._begin(item)
        return len(items)

    def join(self) -> None:
        """Wait until every message that was taken has ended."""
        while self._busy():
            time.sleep(0.02)

    def _busy(self) -> int:
        with self._lock:
            return len(self._held)

    def _begin(self, item: QueueItem) -> None:
        with self._lock:
            if item.id in self._held:  # its lease ran out while we worked on it: it still runs
                self._held[item.id].item = item
                return
            self._held[item.id] = _Held(item, time.monotonic())
        too_often = item.dequeue_count > self._config.max_dequeue_count
        if too_often and not self.queue.endswith("-poison"):
            self._finish(item.id, "delivered too often")
            return
        future = self._pool.submit(
            self._trigger.function,
            kind="queue",
            message_id=item.id,
            body=item.body,
            dequeue_count=item.dequeue_count,
            receipt=item.receipt,
            inserted=item.inserted.isoformat() if item.inserted else None,
        )
        future.add_done_callback(lambda done: self._ended(item.id, done))

    def _ended(self, message_id: str, done: "Future[None]") -> None:
        if done.cancelled():
            self._release(message_id, 0)
        else:
            problem = done.exception()
            self._finish(message_id, None if problem is None else str(problem))
        self._done(self)

    def _finish(self, message_id: str, error: str | None) -> None:
        """Delete, poison or release a message, by what came of it."""
        item = self._last_hold(message_id)
        queue, poison = self._trigger.queue, f"{self._trigger.queue}-poison"
        if error is None:
            self._end(message_id, lambda: self._queues.delete(queue, item))
        elif queue.endswith("-poison"):
            self._forget(message_id)  # it has no poison queue; it comes back when its lease ends
        elif item.dequeue_count >= self._config.max_dequeue_count:
            _logger.error(
                "%s: a message failed %d times and is poisoned", queue, item.dequeue_count
            )

            def bury() -> None:
                self._queues.send(poison, item.body)
                self._queues.delete(queue, item)

            self._end(message_id, bury)
        else:
            self._release(message_id, self._config.visibility_timeout)

    def _release(self, message_id: str, delay: float) -> None:
        item = self._last_hold(message_id)
        self._end(message_id, lambda: self._queues.extend(self._trigger.queue, item, delay))

    def _end(self, message_id: str, action: Callable[[], object]) -> None:
        """Do the last thing to a message; storage that is down leaves it to its lease."""
        try:
            action()
        except (NotFound, StorageUnavailable) as problem:
            _logger.warning("%s: %s", self._trigger.queue, problem)
        self._forget(message_id)

    def _last_hold(self, message_id: str) -> QueueItem:
        """Return a message with its latest receipt, which nobody changes any more."""
        with self._renewing, self._lock:
            held = self._held[message_id]
            held.ending = True
            return held.item

    def _forget(self, message_id: str) -> None:
        with self._lock:
            self._held.pop(message_id, None)

    def renew(self) -> None:
        """Keep hold of the messages that have been in work for a while."""
        due = time.monotonic() - _RENEW_SECONDS
        with self._lock:
            old = [held for held in self._held.values() if held.renewed < due]
        for held in old:
            with self._renewing:  # not `_lock`, which must never wait for storage
                if held.ending:
                    continue
                try:
                    held.item = self._queues.extend(self.queue, held.item, LEASE_SECONDS)
                    held.renewed = time.monotonic()
                except (NotFound, StorageUnavailable) as problem:
                    _logger.warning("%s: a lease was not renewed: %s", self.queue, problem)


class Poller:
    """Looks into queues while workers have room, the ones that finish jobs first.

    Args:
        listeners: in the order in which they are asked.
    """

    def __init__(self, listeners: Sequence[QueueListener], pool: WorkerPool) -> None:
        self._listeners, self._pool = listeners, pool
        self._stop = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look again: there is room, or a message may have come."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more messages, and wait until every one that was taken has ended."""
        self._stop = True
        self._wake.set()
        self._thread.join()
        self._pool.cancel_pending()
        for listener in self._listeners:
            listener.join()

    def _run(self) -> None:
        while not self._stop:
            self._wake.clear()
            if not self._pool.has_room:
                self._wake.wait(_LONGEST_WAIT)
            elif not any(self._asked(listener) for listener in self._listeners):
                now = time.monotonic()
                soonest = min((each.due_in(now) for each in self._listeners), default=math.inf)
                self._wake.wait(min(max(soonest, 0.0), _LONGEST_WAIT))

    def _asked(self, listener: QueueListener) -> bool:
        """Ask a listener whose turn it is; tell whether it had something."""
        return not self._stop and listener.due_in(time.monotonic()) <= 0 and bool(listener.poll())
