"""In-memory fake of the small texts that all instances share."""

import itertools
import threading
from collections.abc import Sequence

from imaginem.errors import Conflict
from imaginem.ports import StateChange


class MemorySharedState:
    """Shared texts in memory."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._fences = itertools.count(1)

    def read(self, name: str) -> tuple[str, str] | None:
        """Read an entry."""
        return self._texts.get(name)

    def write(self, name: str, text: str, fence: str) -> str:
        """Change an entry."""
        with self._lock:
            if self._texts.get(name, ("", ""))[1] != fence:
                raise Conflict(f"the shared entry {name} has changed")
            new_fence = f"fence-{next(self._fences)}"
            self._texts[name] = (text, new_fence)
            return new_fence

    def list(self, prefix: str) -> dict[str, tuple[str, str]]:
        """List entries."""
        with self._lock:
            return {name: kept for name, kept in self._texts.items() if name.startswith(prefix)}

    def remove(self, name: str, fence: str = "") -> None:
        """Remove an entry."""
        with self._lock:
            if fence in ("", self._texts.get(name, ("", ""))[1]):
                self._texts.pop(name, None)

    def change(self, changes: Sequence[StateChange]) -> Sequence[str]:
        """Change several entries."""
        with self._lock:
            for change in changes:
                if self._texts.get(change.name, ("", ""))[1] != change.fence:
                    raise Conflict(f"the shared entry {change.name} has changed")
            return [self._apply(change) for change in changes]

    def _apply(self, change: StateChange) -> str:
        if change.text is None:
            del self._texts[change.name]
            return ""
        fence = f"fence-{next(self._fences)}"
        self._texts[change.name] = (change.text, fence)
        return fence
