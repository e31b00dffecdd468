"""The host: runs workers, listeners, timers and HTTP together until it is told to stop."""

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO

from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.host.blobs import BlobListener
from imaginem.host.config import HostConfig, read_host_config
from imaginem.host.environment import worker_environment
from imaginem.host.listener import Poller, QueueListener
from imaginem.host.pool import WorkerPool
from imaginem.host.timers import Timer
from imaginem.host.triggers import Trigger
from imaginem.ports import Blobs, Queues

_logger = logging.getLogger("imaginem.host")
_RENEW_EVERY = 5.0  # seconds
_WATCH_EVERY = 1.0  # seconds
_HTTP_START_SECONDS = 30
_HTTP_STOP_SECONDS = 10


@dataclass(frozen=True)
class HostOptions:
    """How the host runs.

    Attributes:
        app: folder of `function_app.py` and `host.json`.
        workers: number of processes that run functions.
        threads: functions that each worker runs at once: one computes while another waits for
            storage.
        port: port of HTTP on 127.0.0.1; 0 to serve no HTTP.
        environment: settings for the workers, in addition to this process's environment.
        log: file for what workers print; None for stderr.
        watch: restart when a Python file of the app, or host.json, changes.
        order: queues in the order in which jobs visit them; later ones are polled first, so
            that jobs are finished before new ones begin.
    """

    app: Path
    workers: int = 2
    threads: int = 2
    port: int = 7071
    environment: Mapping[str, str] = field(default_factory=dict)
    log: IO[bytes] | None = None
    watch: bool = False
    order: Sequence[str] = ()


class Host:
    """Runs a function app on this machine.

    Args:
        options: how to run it.
        queues: where messages are received.
        blobs: where blobs are looked for.
    """

    def __init__(self, options: HostOptions, queues: Queues, blobs: Blobs) -> None:
        self._options, self._queues, self._blobs = options, queues, blobs
        self._stop = threading.Event()
        self._session: _Session | None = None

    def start(self) -> list[Trigger]:
        """Start everything and return the app's triggers.

        Raises:
            ConfigurationError: the app can't be loaded, host.json is wrong, or the port is in use.
            StorageUnavailable: the app's queues can't be created.
        """
        self._session = _Session(self._options, self._queues, self._blobs)
        return self._session.triggers

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
            if self._session is not None and self._options.port:
                self._session.keep_http()
            now = _change_times(self._options.app) if self._options.watch else before
            if now != before:
                before = now
                _logger.info("the app's files changed: restarting")
                self.close()
                try:
                    self.start()
                except (ConfigurationError, StorageUnavailable) as problem:
                    _logger.error("%s; waiting for the next change", problem)
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
        if self._session is not None:
            self._session.close()
            self._session = None


def _change_times(app: Path) -> dict[str, float]:
    """Return the modification times of the app's source files, by path."""
    times: dict[str, float] = {}
    for path in (*app.glob("*.py"), *app.glob("steps/**/*.py"), app / "host.json"):
        with suppress(OSError):  # an editor may replace it at this moment
            times[str(path)] = path.stat().st_mtime
    return times


