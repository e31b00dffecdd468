"""A queue listener: receives messages, renews their leases while they run, deletes them."""

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from imaginem.errors import NotFound, StorageUnavailable
from imaginem.host.config import HostConfig
from imaginem.host.duplicates import Place, place_of
from imaginem.host.lanes import Lane
from imaginem.host.leases import LEASE_SECONDS, Lease, Leases, redelivery_delay
from imaginem.host.steady import wait_until
from imaginem.host.surroundings import Surroundings
from imaginem.host.triggers import Trigger
from imaginem.host.worker_process import Sent
from imaginem.ports import QueueItem, Queues

_logger = logging.getLogger("imaginem.host")

_SHORTEST_PAUSE = 0.1
_COPY_DELAY = 30.0
"""Delay of a copy for which there is no room while the first one runs."""


def is_poison(queue: str) -> bool:
    """Tell whether a queue holds messages that failed on every try."""
    return queue.endswith("-poison")


class QueueListener:
    """Runs a function for each message of one queue, by the rules of `host.json`.

    Args:
        trigger: of the function.
        queues: where messages are received.
        lane: to the workers that run the function.
        config: the rules of `host.json`.
        around: what the listeners of one host share.
        rest: seconds from a poll to the next, if somebody calls `wake` when a message should have
            come; None to poll often after messages, and less and less often without.
    """

    def __init__(
        self,
        trigger: Trigger,
        queues: Queues,
        lane: Lane,
        config: HostConfig,
        around: Surroundings | None = None,
        rest: float | None = None,
    ) -> None:
        self._trigger, self._queues, self._lane, self._config = trigger, queues, lane, config
        self._around = around or Surroundings()
        self._random = random.Random()  # noqa: S311 - spreads polls, protects nothing
        self._leases = Leases()
        self._longest_pause = rest or config.max_polling_interval
        self._shortest_pause = rest or _SHORTEST_PAUSE
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
        full = self._leases.working > max(self._config.new_batch_threshold, self._lane.at_once)
        return math.inf if full else self._next_poll - now

    def poll(self) -> int:
        """Receive messages and start their functions; return how many messages came."""
        self._next_poll = math.inf  # before receiving, so that a `wake` meanwhile is kept
        try:
            if self._around.turns:
                self._around.turns.asking(self.queue)
            items = self._receive()
            more = len(items) == self._config.batch_size
        except BaseException:
            self._next_poll = time.monotonic() + self._longest_pause
            raise
        if more:
            self._next_poll, self._pause = 0.0, self._shortest_pause
        else:
            self._pause = self._shortest_pause if items else self._pause
            self._next_poll = min(self._next_poll, time.monotonic() + self._pause)
            # As in the Functions host: a random factor keeps instances from polling together.
            longer = self._pause * self._random.uniform(1.2, 2.0)
            self._pause = min(longer, self._longest_pause)
        places = [self._place(item) for item in items]
        self._note(items, places, more)
        for item, place in zip(items, places, strict=True):
            self._start(item, place)
        return len(items)

    def _receive(self) -> list[QueueItem]:
        try:
            return self._queues.receive(self.queue, self._config.batch_size, LEASE_SECONDS)
        except NotFound:
            return []
        except StorageUnavailable as problem:
            _logger.warning("%s; trying again", problem)
            self._around.seen.forget()  # an emulator that comes back may have lost what we saw
            return []

    def _place(self, item: QueueItem) -> Place:
        if is_poison(self.queue):
            return Place(run=item.id)
        return place_of(self.queue, item.id, item.body)

    def _note(self, items: Sequence[QueueItem], places: Sequence[Place], more: bool) -> None:
        if self._around.turns:
            born = [item.inserted.timestamp() if item.inserted else None for item in items]
            runs = [place.run for place in places]
            self._around.turns.received(self.queue, list(zip(runs, born, strict=True)), more)

    def release_held(self) -> None:
        """Return the copies that wait for another's end to the queue."""
        for lease in self._leases.held():
            self._around.aside(partial(self._give_back, lease, 0))

    def join(self, seconds: float) -> bool:
        """Wait for some seconds until every message that was received has ended; tell whether."""
        return wait_until(lambda: self._leases.empty, seconds)

    def _start(self, item: QueueItem, place: Place) -> None:
        """Start the function for a message, unless it is a copy or was delivered too often."""
        lease = self._leases.add(item, place)
        if lease is None:
            return
        try:
            if lease.held:
                if self._leases.too_many_held:
                    self._around.aside(partial(self._give_back, lease, _COPY_DELAY))
            elif place.key in self._around.seen:
                self._around.aside(partial(self._drop, lease))
            elif self._tries(item) > self._config.max_dequeue_count and not is_poison(self.queue):
                self._around.aside(partial(self._finish, lease, "delivered too often"))
            else:
                self._submit(item)
        except BaseException:
            self._leases.remove(lease)  # or the listener would count it for ever
            raise

    def _submit(self, item: QueueItem) -> None:
        future = self._lane.submit(
            self._trigger.function,
            kind="queue",
            message_id=item.id,
            body=item.body,
            dequeue_count=self._tries(item),
            receipt=item.receipt,
            inserted=item.inserted.isoformat() if item.inserted else None,
        )
        future.add_done_callback(lambda future: self._ended(item.id, future))

    def _ended(self, message_id: str, future: "Future[Sent]") -> None:
        lease = self._leases.take(message_id)
        sent: Sequence[str] = ()
        if lease is not None:
            if future.cancelled():
                self._give_back(lease, 0)
            elif (problem := future.exception()) is not None:
                self._finish(lease, str(problem))
            else:
                told = future.result()
                sent = [lease.place.following] if told is None else told
                self._finish(lease, None, sent)
        self._around.on_ended(sent)

    def _finish(self, lease: Lease, error: str | None, sent: Sequence[str] = ()) -> None:
        """Delete a message whose function succeeded; poison or release one that failed."""
        count, most = self._tries(lease.item), self._config.max_dequeue_count
        if error is None:
            if self._around.turns:
                self._around.turns.went_on(lease.place.run, sent)
            self._end(lease, lambda item: self._queues.delete(self.queue, item), done=True)
        elif is_poison(self.queue):
            self._end(lease, lambda item: None)  # it has no poison queue; its lease runs out
        elif count >= most:
            self._log(lease, f"is poisoned after {count} tries: {error}")
            self._end(lease, self._poison)
        else:
            delay = redelivery_delay(count, self._config.visibility_timeout)
            self._log(lease, f"comes again in {delay:.0f} s, try {count} of {most} failed: {error}")
            self._release(lease, delay)

    def _log(self, lease: Lease, what: str) -> None:
        place = lease.place
        job = {"batch_id": place.batch_id, "job_id": place.job_id}
        _logger.warning("%s: a message %s", self.queue, what, extra=job)

    def _poison(self, item: QueueItem) -> None:
        queue = f"{self.queue}-poison"
        self._queues.send(queue, item.body)
        self._around.on_sent([queue])
        self._queues.delete(self.queue, item)

    def _drop(self, lease: Lease) -> None:
        """Delete a copy of a message that was seen through."""
        self._around.seen.count_dropped()
        _logger.debug("%s: %s is a duplicate and dropped", self.queue, lease.item.id)
        self._end(lease, lambda item: self._queues.delete(self.queue, item))

    def _release(self, lease: Lease, delay: float) -> None:
        """Let a message be delivered again after a delay in seconds."""
        self._end(lease, lambda item: self._queues.extend(self.queue, item, delay))

    def _give_back(self, lease: Lease, delay: float) -> None:
        """Release a message that no worker has begun."""
        self._around.unbegun.add(lease.item.id)
        self._release(lease, delay)

    def _tries(self, item: QueueItem) -> int:
        return self._around.unbegun.tries(item)

    def _end(
        self, lease: Lease, action: Callable[[QueueItem], object], *, done: bool = False
    ) -> None:
        """Call storage for a message one last time; if that fails, its lease runs out.

        Args:
            done: copies of the message are dropped from here on; else they get their chance.
        """
        with lease.receipt:
            lease.ending = True
        try:
            self._act(lease, action)
            if done:
                self._around.seen.add(lease.place.key)
        except (NotFound, StorageUnavailable) as problem:
            done = False
            self._log(lease, f"was not ended: {problem}")
        except Exception:
            done = False
            _logger.exception("%s: a message was not ended as it should be", self.queue)
        finally:
            copies = self._leases.remove(lease)
        for copy in copies:
            if done:
                self._drop(copy)
            else:
                self._give_back(copy, redelivery_delay(1, self._config.visibility_timeout))

    def _act(self, lease: Lease, action: Callable[[QueueItem], object]) -> None:
        item = lease.item
        try:
            action(item)
        except NotFound:
            if lease.item.receipt == item.receipt:
                raise
            action(lease.item)  # it came once more meanwhile, with a new receipt

    def renew(self) -> None:
        """Renew the leases of messages whose functions have been running for a while."""
        for lease in self._leases.old():
            with lease.receipt:
                if lease.ending:
                    continue
                try:
                    lease.item = self._queues.extend(self.queue, lease.item, LEASE_SECONDS)
                    lease.renewed = time.monotonic()
                except (NotFound, StorageUnavailable) as problem:
                    _logger.warning("%s: a lease was not renewed: %s", self.queue, problem)
                except Exception:  # the other leases need their renewal none the less
                    _logger.exception("%s: a lease was not renewed", self.queue)
