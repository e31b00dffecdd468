"""The note in a home that something was erased whose bytes may still lie in its files."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from imaginem.errors import ImaginemError
from imaginem.storage.durable import Disk, disk_errors, flush

_NOTE = "erased"
_HALFWAY = b"messages"
_logger = logging.getLogger("imaginem.remains")


class FileRemains:
    """A file in the home; that it exists is the note, and it says nothing of what was erased.

    Args:
        home: the folder.
        wipe_log: empties the write-ahead log of the home's database, as far as it can.
    """

    def __init__(self, home: Path, wipe_log: Callable[[], None]) -> None:
        self._note, self._wipe_log = home / _NOTE, wipe_log

    @property
    def waiting(self) -> bool:
        """Tell whether the file exists."""
        return self._note.exists()

    @property
    def halfway(self) -> bool:
        """Tell whether all was compacted since the last erasure, and only messages wait."""
        with suppress(FileNotFoundError):
            return self._note.read_bytes() == _HALFWAY
        return False

    def note(self) -> None:
        """Make the file; a full disk must not keep anybody from erasing."""
        try:
            if not self.waiting or self.halfway:
                self._write(b"")
        except ImaginemError as problem:
            _logger.warning("%s: it can't be noted that something was erased", problem)

    def wipe(self) -> None:
        """Empty the log; the note could not be made before if the disk was full."""
        self.note()
        self._wipe_log()

    def compacted(self, *, whole: bool) -> None:
        """Remove the note, or keep it because messages wait that may be of what was erased."""
        if not whole:
            self._write(_HALFWAY)
            return
        with disk_errors(self._note.parent):
            self._note.unlink(missing_ok=True)
            Disk().sync(self._note.parent)

    def _write(self, text: bytes) -> None:
        folder = self._note.parent
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # In place: two erasures at once would be in each other's way with files aside.
            how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with os.fdopen(os.open(self._note, how, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                flush(file.fileno())
            Disk().sync(folder)
