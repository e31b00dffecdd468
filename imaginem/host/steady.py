"""Threads that survive errors: each unexpected one is logged, and the work goes on."""

import logging
import queue
import threading
import time
from collections.abc import Callable

_logger = logging.getLogger("imaginem.host")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class SteadyThread:
    """A daemon thread whose work is begun again when it raises.

    Args:
        name: of the thread, for the log.
        work: returns when the thread shall end.
        stopped: while it is set, failed work is not begun again.
    """

    def __init__(self, name: str, work: Callable[[], None], stopped: threading.Event) -> None:
        self._name, self._work, self._stopped = name, work, stopped
        self._returned = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin the work."""
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end for some seconds; tell whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(max(seconds, 0.0))
        return not self._thread.is_alive()

    @property
    def lost(self) -> str:
        """The thread's name if it ended although its work has not; else empty."""
        begun = self._thread.ident is not None
        ended = begun and not self._thread.is_alive()
        return self._name if ended and not self._returned and not self._stopped.is_set() else ""

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                self._work()
            except Exception:
                _logger.exception("%s: an unexpected error; trying again", self._name)
            else:
                self._returned = True
                return
            if self._stopped.wait(pause):
                return
            pause = min(pause * 2, _LONGEST_PAUSE)


class Crew:
    """A few daemon threads for calls that may block; nobody waits for their results.

    The threads of `concurrent.futures` would keep the process from ending while one hangs.

    Args:
        name: of the threads.
        size: number of threads.
    """

    def __init__(self, name: str, size: int) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._size = size
        for number in range(size):
            thread = threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            thread.start()

    def submit(self, call: Callable[[], object]) -> None:
        """Have a thread make a call; an error is logged."""
        self._calls.put(call)

    def dismiss(self) -> None:
        """Let the threads end after the calls that were submitted."""
        for _ in range(self._size):
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception:
                _logger.exception("an unexpected error after a function ended")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition for some seconds at most; tell whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
