"""Files that outlive a crash of the machine: written aside, flushed, and put in place at once."""

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imaginem.errors import ConfigurationError, DiskFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
TEMPORARY = ".writing-"
"""How the name of a file begins that is not whole yet."""


class Disk:
    """What `write_whole` needs of the operating system; tests record the calls."""

    def write(self, path: Path, parts: Iterable[bytes]) -> None:
        """Make a file that only this user may read; return once its bytes are on the disk."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            flush(file.fileno())

    def rename(self, path: Path, to: Path) -> None:
        """Give a file its name, in place of the one that has it."""
        path.replace(to)

    def sync(self, folder: Path) -> None:
        """Return once the names in a folder are on the disk."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            flush(descriptor)
        finally:
            os.close(descriptor)


def flush(descriptor: int) -> None:
    """Return once a file or folder is on the disk, and not in the disk's own memory only."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        return
    os.fsync(descriptor)


def write_whole(disk: Disk, path: Path, parts: Iterable[bytes]) -> None:
    """Write a file so that a reader, and a crash at any moment, finds all of it or nothing.

    Raises:
        DiskFull: there is no room; nothing is left then.
        ConfigurationError: the folder can't be written.
    """
    aside = path.with_name(f"{TEMPORARY}{path.name}")
    with disk_errors(path.parent):
        try:
            disk.write(aside, parts)
            disk.rename(aside, path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        try:
            disk.sync(path.parent)
        except OSError:
            path.unlink(missing_ok=True)
            raise


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours.

    Raises:
        DiskFull: there is no room.
        ConfigurationError: the folder can't be written.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno in _FULL:
            raise DiskFull("nothing can be accepted", folder) from None
        raise ConfigurationError(
            f"{folder} can't be written ({problem.strerror}): give this user the folder, or name "
            "another one in IMAGINEM_HOME"
        ) from None
