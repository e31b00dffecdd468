"""Alarms of a real process: one thread waits for all of them."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import partial


class ThreadAlarm:
    """Something that is done once, on a thread of its own; see `imaginem.ports.alarms`."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act
        self._begun = threading.Lock()
        self._ended: threading.Event | None = None

    def stop(self) -> None:
        """See that it is not done any more; if it is being done now, wait until that is over."""
        with self._begun:
            self._act, ended = None, self._ended
        if ended is not None:
            ended.wait()

    def go_off(self) -> None:
        """Do it on a thread of its own, so that no other alarm waits; nothing if it was stopped."""
        with self._begun:
            act, self._act = self._act, None
            if act is None:
                return
            self._ended = ended = threading.Event()

        def run() -> None:
            try:
                act()
            finally:
                ended.set()

        # A process that ends waits for none.
        threading.Thread(target=run, name="alarm", daemon=True).start()


class ThreadAlarms:
    """Does things later. Most are stopped before, so one thread waits for all of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, ThreadAlarm]] = []
        self._numbers = itertools.count()  # so that no two entries are equal
        self._waits = False

    def after(self, seconds: float, act: Callable[[], None]) -> ThreadAlarm:
        """Do something in so many seconds, as a part of what goes on now."""
        alarm = ThreadAlarm(partial(copy_context().run, act))
        entry = (time.monotonic() + seconds, next(self._numbers), alarm)
        with self._changed:
            heapq.heappush(self._due, entry)
            if not self._waits:
                self._waits = True
                threading.Thread(target=self._wait, name="alarms", daemon=True).start()
            elif self._due[0] is entry:
                self._changed.notify()
        return alarm

    def _wait(self) -> None:
        while True:
            with self._changed:
                while not self._due or (left := self._due[0][0] - time.monotonic()) > 0:
                    self._changed.wait(left if self._due else None)
                _, _, alarm = heapq.heappop(self._due)
            alarm.go_off()
