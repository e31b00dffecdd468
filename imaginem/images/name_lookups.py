"""Looking up host names within a given time: the system's own lookup knows no time limit."""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from imaginem.images.deadlines import Deadline

Entries = Sequence[tuple[Any, ...]]
"""What `socket.getaddrinfo` returns: the last of each is an address and a port."""
LookUp = Callable[[str, int], Entries]
AT_ONCE = 32
"""Most lookups of a process at a time, late ones included."""


def _system(host: str, port: int) -> Entries:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class NameLookups:
    """Looks names up, each in a thread of its own.

    A lookup can't be stopped. A late one is left alone, what it finds is dropped, and it counts as
    one of those at a time until it ends: a slow name server makes others wait, never more threads.

    Args:
        look_up: as `socket.getaddrinfo` does.
        at_once: most lookups at a time.
    """

    def __init__(self, look_up: LookUp = _system, at_once: int = AT_ONCE) -> None:
        self._look_up = look_up
        self._free = threading.BoundedSemaphore(at_once)

    def __call__(self, host: str, port: int, deadline: Deadline) -> Entries:
        """Return what is found for a host.

        Args:
            host: its name.
            port: to connect to.
            deadline: after which it is given up.

        Raises:
            TimeoutError: nothing was found until then.
            OSError: as `socket.getaddrinfo`; UnicodeError too.
        """
        if not self._free.acquire(timeout=deadline.left()):
            raise TimeoutError(f"too many names are being looked up to look {host} up, too")
        asked = _Asked(self._look_up, host, port, self._free)
        try:
            asked.start()
        except RuntimeError:  # the system has no thread left
            self._free.release()
            raise TimeoutError(f"{host} can't be looked up now") from None
        asked.join(deadline.left())
        return asked.found()


class _Asked(threading.Thread):
    """One lookup; a process ends without waiting for it."""

    def __init__(
        self, look_up: LookUp, host: str, port: int, free: threading.BoundedSemaphore
    ) -> None:
        super().__init__(daemon=True)
        self._ask = look_up, host, port
        self._free = free
        self._found: Entries | Exception | None = None

    def run(self) -> None:
        look_up, host, port = self._ask
        try:
            self._found = look_up(host, port)
        except Exception as problem:  # raised where it is asked for
            self._found = problem
        finally:
            self._free.release()

    def found(self) -> Entries:
        """Return what was found, or raise what went wrong."""
        if self._found is None:
            raise TimeoutError(f"{self._ask[1]} was not looked up in time")
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


look_up_name = NameLookups()
"""The lookups of this process."""
