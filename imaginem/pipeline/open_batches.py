"""Which batches may have jobs at work, so that the watchdog looks at no others.

A process notes a batch in the shared state when it sends a job of it or opens a run: once an hour
and batch at most. The entry's name has the hour in it, so that noting is one insert which reads
nothing, and an entry that is removed was noted by nobody for hours. Erasing a batch removes none:
other processes rely on it, and a job may be sent to that batch again.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable

from imaginem.errors import Conflict
from imaginem.ports import SharedState

_PREFIX = "open-"
_HOUR = 3600
_KEPT_HOURS = 2  # a process that noted a batch in one hour relies on it until the next one begins


class NotedBatches:
    """The batches that may have jobs at work.

    Args:
        shared_state: where they are noted.
        clock: returns seconds since 1970.
    """

    def __init__(self, shared_state: SharedState, clock: Callable[[], float] = time.time) -> None:
        self._shared_state = shared_state
        self._clock = clock
        self._lock = threading.Lock()
        self._hour = 0
        self._noted: set[str] = set()

    def note(self, batch_id: str, *, surely: bool = False) -> None:
        """Say that a job of a batch was sent or has begun."""
        hour = self._this_hour()
        with self._lock:
            if hour != self._hour:
                self._hour, self._noted = hour, set()
            if batch_id in self._noted and not surely:
                return
        with contextlib.suppress(Conflict):  # another process has noted it
            self._shared_state.write(f"{_of(batch_id)}{hour:x}", batch_id, "")
        with self._lock:
            self._noted.add(batch_id)

    def noted(self) -> list[str]:
        """Return the batches that may have jobs at work."""
        return sorted({batch_id for batch_id, _ in self._shared_state.list(_PREFIX).values()})

    def close(self, batch_id: str) -> None:
        """Forget a batch whose jobs have ended, but for what was noted in the last hours."""
        oldest = self._this_hour() - _KEPT_HOURS
        for name in self._shared_state.list(_of(batch_id)):
            if int(name.rpartition("-")[2], 16) <= oldest:
                self._shared_state.remove(name)

    def forget(self, batch_id: str) -> None:
        """Forget a batch at once: no process may be at work that has noted it."""
        for name in self._shared_state.list(_of(batch_id)):
            self._shared_state.remove(name)

    def _this_hour(self) -> int:
        return int(self._clock() // _HOUR)


def _of(batch_id: str) -> str:
    """Return what the names of a batch's entries begin with, short whatever the id's length."""
    digest = hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_PREFIX}{digest[:32]}-"
