"""Learns what the storage emulator has saved for good.

What Azurite 3.36 does, by its source:

* Its books are five files, `__azurite_db_*.json`: blobs, queues, tables, and where the bytes of
  blobs and of queue messages lie. Each is saved on its own, every five seconds if anything
  changed, and once more when the emulator ends after SIGTERM or SIGINT
  (`LokiBlobMetadataStore`, `LokiQueueMetadataStore`, `LokiTableMetadataStore`,
  `LokiExtentMetadataStore`: `autosaveInterval: 5000`, `close`).
* A save writes everything into a file aside and renames it (`LokiFsAdapter.saveDatabase`): after
  a kill a file is old or new, never half. It is not flushed to the disk.
* The bytes themselves are appended to files in `__blobstorage__` and `__queuestorage__` and
  flushed before the call is answered (`FSExtentStore.streamPipe`), but only the books find them.

So up to five seconds of what was acknowledged is gone after a kill, each service's from a moment
of its own. The time of a file says when it was written, not what is in it: what came while it
was written is missing. Hence a mark: it is written into every service, and once the files hold
it, they hold all that was acknowledged before.
"""

import json
import mmap
import os
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from imaginem.errors import Conflict
from imaginem.ports import Blobs, Queues, SharedState
from imaginem.storage.durable import Disk, flush, write_whole

_BOOKS = {kind: f"__azurite_db_{kind}__.json" for kind in ("blob", "queue", "table")}
_PLACES = tuple(f"__azurite_db_{kind}_extent__.json" for kind in ("blob", "queue"))
_ENTRY = "saved"
_QUEUE = "imaginem-saved"
_BLOB = ("azure-webjobs-hosts", "imaginem/saved")
_SLOWEST_SAVE = timedelta(seconds=60)
"""The books of places can't be marked, but are never saved later than this: they have a line for
each 64 MiB, so that a save takes milliseconds, and comes every five seconds."""
_WITHOUT_FILES = timedelta(minutes=15)
"""When the emulator's files are not ours to read: 180 times as long as it takes to save."""


class EmulatorSaves:
    """Marks the emulator's data and looks for the mark in its files.

    Args:
        data: folder of the emulator's files.
        note: file that keeps the latest mark.
        blobs: of the emulator.
        queues: of the emulator.
        shared_state: in the emulator's tables.
    """

    def __init__(
        self, data: Path, note: Path, blobs: Blobs, queues: Queues, shared_state: SharedState
    ) -> None:
        self._data, self._note = data, note
        self._blobs, self._queues, self._shared = blobs, queues, shared_state

    def mark(self) -> None:
        """Write a new mark into blobs, queues and tables.

        Raises:
            StorageUnavailable: storage did not answer.
        """
        at, mark = datetime.now(UTC), uuid.uuid4().hex
        self._blobs.put(*_BLOB, b"x", "text/plain", metadata={"mark": mark})
        self._queues.create(_QUEUE)
        self._queues.clear(_QUEUE)
        message = self._queues.send(_QUEUE, mark)
        known = self._shared.read(_ENTRY)
        with suppress(Conflict):  # another process leaves its mark just now
            self._shared.write(_ENTRY, mark, known[1] if known else "")
        told = {"at": at.isoformat(), "blob": mark, "queue": message, "table": mark}
        write_whole(Disk(), self._note, [json.dumps(told).encode()])

    def until(self) -> datetime | None:
        """Return the moment before which everything is saved and on the disk; None if unknown."""
        now, tables = datetime.now(UTC), self._data / _BOOKS["table"]
        if not tables.exists():
            return now - _WITHOUT_FILES
        try:
            told = json.loads(self._note.read_text())
            at = datetime.fromisoformat(told["at"])
            marks = {kind: str(told[kind]).encode("ascii") for kind in _BOOKS}
            if at > now:  # the clock was set back: what came later would seem earlier
                return None
            written = datetime.fromtimestamp(tables.stat().st_mtime, UTC)
            if written < at < now - _WITHOUT_FILES:  # the files of another emulator
                return now - _WITHOUT_FILES
            if not all(_holds(self._data / name, marks[kind]) for kind, name in _BOOKS.items()):
                return None
            for name in _PLACES:
                _holds(self._data / name, b"")
        except (OSError, ValueError, KeyError, TypeError):  # no mark yet, or a file just changes
            return None
        Disk().sync(self._data)
        return at - _SLOWEST_SAVE


def _holds(path: Path, mark: bytes) -> bool:
    """Tell whether a file holds a mark; if it does, it is on the disk."""
    with path.open("rb") as file:
        flush(file.fileno())
        if not os.fstat(file.fileno()).st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return text.find(mark) >= 0
