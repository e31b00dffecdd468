"""Errors; the class says what the pipeline does about it.

A step raises one of these to say whether trying again can help. Any other exception is a
defect: the host delivers the message again, and poisons it after the last try.
"""

import errno
import math
import shutil
import tempfile
from pathlib import Path


class ImaginemError(Exception):
    """Base of every error that Imaginem raises on purpose."""


class PermanentError(ImaginemError):
    """Trying again cannot help: the step is recorded `failed` and the job goes on."""


class RetryableError(ImaginemError):
    """Trying again later may help: the message goes back to its queue with a delay.

    Args:
        message: one line that says what to do.
        retry_after: least seconds to wait, when the service named them.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        known = retry_after is not None and math.isfinite(retry_after)
        self.retry_after = retry_after if known else None


class Busy(RetryableError):
    """A service has no capacity now: the message waits, which does not count as a try."""


class InvalidMessage(ImaginemError):
    """The message can never be processed: it is kept in `pipelinepoison` with the reason."""


class StorageUnavailable(ImaginemError):
    """Queue, blob or table storage did not answer: the host redelivers the message."""


class StorageSilent(StorageUnavailable):
    """Nobody answers at storage's address; whoever shows this says where to look."""


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_BELOW = 4 * 2**20  # bytes: some systems keep a few blocks that nobody gets


class DiskFull(Busy, StorageUnavailable):
    """A disk has no room left: nothing is lost, and what was to be written waits.

    Args:
        what: could not be written.
        folder: on that disk.
    """

    def __init__(self, what: str, folder: Path) -> None:
        free = free_bytes(folder)
        left = "" if free is None else f" ({free / 1e6:.1f} MB free)"
        super().__init__(f"{what}: the disk of {folder} is full{left}: make room there")


def free_bytes(folder: Path) -> int | None:
    """Return the bytes that are free on a folder's disk; None if that can't be told."""
    existing = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return None


def is_full(folder: Path) -> bool:
    """Tell whether a folder's disk has no room left."""
    free = free_bytes(folder)
    return free is not None and free < _FULL_BELOW


def disk_full(problem: OSError, folder: Path | None = None) -> DiskFull | None:
    """Return what an error means if a disk without room is behind it, else None.

    Args:
        problem: of the operating system.
        folder: where it was to write, if it does not name the file itself.
    """
    if problem.errno not in _NO_ROOM:
        return None
    name = problem.filename if isinstance(problem.filename, str) else ""
    place = Path(name).parent if name else folder or Path(tempfile.gettempdir())
    return DiskFull(Path(name).name if name else "a file", place.absolute())


class ConfigurationError(ImaginemError):
    """A setting, package or file is missing or wrong; the message says how to fix it."""


class RegistrationError(ImaginemError):
    """A step is declared in a way that cannot work; raised at import."""


class NotFound(ImaginemError):
    """A blob, queue, entity or row does not exist."""


class Conflict(ImaginemError):
    """Somebody else has written a row or a blob since it was read."""
