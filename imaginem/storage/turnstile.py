"""Whoever sends a job waits while storage starts and is compared with what was accepted.

A command that sends a job in that moment would have it sent a second time by the comparison. A lock
on a file holds across processes, and ends with each of them however it ends.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imaginem.errors import StorageUnavailable

_logger = logging.getLogger("imaginem.landing")
_LOOK_EVERY = 0.05
_SENDER_WAITS = 60.0
_HOST_WAITS = 30.0
"""Longer than a call needs to fail that finds no storage, its second and third try included."""


class Turnstile:
    """Lets senders through, any number at once, as long as it is not closed.

    Args:
        path: of the file with the lock; on a file system without locks everybody goes through.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed: int | None = None

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Go through; it does not close while the `with` block runs.

        Raises:
            StorageUnavailable: it has been closed for a minute.
        """
        file = self._open()
        try:
            if file is not None and not _lock(file, fcntl.LOCK_SH, _SENDER_WAITS):
                raise StorageUnavailable(
                    "storage starts, and is being compared with what was accepted: try again when "
                    "`imaginem start` says that it is ready"
                )
            yield
        finally:
            if file is not None:
                os.close(file)

    def close(self) -> None:
        """Let nobody through any more, once those who are in it are out; closed, it stays so."""
        if self._closed is not None:
            return
        file = self._open()
        if file is not None and not _lock(file, fcntl.LOCK_EX, _HOST_WAITS):
            _logger.warning(
                "a command has been sending a job for %.0f s: the job may be sent twice",
                _HOST_WAITS,
            )
        self._closed = file

    def open(self) -> None:
        """Let everybody through."""
        if self._closed is not None:
            os.close(self._closed)
            self._closed = None

    def _open(self) -> int | None:
        """Return the file; None if there can be none: what lands will say why."""
        with suppress(OSError):
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        return None


def _lock(file: int, kind: int, seconds: float) -> bool:
    """Try to lock a file for some seconds; tell whether nothing stands in the way."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY)
        except OSError:  # no locks here
            return True
        else:
            return True
