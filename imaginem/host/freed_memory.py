"""Gives memory that a worker has freed back to the system, now and then.

Networks take their working memory from the C library, which keeps what they free for the next one.
To give it back after each photo, and get it again for the next, took a fifth of a photo's time. A
photo that is far larger than others should not leave a worker large for good, though.
"""

import ctypes
import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

_logger = logging.getLogger("imaginem.host.worker")
GIVE_BACK_EVERY = 5.0
"""Seconds: what was freed is kept for so long at most, and is given back no more often."""
_LARGE = 500 * 2**20
"""Bytes of resident memory from which it is worth while."""
_PAGE = 4096


class FreedMemory:
    """Gives freed memory back on a thread of its own, so that no function waits for it.

    Args:
        give_back: does it.
        every: seconds between two times at least.
    """

    def __init__(
        self, give_back: Callable[[], None] | None = None, every: float = GIVE_BACK_EVERY
    ) -> None:
        self._give_back, self._every = give_back or give_back_memory, every
        self._freed = threading.Event()

    def start(self) -> None:
        """Begin; it ends with the process."""
        threading.Thread(target=self._run, name="memory", daemon=True).start()

    def note(self) -> None:
        """Note that something has ended, and may have freed memory."""
        self._freed.set()

    def _run(self) -> None:
        while True:
            self._freed.wait()
            time.sleep(self._every)
            self._freed.clear()
            try:
                self._give_back()
            except Exception:
                _logger.exception("freed memory was not given back; trying again later")


def give_back_memory(above: int = _LARGE) -> None:
    """Return freed memory to the system if this process is large.

    Args:
        above: bytes of resident memory; below it nothing is done.
    """
    trim = _trim()
    statm = Path("/proc/self/statm")
    if trim is None or not statm.exists():
        return
    if int(statm.read_text().split()[1]) * _PAGE > above:
        trim(0)


@cache
def _trim() -> Callable[[int], object] | None:
    """Return glibc's function; None with another C library."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
