"""Watches the process that serves HTTP: one that died or does not answer is replaced."""

import logging
import threading
import time
from collections.abc import Callable

from imaginem.host.http_process import probe
from imaginem.host.steady import SteadyThread

_logger = logging.getLogger("imaginem.host")
_TICK = 1.0
_PROBE_EVERY = 5.0
_LONGEST_PROBE = 5.0
SILENCE_SECONDS = 30.0
"""How long the process may leave probes unanswered before it is killed."""
_START_SECONDS = 60.0
"""How long a process that was started again may take until its first answer."""
_LONGEST_PAUSE = 10.0


class HttpWatch:
    """Replaces the HTTP process when it has died or does not answer.

    Args:
        port: where it serves on 127.0.0.1.
        keep: starts the process again if it has ended; tells whether it had.
        kill: ends the process, be it stopped or busy.
        silence: seconds that it may leave probes unanswered.
    """

    def __init__(
        self,
        port: int,
        keep: Callable[[], bool],
        kill: Callable[[], None],
        *,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self._port, self._keep, self._kill, self._silence = port, keep, kill, silence
        self._probe_seconds = min(_LONGEST_PROBE, silence / 4)
        self._closing = threading.Event()
        self._thread = SteadyThread("http", self._watch, self._closing)

    def start(self) -> None:
        """Start watching, once the process answers."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching: from here on nothing is started again."""
        self._closing.set()
        self._thread.join(_LONGEST_PROBE + _TICK)

    @property
    def lost(self) -> str:
        """Name of the thread if it has ended by itself; else empty."""
        return self._thread.lost

    def _watch(self) -> None:
        """Keep the process alive and answering.

        Silence is counted in probes, not by the clock: while the host itself was stopped, or the
        machine slept, nobody could answer.
        """
        silent, pause, patience, next_probe = 0.0, _TICK, self._silence, time.monotonic()
        while not self._closing.wait(pause):
            if self._keep():
                silent, pause, patience = 0.0, min(pause * 2, _LONGEST_PAUSE), _START_SECONDS
                continue
            if time.monotonic() < next_probe:
                continue
            begun = time.monotonic()
            if probe(self._port, self._probe_seconds):
                silent, pause, patience = 0.0, _TICK, self._silence
                next_probe = begun + _PROBE_EVERY
                continue
            silent += min(time.monotonic() - begun, self._probe_seconds) + pause
            if silent >= patience:
                _logger.error("the HTTP process does not answer: it is killed")
                self._kill()
                silent = 0.0