class _Session:
    """Everything that runs for one import of the app; a restart makes a new one."""

    def __init__(self, options: HostOptions, queues: Queues, blobs: Blobs) -> None:
        self._options, self._queues, self._blobs = options, queues, blobs
        self.config: HostConfig = read_host_config(options.app)
        self._environment = worker_environment(options.environment)
        self._closing = threading.Event()
        self._http: subprocess.Popen[bytes] | None = None
        self._listeners: dict[str, QueueListener] = {}
        self._following = dict(pairwise(options.order))
        self._pollers: list[Poller] = []
        self._blob_listeners: list[BlobListener] = []
        self._timers: list[Timer] = []
        self.pool = WorkerPool(
            options.app,
            options.workers,
            options.threads,
            self._environment,
            options.log,
            self.config.function_timeout,
        )
        if options.port and _is_in_use(options.port):
            raise ConfigurationError(
                f"port {options.port} is in use: choose another with --port, or stop what uses it"
            )
        try:
            self._start()
        except (ConfigurationError, StorageUnavailable):
            self.close()
            raise

    def _start(self) -> None:
        self.triggers = self.pool.start()  # first: its errors say why an app can't be loaded
        if self._options.port:
            self._start_http()
        for trigger in self.triggers:
            if trigger.kind == "queue":
                self._add_listener(trigger)
            elif trigger.kind == "blob":
                self._blob_listeners.append(
                    BlobListener(trigger, self._blobs, self._queues, self.pool, self.config)
                )
            elif trigger.kind == "timer":
                self._timers.append(
                    Timer(trigger, lambda function: self.pool.submit(function, kind="timer"))
                )
        self._start_polling()
        for listener in self._blob_listeners:
            listener.start()
        for timer in self._timers:
            timer.start()
        if self._options.port:
            self._wait_for_http()

    def _add_listener(self, trigger: Trigger) -> None:
        self._queues.create(trigger.queue)  # on Azure the deployment creates them
        self._listeners[trigger.queue] = QueueListener(
            trigger,
            self._queues,
            self.pool,
            self.config,
            self._wake_listeners,
            woken=trigger.queue in self._following.values(),
        )

    def _start_polling(self) -> None:
        place = {queue: number for number, queue in enumerate(self._options.order)}
        listeners = sorted(
            self._listeners.values(),
            key=lambda listener: place.get(listener.queue, -1),
            reverse=True,
        )
        for poisoned in (False, True):  # slow polls of one kind must not delay the other
            same_kind = [
                listener for listener in listeners if listener.queue.endswith("-poison") is poisoned
            ]
            self._pollers.append(Poller(same_kind, self.pool))
        for poller in self._pollers:
            poller.start()
        threading.Thread(target=self._renew, daemon=True).start()

    def _wake_listeners(self, ended: QueueListener) -> None:
        """Poll the queue that comes next at once; when a worker is free, every step's queue."""
        following = self._following.get(ended.queue)
        idle = self.pool.idle and not ended.queue.endswith("-poison")
        for queue, listener in self._listeners.items():
            if queue == following or (idle and not queue.endswith("-poison")):
                listener.wake()
        for poller in self._pollers:
            poller.wake()

    def _renew(self) -> None:
        """Renew leases until the session closes."""
        while not self._closing.wait(_RENEW_EVERY):
            for listener in self._listeners.values():
                listener.renew()

    def _start_http(self) -> None:
        command = [sys.executable, "-m", "imaginem.host.http", str(self._options.app)]
        self._http = subprocess.Popen(  # noqa: S603 - our own arguments
            [*command, str(self._options.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._options.log,
            env=self._environment,
            start_new_session=True,
        )

    def keep_http(self) -> None:
        """Start the HTTP process again if it died."""
        if self._http is not None and self._http.poll() is not None:
            _logger.warning(
                "the HTTP process ended with code %s; starting it again", self._http.returncode
            )
            self._start_http()

    def _wait_for_http(self) -> None:
        deadline = time.monotonic() + _HTTP_START_SECONDS
        while not _is_in_use(self._options.port):
            if time.monotonic() > deadline or (self._http and self._http.poll() is not None):
                raise ConfigurationError("HTTP did not start; the lines above say why")
            time.sleep(0.05)

    def close(self) -> None:
        """Wait for running functions and stop everything."""
        for timer in self._timers:
            timer.stop()
        for listener in self._blob_listeners:
            listener.stop()
        for poller in self._pollers:
            poller.stop()
        self._closing.set()
        self.pool.close()
        if self._http is not None:
            if self._http.stdin is not None:
                self._http.stdin.close()
            try:
                self._http.wait(_HTTP_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._http.kill()
                self._http.wait()


def _is_in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
