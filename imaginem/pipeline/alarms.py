"""Alarms of a real process: each waits on a thread of its own."""

import threading
from collections.abc import Callable


class ThreadAlarm:
    """A thread that waits, and then does something; see `imaginem.ports.alarms`."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, act)
        self._timer.daemon = True  # a process that ends waits for none
        self._timer.start()

    def stop(self) -> None:
        """See that it is not done any more; if it is being done now, wait until that is over."""
        self._timer.cancel()
        self._timer.join()


class ThreadAlarms:
    """Does things later, each on a thread of its own: few are set, and most are stopped."""

    def after(self, seconds: float, act: Callable[[], None]) -> ThreadAlarm:
        """Do something in so many seconds."""
        return ThreadAlarm(seconds, act)
