"""The table of dropped photos in memory."""

import itertools
import threading
from dataclasses import replace

from imaginem.errors import Conflict
from imaginem.names import table_key
from imaginem.ports import Drop


class MemoryDrops:
    """`pipelinedrops` in memory."""

    def __init__(self) -> None:
        self._drops: dict[tuple[str, str], Drop] = {}
        self._fences = itertools.count(1)
        self._lock = threading.Lock()

    def read(self, batch_id: str, blob: str) -> Drop | None:
        """Read a record."""
        table_key(batch_id, "batch_id")
        return self._drops.get((batch_id, blob))

    def write(self, drop: Drop) -> Drop:
        """Write a record."""
        place = (drop.batch_id, drop.blob)
        with self._lock:
            if self._fence(drop) != drop.fence:
                raise Conflict(f"the record of {drop.blob} has changed")
            self._drops[place] = replace(drop, fence=f"fence-{next(self._fences)}")
            return self._drops[place]

    def _fence(self, drop: Drop) -> str:
        known = self._drops.get((drop.batch_id, drop.blob))
        return known.fence if known else ""

    def of_batch(self, batch_id: str) -> list[Drop]:
        """Read a batch's records."""
        return [drop for place, drop in self._drops.items() if place[0] == batch_id]

    def remove(self, drop: Drop) -> None:
        """Remove a record."""
        with self._lock:
            if self._fence(drop) == drop.fence:
                self._drops.pop((drop.batch_id, drop.blob), None)
