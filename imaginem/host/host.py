"""The host: keeps storage, workers, listeners and HTTP running until it is told to stop."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from imaginem.errors import ConfigurationError, ImaginemError, StorageUnavailable
from imaginem.host.emulator import Emulator
from imaginem.host.gap import Gap, listen
from imaginem.host.home import HomeLock
from imaginem.host.leases import Unbegun
from imaginem.host.session import HostOptions, Session
from imaginem.host.storage_keeper import StorageKeeper
from imaginem.host.triggers import Trigger
from imaginem.ports import Blobs, Queues

_logger = logging.getLogger("imaginem.host")
_WATCH_EVERY = 1.0  # seconds
_STORAGE_SECONDS = 60.0
"""How long a start waits for storage that does not answer."""
_STORAGE_EVERY = 2.0


class Host:
    """Runs a function app on this machine.

    Args:
        options: how to run it.
        queues: where messages are received.
        blobs: where blobs are looked for.
        emulator: storage to start, and to keep alive; None if others do.
        storage_starts: called before each start of the emulator.
    """

    def __init__(
        self,
        options: HostOptions,
        queues: Queues,
        blobs: Blobs,
        emulator: Emulator | None = None,
        storage_starts: Callable[[], None] = lambda: None,
    ) -> None:
        self._options, self._queues, self._blobs = options, queues, blobs
        self._stop = threading.Event()
        self._session: Session | None = None
        self._storage = StorageKeeper(emulator, storage_starts)
        self._unbegun = Unbegun()
        self._prepared = False  # since storage came up
        self._lock = HomeLock(options.home, options.port) if options.home else None
        self._listener: socket.socket | None = None
        self._gap: Gap | None = None

    def start(self) -> list[Trigger]:
        """Start everything and return the app's triggers; none if it was stopped meanwhile.

        Raises:
            ConfigurationError: the app can't be loaded, host.json is wrong, the port is in use,
                another host runs on the home, or the storage emulator can't be started.
            StorageUnavailable: storage has not answered for a minute, or the home's disk is full.
        """
        try:
            self._check_port()
            if self._lock is not None:
                self._lock.take()
            if self._options.port:
                self._listener = listen(self._options.port)
                self._gap = Gap(self._listener)
            self._explain("Imaginem is starting")
            self._options.at_rest()
            if ports := self._storage.ports:
                _logger.info("starting the storage emulator on ports %d to %d", ports[0], ports[-1])
            self._storage.start()
            self._begin_when_storage_answers()
        except BaseException:
            self.close()
            raise
        return self._session.triggers if self._session else []

    def _check_port(self) -> None:
        ports = self._storage.ports
        if self._options.port in ports:
            raise ConfigurationError(
                f"port {self._options.port} is one of the storage emulator's own, "
                f"{ports[0]} to {ports[-1]}: choose another with --port, or other ones for the "
                "emulator with EMULATOR_PORT"
            )

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the workers."""
        return self._session.pool.pids if self._session else []

    def run_until_stopped(self, reloaded: Callable[[], None] = lambda: None) -> None:
        """Keep running until `request_stop`; restart when the app's files change.

        Args:
            reloaded: called after each restart.
        """
        before = _change_times(self._options.app)
        while not self._stop.wait(_WATCH_EVERY):
            if problem := self._storage.problem:
                if self._begin_again(problem):
                    reloaded()
                continue
            if lost := self._session.lost if self._session else "":
                _logger.error("the thread %r has ended: everything is started again", lost)
                self._end_session()
                self._begin_when_storage_answers()
                reloaded()
            now = _change_times(self._options.app) if self._options.watch else before
            if now != before:
                before = now
                _logger.info("the app's files changed: restarting")
                self._explain("the app's files changed: it is starting again")
                self._end_session()
                try:
                    self._begin_session()
                except (ConfigurationError, StorageUnavailable) as why:
                    self._explain(f"the app can't be started: {why}")
                    _logger.error("%s; waiting for the next change", why)
                else:
                    reloaded()

    @property
    def stopping(self) -> threading.Event:
        """An event that `request_stop` sets."""
        return self._stop

    def request_stop(self) -> None:
        """Make `run_until_stopped` return."""
        self._stop.set()

    def close(self) -> None:
        """Wait for running functions, return waiting messages to their queues, stop everything."""
        self._explain("Imaginem is stopping")
        self._end_session()
        if self._gap is not None and self._listener is not None:
            self._gap.close()
            self._listener.close()
            self._gap = self._listener = None
        if self._prepared and not self._storage.problem:
            try:
                self._options.work_ended()
            except ImaginemError as problem:
                _logger.warning("%s; this is done at the next start", problem)
        locked = self._lock is not None and self._lock.held
        ended_well = self._storage.stop()
        # Unprepared storage has not got back what it forgot: saved is not what was accepted.
        if ended_well and self._prepared:
            self._options.storage_saved()
        try:
            if locked and self._prepared and (ended_well or not self._storage.ports):
                self._options.at_rest()
        finally:
            if self._lock is not None:
                self._lock.release()

    def _explain(self, reason: str) -> None:
        """Answer requests with a reason from now on, as long as no session does."""
        if self._gap is not None:
            self._gap.open(reason)

    def _begin_session(self) -> None:
        what = "workers and HTTP" if self._options.port else "workers"
        _logger.info("starting %s (processes that run functions: %d)", what, self._options.workers)
        self._session = Session(
            self._options, self._queues, self._blobs, self._listener, self._unbegun
        )
        if self._gap is not None:
            self._gap.close()

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _begin_when_storage_answers(self) -> None:
        """Prepare and begin; try again while storage does not answer, for a minute."""
        deadline = time.monotonic() + _STORAGE_SECONDS
        told = ""
        while not self._stop.is_set():
            try:
                self._options.prepare()
                self._prepared = True
                self._begin_session()
            except StorageUnavailable as problem:
                if why := self._storage.problem:
                    _logger.error("%s: it is started again", why)
                    self._restart_storage()
                    deadline = time.monotonic() + _STORAGE_SECONDS
                    continue
                if time.monotonic() > deadline:
                    raise
                if told != str(problem):
                    told = str(problem)
                    _logger.warning("%s; waiting for it, up to %.0f s", told, _STORAGE_SECONDS)
                self._stop.wait(_STORAGE_EVERY)
            else:
                return

    def _restart_storage(self) -> None:
        self._prepared = False
        self._storage.restart(self._stop)

    def _begin_again(self, problem: str) -> bool:
        """Start the storage emulator again, with nothing that works on it; tell whether all runs.

        Messages of functions that ran are delivered again, as if their workers had died.
        """
        _logger.error("%s: workers stop until it runs again", problem)
        self._explain(f"{problem}; it is being started again")
        session, self._session = self._session, None
        ending = threading.Thread(target=_kill, args=(session,))
        ending.start()  # beside the restart: its last calls of storage wait for an answer
        while session is not None and session.pool.pids:  # workers first: they may be writing
            time.sleep(0.01)
        while not self._stop.is_set():
            if self._storage.problem:
                self._restart_storage()
            ending.join()
            try:
                self._begin_when_storage_answers()
            except (ConfigurationError, StorageUnavailable) as why:
                _logger.error("%s; trying again", why)
                self._stop.wait(_STORAGE_EVERY)
            else:
                break
        if self._storage.problem:  # it was told to stop meanwhile: nothing waits for an answer
            self._storage.stop()
        ending.join()
        return self._session is not None


def _kill(session: Session | None) -> None:
    if session is not None:
        session.close(kill=True)


def _change_times(app: Path) -> dict[str, float]:
    """Return the modification times of the app's source files and model cards, by path."""
    times: dict[str, float] = {}
    steps = (path for ending in ("py", "json") for path in app.glob(f"steps/**/*.{ending}"))
    for path in (*app.glob("*.py"), *steps, app / "host.json"):
        with suppress(OSError):  # an editor may replace it at this moment
            times[str(path)] = path.stat().st_mtime
    return times
