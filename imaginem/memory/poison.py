"""In-memory fake of the messages that could not be processed."""

from dataclasses import replace
from datetime import UTC, datetime

from imaginem.ports import PoisonEntry, PoisonFilter, PoisonPage
from imaginem.ports.cursors import cursor_after, read_names


class MemoryPoison:
    """`pipelinepoison` in memory."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], PoisonEntry] = {}

    def add(self, entry: PoisonEntry) -> None:
        """Keep an entry."""
        self._entries[entry.queue, entry.id] = replace(entry, at=datetime.now(UTC))

    def correct(self, entry: PoisonEntry) -> None:
        """Keep an entry with another body."""
        if (entry.queue, entry.id) in self._entries:
            self._entries[entry.queue, entry.id] = entry

    def list(self, queue: str | None = None) -> list[PoisonEntry]:
        """List entries."""
        return [e for k, e in sorted(self._entries.items()) if queue in (None, k[0])]

    def page(self, wanted: PoisonFilter, cursor: str = "", limit: int = 100) -> PoisonPage:
        """List some entries without bodies."""
        start = read_names(cursor, 2) if cursor else ("", "")
        fitting = [e for k, e in sorted(self._entries.items()) if k > start and wanted.fits(e)]
        shown = [replace(entry, body="") for entry in fitting[:limit]]
        more = len(fitting) > limit
        return PoisonPage(shown, cursor_after(shown[-1].queue, shown[-1].id) if more else "")

    def count(self, wanted: PoisonFilter, most: int) -> int:
        """Count entries."""
        return min(most, sum(wanted.fits(entry) for entry in self._entries.values()))

    def read(self, queue: str, message_id: str) -> PoisonEntry | None:
        """Read an entry."""
        return self._entries.get((queue, message_id))

    def drop(self, queue: str, message_id: str) -> None:
        """Remove an entry."""
        self._entries.pop((queue, message_id), None)
