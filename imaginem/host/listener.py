"""A queue listener: receives messages, renews their leases while they run, deletes them.

A lease is the time for which a received message stays hidden from other receivers.
"""

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
"""How long a received message stays hidden; renewed while its function runs."""
_RENEW_SECONDS = 20.0
"""Age from which a lease is renewed."""
_SHORTEST_PAUSE = 0.1
_LONGEST_WAIT = 1.0


@dataclass
class _Lease:
    """A received message, and when its lease was last renewed (`time.monotonic`)."""

    item: QueueItem
    renewed: float
    ending: bool = False


class QueueListener:
    """Runs a function for each message of one queue, by the rules of `host.json`.

    Args:
        trigger: of the function.
        queues: where messages are received.
        pool: the workers that run the function.
        config: the rules of `host.json`.
        on_ended: called when a function has ended; it may have sent to another queue.
        woken: somebody calls `wake` when a message should have come, so that the listener need
            not poll often by itself.
    """

    def __init__(
        self,
        trigger: Trigger,
        queues: Queues,
        pool: WorkerPool,
        config: HostConfig,
        on_ended: Callable[["QueueListener"], None] = lambda listener: None,
        *,
        woken: bool = False,
    ) -> None:
        self._trigger, self._queues, self._pool, self._config = trigger, queues, pool, config
        self._on_ended = on_ended
        self._random = random.Random()  # noqa: S311 - spreads polls, protects nothing
        self._leases: dict[str, _Lease] = {}
        self._lock = threading.Lock()
        self._receipts = threading.Lock()  # held while a receipt is renewed or used
        self._shortest_pause = config.max_polling_interval if woken else _SHORTEST_PAUSE
        self._pause = self._shortest_pause
        self._next_poll = 0.0

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self._trigger.queue

    def wake(self) -> None:
        """Make the next poll due now."""
        self._next_poll = 0.0

    def due_in(self, now: float) -> float:
        """Return the seconds until the next poll; infinite while enough messages are running.

        Args:
            now: of `time.monotonic`.
        """
        with self._lock:
            full = len(self._leases) > self._config.new_batch_threshold
        return math.inf if full else self._next_poll - now

    def poll(self) -> int:
        """Receive messages and start their functions; return how many messages came."""
        self._next_poll = math.inf  # before receiving, so that a `wake` meanwhile is kept
        try:
            items = self._queues.receive(self.queue, self._config.batch_size, LEASE_SECONDS)
        except NotFound:
            items = []
        except StorageUnavailable as problem:
            _logger.warning("%s; trying again", problem)
            items = []
        if len(items) == self._config.batch_size:  # there may be more
            self._next_poll, self._pause = 0.0, self._shortest_pause
        else:
            self._pause = self._shortest_pause if items else self._pause
            self._next_poll = min(self._next_poll, time.monotonic() + self._pause)
            # As in the Functions host: a random factor keeps instances from polling together.
            longer = self._pause * self._random.uniform(1.2, 2.0)
            self._pause = min(longer, self._config.max_polling_interval)
        for item in items:
            self._start(item)
        return len(items)

    def join(self) -> None:
        """Wait until every message that was received has ended."""
        while self._is_busy():
            time.sleep(0.02)

    def _is_busy(self) -> bool:
        with self._lock:
            return bool(self._leases)

    def _start(self, item: QueueItem) -> None:
        """Start the function for a message, or poison it when it was delivered too often."""
        with self._lock:
            if item.id in self._leases:  # its lease ran out, but its function still runs
                self._leases[item.id].item = item
                return
            self._leases[item.id] = _Lease(item, time.monotonic())
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
        future.add_done_callback(lambda future: self._ended(item.id, future))

    def _ended(self, message_id: str, future: "Future[None]") -> None:
        if future.cancelled():
            self._release(message_id, 0)
        else:
            problem = future.exception()
            self._finish(message_id, None if problem is None else str(problem))
        self._on_ended(self)

    def _finish(self, message_id: str, error: str | None) -> None:
        """Delete a message whose function succeeded; poison or release one that failed."""
        item = self._stop_renewing(message_id)
        queue, poison = self._trigger.queue, f"{self._trigger.queue}-poison"
        if error is None:
            self._end(message_id, lambda: self._queues.delete(queue, item))
        elif queue.endswith("-poison"):
            self._forget(message_id)  # it has no poison queue; it returns when its lease ends
        elif item.dequeue_count >= self._config.max_dequeue_count:
            _logger.error(
                "%s: a message failed %d times and is poisoned", queue, item.dequeue_count
            )

            def poison_it() -> None:
                self._queues.send(poison, item.body)
                self._queues.delete(queue, item)

            self._end(message_id, poison_it)
        else:
            self._release(message_id, self._config.visibility_timeout)

    def _release(self, message_id: str, delay: float) -> None:
        """Let a message be delivered again after a delay in seconds."""
        item = self._stop_renewing(message_id)
        self._end(message_id, lambda: self._queues.extend(self._trigger.queue, item, delay))

    def _end(self, message_id: str, action: Callable[[], object]) -> None:
        """Call storage for a message one last time; if that fails, its lease runs out."""
        try:
            action()
        except (NotFound, StorageUnavailable) as problem:
            _logger.warning("%s: %s", self._trigger.queue, problem)
        self._forget(message_id)

    def _stop_renewing(self, message_id: str) -> QueueItem:
        """Return a message with its latest receipt, which no longer changes from here on."""
        with self._receipts, self._lock:
            lease = self._leases[message_id]
            lease.ending = True
            return lease.item

    def _forget(self, message_id: str) -> None:
        with self._lock:
            self._leases.pop(message_id, None)

    def renew(self) -> None:
        """Renew the leases of messages whose functions have been running for a while."""
        latest = time.monotonic() - _RENEW_SECONDS
        with self._lock:
            old = [lease for lease in self._leases.values() if lease.renewed < latest]
        for lease in old:
            with self._receipts:  # not `_lock`, which must never wait for storage
                if lease.ending:
                    continue
                try:
                    lease.item = self._queues.extend(self.queue, lease.item, LEASE_SECONDS)
                    lease.renewed = time.monotonic()
                except (NotFound, StorageUnavailable) as problem:
                    _logger.warning("%s: a lease was not renewed: %s", self.queue, problem)


class Poller:
    """Polls queues while the workers have room.

    Args:
        listeners: in the order in which they are polled.
        pool: the workers.
    """

    def __init__(self, listeners: Sequence[QueueListener], pool: WorkerPool) -> None:
        self._listeners, self._pool = listeners, pool
        self._stop = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def wake(self) -> None:
        """Poll again now: a worker has become free, or a message may have come."""
        self._wake.set()

    def stop(self) -> None:
        """Receive no more messages, and wait until every one that was received has ended."""
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
            elif not any(self._poll(listener) for listener in self._listeners):
                now = time.monotonic()
                soonest = min(
                    (listener.due_in(now) for listener in self._listeners), default=math.inf
                )
                self._wake.wait(min(max(soonest, 0.0), _LONGEST_WAIT))

    def _poll(self, listener: QueueListener) -> bool:
        """Poll a queue if that is due; tell whether a message came."""
        return not self._stop and listener.due_in(time.monotonic()) <= 0 and bool(listener.poll())
