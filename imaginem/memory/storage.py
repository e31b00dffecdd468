"""In-memory fakes of queues, blobs and tables.

They pass the same contract suite as the real adapters, and ship with the package:
`imaginem.testing` hands them out to whoever tests a step.
"""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from imaginem.errors import Conflict, NotFound, PermanentError
from imaginem.names import is_plain_path, table_key
from imaginem.ports import (
    BlobInfo,
    JobKey,
    LogEntry,
    QueueItem,
)
from imaginem.ports.sends import note_send


def utc_now() -> datetime:
    """Return the current moment."""
    return datetime.now(UTC)


@dataclass
class _Stored:
    item: QueueItem
    visible_at: float


class MemoryQueues:
    """Queues in memory.

    Args:
        clock: can be moved to make delayed messages appear.
        now: returns the moment at which messages are put.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._now = now
        self._queues: dict[str, dict[str, _Stored]] = {}
        self._lock = threading.Lock()
        self._clock = clock

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message."""
        item = QueueItem(str(uuid.uuid4()), body, 0, "", self._now())
        with self._lock:
            self._queues.setdefault(queue, {})[item.id] = _Stored(item, self._clock() + delay)
        if not delay:
            note_send(queue)
        return item.id

    def receive(self, queue: str, count: int, lease: float) -> list[QueueItem]:
        """Take messages."""
        with self._lock:
            if queue not in self._queues:
                raise NotFound(f"no queue {queue}")
            now = self._clock()
            taken: list[QueueItem] = []
            for stored in self._queues[queue].values():
                if stored.visible_at <= now and len(taken) < count:
                    stored.item = replace(
                        stored.item,
                        dequeue_count=stored.item.dequeue_count + 1,
                        receipt=str(uuid.uuid4()),
                    )
                    stored.visible_at = now + lease
                    taken.append(stored.item)
            return taken

    def _leased(self, queue: str, item: QueueItem) -> _Stored:
        stored = self._queues.get(queue, {}).get(item.id)
        if stored is None or stored.item.receipt != item.receipt:
            raise NotFound(f"message {item.id} of {queue} was delivered again meanwhile")
        return stored

    def extend(self, queue: str, item: QueueItem, lease: float) -> QueueItem:
        """Hide a message longer."""
        with self._lock:
            stored = self._leased(queue, item)
            stored.item = replace(stored.item, receipt=str(uuid.uuid4()))
            stored.visible_at = self._clock() + lease
            return stored.item

    def delete(self, queue: str, item: QueueItem) -> None:
        """Remove a message."""
        with self._lock:
            self._leased(queue, item)
            del self._queues[queue][item.id]

    def create(self, queue: str) -> None:
        """Make a queue."""
        with self._lock:
            self._queues.setdefault(queue, {})

    def count(self, queue: str) -> int | None:
        """Count messages."""
        with self._lock:
            return len(self._queues[queue]) if queue in self._queues else None

    def oldest(self, queue: str) -> datetime | None:
        """Find the oldest message that can be taken."""
        with self._lock:
            waiting = self._queues.get(queue, {}).values()
            now = self._clock()
            put = [m.item.inserted for m in waiting if m.visible_at <= now and m.item.inserted]
            return min(put, default=None)

    def clear(self, queue: str) -> None:
        """Remove all messages."""
        with self._lock:
            if queue not in self._queues:
                raise NotFound(f"no queue {queue}")
            self._queues[queue] = {}

    def names(self) -> list[str]:
        """List queues."""
        with self._lock:
            return sorted(self._queues)


