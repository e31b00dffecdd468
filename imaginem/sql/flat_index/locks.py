"""A lock between the processes of a machine, which ends with the process that holds it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_EVERY = 0.005


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[bool]:
    """Hold the lock of a file; yield whether it was free within some seconds.

    Raises:
        FileNotFoundError: the file's folder is not there, or no longer.
    """
    deadline = time.monotonic() + seconds
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            held = _lock(file, deadline)
            if not held or _is_in_place(file, path):
                yield held
                return
        finally:
            os.close(file)


def _is_in_place(file: int, path: Path) -> bool:
    """Tell whether the path leads to the locked file: else whoever comes next locks another."""
    return os.path.samestat(os.fstat(file), path.stat())


def _lock(file: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY)
        else:
            return True
