"""In-memory fake of the tombstones."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

from imaginem.memory.storage import utc_now


class MemoryTombstones:
    """`pipelinetombstones` in memory; `now` returns the moment at which marks are laid."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._marks: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()

    def lay(self, batch: str, marks: Collection[str]) -> None:
        """Write marks."""
        with self._lock:
            self._marks.update({(batch, mark): self._now() for mark in marks})

    def lift(self, batch: str, marks: Collection[str]) -> None:
        """Remove marks."""
        with self._lock:
            for mark in marks:
                self._marks.pop((batch, mark), None)

    def find(self, batch: str, marks: Collection[str]) -> Mapping[str, datetime]:
        """Find marks."""
        with self._lock:
            places = {mark: (batch, mark) for mark in marks}
            return {m: self._marks[place] for m, place in places.items() if place in self._marks}

    def all(self) -> Iterator[tuple[str, str, datetime]]:
        """Read all marks."""
        with self._lock:
            marks = sorted(self._marks.items())
        for (batch, mark), laid in marks:
            yield batch, mark, laid

    def restore(self, marks: Iterable[tuple[str, str, datetime]]) -> None:
        """Write marks with their times."""
        with self._lock:
            for batch, mark, laid in marks:
                there = self._marks.get((batch, mark), laid)
                self._marks[batch, mark] = max(laid, there)

    def settle(self) -> None:
        """Return at once: messages in memory have exact times."""
