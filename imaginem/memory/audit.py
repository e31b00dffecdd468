"""In-memory fake of the audit trail."""

import threading
from collections.abc import Iterator, Sequence

from imaginem.errors import Conflict
from imaginem.ports.audit import AuditEntry


class MemoryAuditTrail:
    """`pipelineaudit` in memory."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int], AuditEntry] = {}
        self._lock = threading.Lock()

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Keep entries."""
        keys = [(entry.chain, entry.number) for entry in entries]
        with self._lock:
            if any(key in self._entries for key in keys):
                raise Conflict("the chain has grown")
            self._entries.update(zip(keys, entries, strict=True))

    def read(self, since: str = "", until: str = "") -> Iterator[AuditEntry]:
        """Read entries."""
        with self._lock:
            entries = sorted(self._entries.items())
        for (chain, _), entry in entries:
            if chain >= since and (not until or chain < until):
                yield entry

    def remove_chain(self, chain: str) -> None:
        """Remove a chain."""
        with self._lock:
            for key in [key for key in self._entries if key[0] == chain]:
                del self._entries[key]
