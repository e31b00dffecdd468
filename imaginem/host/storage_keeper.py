"""Keeps the storage emulator alive: finds that it died, ends one that hangs, starts it again."""

import logging
import threading
import time
from collections.abc import Callable

from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.host.emulator import Emulator

_logger = logging.getLogger("imaginem.host")
_PROBE_SECONDS = 10.0
_PROBE_EVERY = 2.0
_LOOK_AGAIN = 0.5
_LONGEST_SILENCE = 60.0
"""Seconds without an answer after which it counts as hanging: a busy machine is slow."""
_LONGEST_STOPPED = 5.0
"""Seconds that a signal may hold it up: that it will not answer is certain, and it may be short."""
_QUICK_DEATH = 60.0
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0


def delay_after(deaths: int) -> float:
    """Return the seconds before the next start, after so many quick deaths in a row."""
    return min(_FIRST_DELAY * 2.0 ** min(deaths - 1, 10), _LONGEST_DELAY)


class StorageKeeper:
    """Starts the emulator, and again when it died; does nothing if others keep the storage.

    An emulator that hangs is ended at once, by the thread that watches it: calls that wait for its
    answer fail then, those of whoever would start it again among them.

    Args:
        emulator: None where an account is named, which is not ours to start.
        starting: called before each start of the emulator, while no process of it runs that we
            have started.
    """

    def __init__(
        self, emulator: Emulator | None, starting: Callable[[], None] = lambda: None
    ) -> None:
        self._emulator, self._starting = emulator, starting
        self._stopped_for = self._silent_for = 0.0
        self._hung = ""
        self._changing = threading.Lock()  # one process ends, another comes
        self._deaths = 0
        self._up_since = 0.0
        self._closing = threading.Event()

    def start(self) -> None:
        """Start the emulator, and begin to watch it.

        Raises:
            ConfigurationError: it can't be started.
            DiskFull: there is no room for its data.
        """
        if self._emulator is not None:
            self._starting()
            self._emulator.start()
            self._up_since = time.monotonic()
            threading.Thread(target=self._watch, args=(self._emulator,), daemon=True).start()

    @property
    def ports(self) -> tuple[int, ...]:
        """Where the emulator listens; empty if others keep the storage."""
        return () if self._emulator is None else self._emulator.ports.all

    @property
    def problem(self) -> str:
        """Why the emulator must be started again; empty while it serves."""
        if self._emulator is None:
            return ""
        if self._hung:
            return self._hung
        if self._emulator.ended:
            return f"the storage emulator has ended ({self._emulator.last_words})"
        return ""

    def restart(self, stop: threading.Event) -> None:
        """Start the emulator again, trying until it serves.

        Args:
            stop: ends the tries when it is set.
        """
        if self._emulator is None:
            return
        with self._changing:
            self._start_again(self._emulator, stop)

    def _start_again(self, emulator: Emulator, stop: threading.Event) -> None:
        if time.monotonic() - self._up_since > _QUICK_DEATH:
            self._deaths = 0
        while True:
            self._deaths += 1
            emulator.stop()
            if stop.wait(delay_after(self._deaths)):
                return
            try:
                self._starting()
                emulator.start()
            except (ConfigurationError, StorageUnavailable) as problem:
                soon = delay_after(self._deaths + 1)
                _logger.error("%s; trying again in %.1f s", problem, soon)
            else:
                break
        self._stopped_for = self._silent_for = 0.0
        self._hung = ""
        self._up_since = time.monotonic()
        _logger.info("the storage emulator runs again")

    def stop(self) -> bool:
        """Stop the emulator, if it was started; tell whether it has saved everything."""
        self._closing.set()
        return self._emulator is not None and self._emulator.stop()

    def _watch(self, emulator: Emulator) -> None:
        """Note for how long the emulator has been stopped or silent.

        The times are sums of waits that this thread has seen: if this process was itself stopped
        or asleep, that counts as one wait.
        """
        while not self._closing.wait(_LOOK_AGAIN if self._stopped_for else _PROBE_EVERY):
            watched, begun = emulator.pid, time.monotonic()
            stopped = emulator.is_stopped
            answers = not stopped and emulator.answers(_PROBE_SECONDS)
            took = min(time.monotonic() - begun, _PROBE_SECONDS) + _PROBE_EVERY
            with self._changing:
                if emulator.pid != watched:
                    continue  # another one was started meanwhile
                self._silent_for = 0.0 if answers or stopped else self._silent_for + took
                self._stopped_for = self._stopped_for + _LOOK_AGAIN if stopped else 0.0
                self._end_if_it_hangs(emulator)

    def _end_if_it_hangs(self, emulator: Emulator) -> None:
        if self._hung or emulator.ended or self._closing.is_set():
            return
        if self._stopped_for >= _LONGEST_STOPPED:
            self._hung = "the storage emulator was stopped by a signal"
        elif self._silent_for >= _LONGEST_SILENCE:
            self._hung = f"the storage emulator has not answered for {self._silent_for:.0f} s"
        if self._hung:
            emulator.end()
