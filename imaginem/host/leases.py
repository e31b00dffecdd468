"""The messages that a listener holds: their leases, their tries, and which are copies of another.

A lease is the time for which a received message stays hidden from other receivers.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from imaginem.host.duplicates import Place
from imaginem.ports import QueueItem

LEASE_SECONDS = 60.0
"""How long a received message stays hidden; renewed while its function runs."""
_RENEW_SECONDS = 20.0
"""Age from which a lease is renewed."""
_MOST_HELD = 32
"""Copies that are kept while the one that came first runs."""
_REMEMBERED = 100_000


def redelivery_delay(dequeue_count: int, longest: float) -> float:
    """Return the seconds until a failed message is delivered again: 1, 4, 16, then `longest`.

    The Functions host always waits for `visibilityTimeout`. Here somebody may be looking on, so
    a defect shows itself soon, and a worker's death costs a second.

    Args:
        dequeue_count: deliveries so far, from 1.
        longest: `visibilityTimeout` of host.json.
    """
    return min(4.0 ** min(dequeue_count - 1, 10), longest)


class Unbegun:
    """Counts the deliveries that no worker began, by message: they are no tries.

    Storage counts every delivery. A message that waits in a long queue is received and returned
    each time the host starts again; without this it would be poisoned though it never ran.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, message_id: str) -> None:
        """Count a delivery that is given back as it came."""
        with self._lock:
            self._counts[message_id] = self._counts.pop(message_id, 0) + 1
            if len(self._counts) > _REMEMBERED:
                self._counts.popitem(last=False)

    def tries(self, item: QueueItem) -> int:
        """Return how often a message was delivered to a worker, this delivery included; from 1."""
        with self._lock:
            # Less than storage's count if an emulator came back as it was some time ago.
            return max(item.dequeue_count - self._counts.get(item.id, 0), 1)


@dataclass
class Lease:
    """A received message.

    Attributes:
        item: with its latest receipt.
        renewed: when its lease was last renewed (`time.monotonic`).
        held: it waits for the end of a copy of it that runs.
        ending: storage is told how it ended; it is renewed no more.
        receipt: held while the receipt is renewed or used.
    """

    item: QueueItem
    place: Place
    renewed: float
    held: bool = False
    ending: bool = False
    receipt: threading.Lock = field(default_factory=threading.Lock)


class Leases:
    """The leases of one listener, safe for threads; no lock is held while storage is called."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._running: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def add(self, item: QueueItem, place: Place) -> Lease | None:
        """Note a message that came; None if it is under way already, and came once more.

        The lease is `held` if a copy of the message runs.
        """
        with self._lock:
            known = self._leases.get(item.id)
            if known is not None:  # its lease ran out, but its function still runs
                known.item, known.renewed = item, time.monotonic()
                return None
            lease = Lease(item, place, time.monotonic())
            lease.held = bool(place.key) and place.key in self._running
            self._leases[item.id] = lease
            if place.key and not lease.held:
                self._running[place.key] = item.id
            return lease

    def take(self, message_id: str) -> Lease | None:
        """Return a lease whose receipt no longer changes from here on; None if there is none."""
        with self._lock:
            lease = self._leases.get(message_id)
        if lease is not None:
            with lease.receipt:
                lease.ending = True
        return lease

    def remove(self, lease: Lease) -> list[Lease]:
        """Forget a message; return the copies that waited for its end."""
        with self._lock:
            self._leases.pop(lease.item.id, None)
            key = lease.place.key
            if not key or self._running.get(key) != lease.item.id:
                return []
            del self._running[key]
            return [each for each in self._leases.values() if each.held and each.place.key == key]

    def held(self) -> list[Lease]:
        """Return the copies that wait."""
        with self._lock:
            return [lease for lease in self._leases.values() if lease.held]

    @property
    def too_many_held(self) -> bool:
        """Whether no more copies can be kept."""
        return len(self.held()) > _MOST_HELD

    @property
    def working(self) -> int:
        """Number of messages that run or are about to; copies that wait don't count."""
        with self._lock:
            return sum(not lease.held for lease in self._leases.values())

    @property
    def empty(self) -> bool:
        """Whether no message is held."""
        with self._lock:
            return not self._leases

    def old(self) -> list[Lease]:
        """Return the leases that have to be renewed."""
        latest = time.monotonic() - _RENEW_SECONDS
        with self._lock:
            return [lease for lease in self._leases.values() if lease.renewed < latest]
