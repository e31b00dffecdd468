"""Queues, blobs and tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

JobKey = tuple[str, str]
"""Batch id and job id, as the message has them."""


@dataclass(frozen=True)
class QueueItem:
    """A message taken from a queue; `receipt` is needed to extend or delete it."""

    id: str
    body: str
    dequeue_count: int
    receipt: str
    inserted: datetime | None = None


class Queues(Protocol):
    """Named queues that deliver each message at least once."""

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message that never expires; make the queue if it is missing; return its id."""

    def receive(self, queue: str, count: int, lease: float) -> list[QueueItem]:
        """Take up to `count` messages, hidden from others for `lease` seconds."""

    def extend(self, queue: str, item: QueueItem, lease: float) -> QueueItem:
        """Hide a message for `lease` seconds from now. Raises NotFound if the lease is lost."""

    def delete(self, queue: str, item: QueueItem) -> None:
        """Remove a message that is done. Raises NotFound if the lease is lost."""

    def create(self, queue: str) -> None:
        """Make a queue unless it exists."""

    def count(self, queue: str) -> int | None:
        """Return about how many messages wait or are hidden; None if there is no such queue."""

    def oldest(self, queue: str) -> datetime | None:
        """Return about when the oldest message that can be taken now was put on the queue.

        None if all messages are hidden, or if there are none, or no such queue.
        """

    def clear(self, queue: str) -> None:
        """Remove every message. Raises NotFound."""

    def names(self) -> list[str]:
        """Return the queues' names, sorted."""


@dataclass(frozen=True)
class BlobInfo:
    """What storage knows of a blob without reading it.

    Attributes:
        etag: changes with each write of the blob.
        size: in bytes.
        metadata: what its writer attached; names in lower case.
    """

    name: str
    etag: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)


class Blobs(Protocol):
    """Private containers of bytes."""

    def make(self, container: str) -> None:
        """Make a container if it is missing."""

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
        """Write a blob, making the container if it is missing; return its address.

        Raises:
            Conflict: only a new one was wanted, and there is a blob of this name.
        """

    def get(self, container: str, name: str, limit: int, *, etag: str = "") -> bytes:
        """Return a blob's bytes.

        Raises:
            NotFound: there is no such blob.
            PermanentError: it has over `limit` bytes.
            Conflict: an ETag is given, and the blob was written again since; says when.
        """

    def stat(self, container: str, name: str) -> BlobInfo:
        """Return what is known of a blob. Raises NotFound."""

    def delete(self, container: str, name: str, *, etag: str = "") -> None:
        """Remove a blob if it exists and, where an ETag is given, still has it."""

    def list(self, container: str, prefix: str) -> list[str]:
        """Return the names that start with `prefix`, sorted."""

    def scan(self, container: str) -> Iterator[BlobInfo]:
        """Return every blob of a container by name, a page at a time; nothing if it is missing."""

    def address(self, container: str, name: str) -> str:
        """Return a blob's address, whether it exists or not."""

    def locate(self, url: str) -> tuple[str, str] | None:
        """Return container and name of an address in our own account, else None."""

    def link(self, container: str, name: str, minutes: int) -> str:
        """Return an address that lets whoever has it read this blob for some minutes."""


@dataclass(frozen=True)
class LogEntry:
    """A job's row in `pipelinelogs`."""

    batch_id: str
    job_id: str
    properties: Mapping[str, Any]
    fence: str
    updated: datetime | None = None


class JobLog(Protocol):
    """The table `pipelinelogs`: one entity a job. Fences are ETags."""

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        """Create the entity, return its fence. Raises Conflict if it exists."""

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Change some properties, return the new fence. Raises Conflict, also when missing."""

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Set all properties, return the new fence. Raises Conflict, also when missing."""

    def read(self, key: JobKey) -> LogEntry | None:
        """Return a job's entity."""

    def batch(self, batch_id: str, *, only: Sequence[str] = ()) -> Iterator[LogEntry]:
        """Return a batch's entities, by job id; with `only`, just these properties."""

    def keys(self) -> Iterator[JobKey]:
        """Return the keys of all jobs, a page at a time: it reads the whole table."""

    def delete(self, key: JobKey, fence: str = "") -> None:
        """Remove a job's entity if it exists and, where a fence is given, still has it."""


@dataclass(frozen=True)
class StateChange:
    """A change of one entry of the shared state, among several that are made together.

    Attributes:
        name: of the entry.
        text: its new text; None removes it.
        fence: that it must still have; empty for an entry that is created.
    """

    name: str
    text: str | None
    fence: str = ""


class SharedState(Protocol):
    """Small named texts that all instances share, changed by compare-and-swap."""

    def read(self, name: str) -> tuple[str, str] | None:
        """Return an entry's text and its fence; None if it was never written."""

    def write(self, name: str, text: str, fence: str) -> str:
        """Change an entry, return its new fence. An empty fence creates the entry.

        Raises:
            Conflict: another instance has written it meanwhile.
        """

    def list(self, prefix: str) -> dict[str, tuple[str, str]]:
        """Return text and fence of each entry whose name starts with `prefix`, by name."""

    def remove(self, name: str, fence: str = "") -> None:
        """Remove an entry if it exists and, where a fence is given, still has it."""

    def change(self, changes: Sequence[StateChange]) -> Sequence[str]:
        """Make all these changes, at most 100 of different entries, or none of them.

        Returns:
            The new fences, in the order of the changes; empty for an entry that is removed.

        Raises:
            Conflict: another instance has changed one of the entries meanwhile.
        """