class MemoryBlobs:
    """Blobs in memory, at addresses under `https://memory.test/`."""

    root = "https://memory.test/"

    def __init__(self) -> None:
        self._blobs: dict[tuple[str, str], bytes] = {}
        self._infos: dict[tuple[str, str], BlobInfo] = {}
        self._etags = itertools.count(1)
        self.containers: set[str] = set()

    def make(self, container: str) -> None:
        """Make a container."""
        self.containers.add(container)

    def put(
        self,
        container: str,
        name: str,
        data: bytes,
        content_type: str,
        *,
        metadata: Mapping[str, str] | None = None,
        only_new: bool = False,
    ) -> str:
        """Write a blob."""
        if only_new and (container, name) in self._blobs:
            raise Conflict(f"{container}/{name} exists")
        self.make(container)
        self._blobs[container, name] = data
        etag = f'"etag-{next(self._etags)}"'
        self._infos[container, name] = BlobInfo(name, etag, len(data), dict(metadata or {}))
        return self.address(container, name)

    def address(self, container: str, name: str) -> str:
        """Return a blob's address."""
        return f"{self.root}{container}/{quote(name, safe='/~')}"

    def get(self, container: str, name: str, limit: int, *, etag: str = "") -> bytes:
        """Read a blob."""
        if etag not in ("", self.stat(container, name).etag):
            raise Conflict(f"{container}/{name} was replaced")
        data = self._blobs[container, name]
        if len(data) > limit:
            raise PermanentError(
                f"{container}/{name} has {len(data)} bytes; the limit is {limit}: "
                "send a smaller one"
            )
        return data

    def stat(self, container: str, name: str) -> BlobInfo:
        """Return what is known of a blob."""
        if not is_plain_path(name):
            raise PermanentError(f"{container}/{name[:100]} is not a valid blob name: rename it")
        if (container, name) not in self._infos:
            raise NotFound(f"no blob {container}/{name}")
        return self._infos[container, name]

    def delete(self, container: str, name: str, *, etag: str = "") -> None:
        """Remove a blob."""
        known = self._infos.get((container, name))
        if known is not None and etag in ("", known.etag):
            del self._infos[container, name], self._blobs[container, name]

    def list(self, container: str, prefix: str) -> list[str]:
        """List blobs."""
        return sorted(n for c, n in self._blobs if c == container and n.startswith(prefix))

    def scan(self, container: str) -> Iterator[BlobInfo]:
        """Return every blob of a container."""
        for place in sorted(self._infos):
            if place[0] == container:
                yield self._infos[place]

    def link(self, container: str, name: str, minutes: int) -> str:
        """Return an address that stands for a link."""
        return f"{self.root}{container}/{quote(name)}?minutes={minutes}"

    def locate(self, url: str) -> tuple[str, str] | None:
        """Find container and name."""
        rest = url.removeprefix(self.root)
        container, _, name = rest.partition("/")
        name = unquote(name)
        return (container, name) if rest != url and is_plain_path(name) else None


class MemoryLog:
    """`pipelinelogs` in memory; `now` returns the moment at which rows are written."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._entries: dict[JobKey, LogEntry] = {}
        self._fences = itertools.count(1)
        self._lock = threading.Lock()

    def _put(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        fence = f"fence-{next(self._fences)}"
        self._entries[key] = LogEntry(*key, dict(properties), fence, self._now())
        return fence

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        """Create an entity."""
        _check_keys(key)
        with self._lock:
            if key in self._entries:
                raise Conflict(f"{key} exists")
            return self._put(key, properties)

    def _fenced(self, key: JobKey, fence: str) -> LogEntry:
        entry = self._entries.get(key)
        if entry is None or entry.fence != fence:
            raise Conflict(f"{key} has changed")
        return entry

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Change properties."""
        with self._lock:
            return self._put(key, {**self._fenced(key, fence).properties, **properties})

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Set properties."""
        with self._lock:
            self._fenced(key, fence)
            return self._put(key, properties)

    def read(self, key: JobKey) -> LogEntry | None:
        """Read an entity."""
        return self._entries.get(key)

    def keys(self) -> Iterator[JobKey]:
        """Read all keys."""
        yield from sorted(self._entries)

    def delete(self, key: JobKey, fence: str = "") -> None:
        """Remove an entity."""
        _check_keys(key)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and fence in ("", entry.fence):
                del self._entries[key]

    def batch(self, batch_id: str, *, only: Sequence[str] = ()) -> Iterator[LogEntry]:
        """Read a batch."""
        for key in sorted(key for key in self._entries if key[0] == batch_id):
            entry = self._entries[key]
            chosen = {n: v for n, v in entry.properties.items() if not only or n in only}
            yield replace(entry, properties=chosen)


def _check_keys(key: JobKey) -> None:
    table_key(key[0], "batch_id")
    table_key(key[1], "id")
