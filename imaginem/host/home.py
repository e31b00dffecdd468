"""The home: the folder in which a host keeps what is its own. One host at a time runs on it."""

import errno
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from imaginem.errors import ConfigurationError, disk_full

_LOCK = "host.lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What file systems without locks answer to flock (flock(2), and NFS without a lock service)."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's errors into ours, which name the file: many of the system's name none.

    Args:
        path: the file in a home that is written inside the `with` block.

    Raises:
        DiskFull: there is no room.
        ConfigurationError: the file can't be written.
    """
    try:
        yield
    except OSError as problem:
        problem.filename = str(path)
        raise disk_full(problem) or ConfigurationError(
            f"{path} can't be written ({problem.strerror}): give this user the folder, or name "
            "another home with --home or IMAGINEM_HOME"
        ) from None


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that after a loss of power it holds the old text or the new one, whole.

    Raises:
        DiskFull: there is no room; the old text stays.
        ConfigurationError: it can't be written.
    """
    with writing(path):
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(number)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or the new name may be lost
        finally:
            os.close(folder)


class HomeLock:
    """A lock on a home, which the system releases however its holder ends.

    Args:
        home: the folder; made if it is missing.
        port: of the host's HTTP, for those who are refused; 0 if there is none.
    """

    def __init__(self, home: Path, port: int) -> None:
        self._home, self._port = home, port
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another host runs on the home, or the home can't be locked.
            DiskFull: there is no room in the home.
        """
        path = self._home / _LOCK
        with writing(path):
            self._home.mkdir(parents=True, exist_ok=True)
            file = path.open("ab+", buffering=0)  # nothing is left to be written when it closes
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            with file:
                raise _refusal(self._home, problem, file) from None
        try:
            with writing(path):
                file.truncate(0)
                told = {"pid": os.getpid(), "port": self._port, "since": _now()}
                file.write(json.dumps(told).encode())
        except BaseException:
            file.close()
            raise
        self._file = file

    @property
    def held(self) -> bool:
        """Whether it was taken, and not given back."""
        return self._file is not None

    def release(self) -> None:
        """Give the lock back, if it was taken; the file stays."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


def is_locked(home: Path) -> bool:
    """Tell whether a host runs on a home."""
    try:
        with (home / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _refusal(home: Path, problem: OSError, file: IO[bytes]) -> ConfigurationError:
    if isinstance(problem, BlockingIOError):
        return ConfigurationError(
            f"another host{_described(file)} runs on the home {home}: use that one, stop it, or "
            "name another home with --home"
        )
    if problem.errno in _NO_LOCKS:
        return ConfigurationError(
            f"the home {home} is on a file system without locks ({problem.strerror}), so two hosts "
            "could run on it: name a folder on a local disk with --home or IMAGINEM_HOME"
        )
    return ConfigurationError(f"the home {home} can't be locked: {problem.strerror}")


def _described(file: IO[bytes]) -> str:
    """Return what the holder of a lock wrote about itself; it may be writing at this moment."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
        port = f", http://127.0.0.1:{holder['port']}/" if holder["port"] else ""
        return f" (process {holder['pid']}{port}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return ""
