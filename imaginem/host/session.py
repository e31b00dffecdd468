"""A session of the host: workers, listeners, timers and HTTP of one import of the app."""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO

from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.host.blobs import BlobListener
from imaginem.host.config import HostConfig, read_host_config
from imaginem.host.environment import worker_environment
from imaginem.host.http_process import HttpProcess
from imaginem.host.listener import Poller, QueueListener
from imaginem.host.pool import WorkerPool
from imaginem.host.timers import Timer
from imaginem.host.triggers import Trigger
from imaginem.ports import Blobs, Queues

_RENEW_EVERY = 5.0  # seconds


def _nothing() -> None:
    """Do nothing."""


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
        home: folder that is this host's own while it runs; None if it keeps nothing.
        prepare: called whenever storage has come up and no worker lives yet: at the start, and
            after the storage emulator was started again.
        storage_saved: called when the storage emulator has ended in good order.
    """

    app: Path
    workers: int = 2
    threads: int = 2
    port: int = 7071
    environment: Mapping[str, str] = field(default_factory=dict)
    log: IO[bytes] | None = None
    watch: bool = False
    order: Sequence[str] = ()
    home: Path | None = None
    prepare: Callable[[], None] = _nothing
    storage_saved: Callable[[], None] = _nothing


class Session:
    """Everything that runs for one import of the app; a restart makes a new one.

    Args:
        options: of the host.
        queues: where messages are received.
        blobs: where blobs are looked for.
        listener: the socket of HTTP; None to serve no HTTP.

    Raises:
        ConfigurationError: the app can't be loaded, host.json is wrong, or HTTP does not start.
        StorageUnavailable: the app's queues can't be created.
    """

    def __init__(
        self,
        options: HostOptions,
        queues: Queues,
        blobs: Blobs,
        listener: socket.socket | None,
    ) -> None:
        self._options, self._queues, self._blobs = options, queues, blobs
        self._listener = listener
        self.config: HostConfig = read_host_config(options.app)
        self._environment = worker_environment(options.environment)
        self._closing = threading.Event()
        self._http: HttpProcess | None = None
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
        try:
            self._start()
        except (ConfigurationError, StorageUnavailable):
            self.close()
            raise

    def _start(self) -> None:
        self.triggers = self.pool.start()  # first: its errors say why an app can't be loaded
        if self._listener is not None:
            self._http = HttpProcess(
                self._options.app, self._listener, self._environment, self._options.log
            )
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
        if self._http is not None:
            self._http.wait()

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

    def keep_http(self) -> None:
        """Start the HTTP process again if it died."""
        if self._http is not None:
            self._http.keep()

    def close(self, *, kill: bool = False) -> None:
        """Wait for running functions and stop everything.

        Args:
            kill: end running functions with their workers; their messages are delivered again.
        """
        for timer in self._timers:
            timer.stop()
        if kill:
            self.pool.kill()
        for listener in self._blob_listeners:
            listener.stop()
        for poller in self._pollers:
            poller.stop()
        self._closing.set()
        self.pool.close()
        if self._http is not None:
            self._http.close()
