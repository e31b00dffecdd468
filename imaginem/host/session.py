"""A session of the host: workers, listeners, timers and HTTP of one import of the app."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.host.blobs import BlobListener
from imaginem.host.config import HostConfig, read_host_config
from imaginem.host.duplicates import SeenThrough
from imaginem.host.environment import http_environment, worker_environment
from imaginem.host.http_process import HttpProcess
from imaginem.host.http_watch import HttpWatch
from imaginem.host.lanes import Lane
from imaginem.host.leases import Unbegun
from imaginem.host.listener import QueueListener, is_poison
from imaginem.host.poller import Poller
from imaginem.host.pool import STOP_SECONDS, WorkerPool
from imaginem.host.steady import Crew, SteadyThread
from imaginem.host.surroundings import Surroundings
from imaginem.host.timers import Timer
from imaginem.host.triggers import Trigger
from imaginem.host.turns import Turns
from imaginem.host.worker_process import WorkerOptions
from imaginem.ports import Blobs, Queues

_logger = logging.getLogger("imaginem.host")
_POISON_REST = 10.0
"""Seconds between looks into a queue to which nobody but a listener of this host sends."""
_RENEW_EVERY = 5.0  # seconds
_ASIDE = 4  # threads that delete and return messages
_LEAVE_SECONDS = 10.0
"""How long a stop waits for workers without work, and for messages to return to their queues."""


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
        order: queues in the order in which jobs visit them; of jobs of one age those are finished
            first that have come furthest.
        home: folder that is this host's own while it runs; None if it keeps nothing.
        prepare: called whenever storage has come up and no worker lives yet: at the start, and
            after the storage emulator was started again.
        work_ended: called when a stop has ended all work, and storage still runs, if it was
            prepared since it came up.
        storage_saved: called when the storage emulator has ended in good order, and was prepared
            since it came up.
        at_rest: called while the home is locked and neither storage emulator nor workers run:
            before they start, and after they ended in good order.
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
    work_ended: Callable[[], None] = _nothing
    storage_saved: Callable[[], None] = _nothing
    at_rest: Callable[[], None] = _nothing


class Session:
    """Everything that runs for one import of the app; a restart makes a new one.

    Args:
        options: of the host.
        queues: where messages are received.
        blobs: where blobs are looked for.
        listener: the socket of HTTP; None to serve no HTTP.
        unbegun: deliveries that no worker began, of earlier sessions too.

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
        unbegun: Unbegun,
    ) -> None:
        self._options, self._queues, self._blobs = options, queues, blobs
        self._listener, self._unbegun = listener, unbegun
        self.config: HostConfig = read_host_config(options.app)
        self._closing = threading.Event()
        self._http: HttpProcess | None = None
        self._http_watch: HttpWatch | None = None
        self._listeners: dict[str, QueueListener] = {}
        self._pollers: list[Poller] = []
        self._blob_listeners: list[BlobListener] = []
        self._timers: list[Timer] = []
        self._aside = Crew("aside", _ASIDE)
        self._seen = SeenThrough()
        self._renewing = SteadyThread("leases", self._renew, self._closing)
        self.pool = WorkerPool(
            WorkerOptions(
                options.app,
                options.threads,
                worker_environment(options.environment, options.workers),
                options.log,
            ),
            options.workers,
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
            environment = http_environment(self._options.environment)
            self._http = HttpProcess(
                self._options.app, self._listener, environment, self._options.log
            )
        for trigger in self.triggers:
            if trigger.kind == "blob":
                lane = Lane(self.pool, "blobs")
                self._blob_listeners.append(
                    BlobListener(
                        trigger,
                        self._blobs,
                        self._queues,
                        lane,
                        self.config,
                        self._wake_listeners,
                    )
                )
            elif trigger.kind == "timer":
                self._timers.append(Timer(trigger, self._run_timer))
        self._start_polling()
        for listener in self._blob_listeners:
            listener.start()
        for timer in self._timers:
            timer.start()
        if self._http is not None:
            self._http.wait()
            self._http_watch = HttpWatch(self._http.port, self._http.keep, self._http.kill)
            self._http_watch.start()

    def _run_timer(self, function: str) -> None:
        self.pool.submit(function, lane="timers", kind="timer")

    def _start_polling(self) -> None:
        place = {queue: number for number, queue in enumerate(self._options.order)}
        triggers = [trigger for trigger in self.triggers if trigger.kind == "queue"]
        triggers.sort(key=lambda trigger: place.get(trigger.queue, -1))
        for name in ("steps", "poison"):  # slow polls of one kind must not delay the other
            lane = Lane(self.pool, name)
            own = [t for t in triggers if is_poison(t.queue) is (name == "poison")]
            turns = Turns([trigger.queue for trigger in own])
            around = Surroundings(
                self._seen,
                turns,
                self._aside.submit,
                self._wake_listeners,
                self._wake_listeners,
                self._unbegun,
            )
            listeners = [self._listening_to(trigger, lane, around) for trigger in own]
            self._pollers.append(Poller(name, listeners, lane, turns))
        for poller in self._pollers:
            poller.start()
        self._renewing.start()

    def _listening_to(self, trigger: Trigger, lane: Lane, around: Surroundings) -> QueueListener:
        self._queues.create(trigger.queue)  # on Azure the deployment creates them
        rest = None
        if trigger.queue in self._options.order[1:]:
            rest = self.config.max_polling_interval
        elif is_poison(trigger.queue):
            rest = max(self.config.max_polling_interval, _POISON_REST)
        listener = QueueListener(trigger, self._queues, lane, self.config, around, rest)
        self._listeners[trigger.queue] = listener
        return listener

    def _wake_listeners(self, sent: Sequence[str]) -> None:
        """Poll the queues at once to which something was sent; others when they are due."""
        for listener in map(self._listeners.get, sent):
            if listener is not None:
                listener.wake()
        for poller in self._pollers:
            poller.wake()

    def _renew(self) -> None:
        """Renew leases until the session closes."""
        while not self._closing.wait(_RENEW_EVERY):
            for listener in self._listeners.values():
                listener.renew()

    @property
    def lost(self) -> str:
        """Name of a thread that has ended by itself; empty if none has."""
        names = [self.pool.lost, self._renewing.lost]
        names += [self._http_watch.lost] if self._http_watch else []
        names += [poller.lost for poller in self._pollers]
        names += [listener.lost for listener in self._blob_listeners]
        names += [timer.lost for timer in self._timers]
        return next(filter(None, names), "")

    def close(self, *, kill: bool = False) -> None:
        """Wait for running functions and stop everything, in 80 seconds at most.

        Functions that run for longer than 40 seconds are ended with their workers; their messages
        return to the queues.

        Args:
            kill: end running functions at once; their messages are delivered again.
        """
        begun = time.monotonic()
        for timer in self._timers:
            timer.stop()
        if self._http_watch is not None:
            self._http_watch.close()
        if kill:
            for poller in self._pollers:  # what they received now could only be given back
                poller.halt()
            self.pool.kill()
            self._close_http()  # it would accept what storage doesn't take
        ceasing: list[BlobListener | Poller] = [*self._blob_listeners, *self._pollers]
        for each in ceasing:
            each.cease()
        for each in ceasing:
            each.join(begun + STOP_SECONDS - time.monotonic())
        self.pool.close(_LEAVE_SECONDS)
        deadline = time.monotonic() + _LEAVE_SECONDS
        if not all([each.join(deadline - time.monotonic()) for each in ceasing]):
            _logger.warning("some messages were not returned; they come back when leases run out")
        self._closing.set()
        self._aside.dismiss()
        if self._seen.dropped:
            _logger.info("%d duplicates were dropped", self._seen.dropped)
        self._close_http()

    def _close_http(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None
