"""The home: the folder in which a host keeps what is its own. One host at a time runs on it."""

import errno
import fcntl
import json
import os
import tempfile
import time
from pathlib import Path
from typing import IO

from imaginem.errors import ConfigurationError

_LOCK = "host.lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What file systems without locks answer to flock (flock(2), and NFS without a lock service)."""


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that after a loss of power it holds the old text or the new one, whole."""
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
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another host runs on the home, or the home can't be locked.
        """
        path = self._home / _LOCK
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        except OSError as problem:
            raise ConfigurationError(
                f"the home {self._home} can't be written ({problem.strerror}): name another one "
                "with --home or IMAGINEM_HOME"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            with file:
                raise _refusal(self._home, problem, file) from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "port": self._port, "since": _now()}, file)
        file.flush()
        self._file = file

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


def _refusal(home: Path, problem: OSError, file: IO[str]) -> ConfigurationError:
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


def _described(file: IO[str]) -> str:
    """Return what the holder of a lock wrote about itself; it may be writing at this moment."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
        port = f", http://127.0.0.1:{holder['port']}/" if holder["port"] else ""
        return f" (process {holder['pid']}{port}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return ""
