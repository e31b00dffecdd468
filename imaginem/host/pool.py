"""Worker processes: a function runs on the least busy one, and a dead one is replaced."""

import json
import logging
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from imaginem.errors import ConfigurationError
from imaginem.host.triggers import Trigger

_logger = logging.getLogger("imaginem.host")
_START_SECONDS = 60
_STOP_SECONDS = 40
_LONGEST_RESTART_DELAY = 10.0


class WorkerDied(Exception):
    """The worker process ended while it ran the function."""


@dataclass
class Invocation:
    """A function call that waits for a worker, or runs on one.

    Attributes:
        message: what the worker is sent.
        future: completed when the function ends.
        started: when a worker began it (`time.monotonic`); 0 while it waits.
    """

    message: dict[str, Any]
    future: "Future[None]" = field(default_factory=Future)
    started: float = 0.0


@dataclass
class _Process:
    """One worker process, and the invocations that it runs, by id."""

    number: int
    popen: "subprocess.Popen[str]"
    running: dict[str, Invocation] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)
    functions: list[Trigger] = field(default_factory=list)
    problem: str = ""
    stopping: bool = False


class WorkerPool:
    """Worker processes, each running a few functions at once.

    Args:
        app: folder of `function_app.py`.
        count: number of processes.
        threads: functions that each process runs at once.
        environment: environment variables of the processes.
        log: file for what workers print; None for this process's stderr.
        timeout: seconds that a function may run before its worker is killed.
    """

    def __init__(
        self,
        app: Path,
        count: int,
        threads: int,
        environment: Mapping[str, str],
        log: IO[bytes] | None,
        timeout: float,
    ) -> None:
        self._app, self._count, self._threads = app, count, threads
        self._environment, self._log, self._timeout = environment, log, timeout
        self._pending: deque[Invocation] = deque()
        self._processes: list[_Process] = []
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._deaths = 0

    def start(self) -> list[Trigger]:
        """Start the processes and return the app's triggers.

        Raises:
            ConfigurationError: the app can't be loaded, or a worker did not start in time.
        """
        for number in range(1, self._count + 1):
            self._spawn(number)
        deadline = time.monotonic() + _START_SECONDS
        for process in list(self._processes):
            if not process.ready.wait(max(deadline - time.monotonic(), 0.1)):
                self.close()
                raise ConfigurationError(
                    f"a worker did not start within {_START_SECONDS} s: look at what "
                    "function_app.py does at import"
                )
            if process.problem:
                self.close()
                raise ConfigurationError(f"function_app.py can't be loaded: {process.problem}")
        threading.Thread(target=self._watch_timeouts, daemon=True).start()
        return self._processes[0].functions

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        with self._lock:
            return [process.popen.pid for process in self._processes]

    def submit(self, function: str, **message: Any) -> "Future[None]":
        """Queue a function call for the workers; the future fails if the function does."""
        invocation = Invocation(
            {"op": "invoke", "id": str(uuid.uuid4()), "function": function, **message}
        )
        with self._lock:
            self._pending.append(invocation)
        self._assign()
        if self._closing.is_set():  # nobody may be left to run it
            self.cancel_pending()
        return invocation.future

    @property
    def idle(self) -> bool:
        """Whether a worker is free and no invocation waits."""
        with self._lock:
            running = sum(len(process.running) for process in self._processes)
            return not self._pending and running < self._count * self._threads

    @property
    def has_room(self) -> bool:
        """Whether more messages may be received: those that wait will soon be started."""
        with self._lock:
            return len(self._pending) < self._count * self._threads

    def cancel_pending(self) -> None:
        """Cancel the invocations that no worker has started."""
        with self._lock:
            waiting, self._pending = list(self._pending), deque()
        for invocation in waiting:
            invocation.future.cancel()

    def kill(self) -> None:
        """Kill the processes and start no others.

        What they ran fails with `WorkerDied`, what waits is cancelled.
        """
        self._closing.set()
        self.cancel_pending()
        with self._lock:
            processes = list(self._processes)
        for process in processes:
            process.popen.kill()

    def close(self) -> None:
        """Wait for running functions, then stop the processes; kill those that take too long."""
        self._closing.set()
        self.cancel_pending()
        with self._lock:
            processes = list(self._processes)
            for process in processes:
                process.stopping = True
        for process in processes:
            self._write(process, {"op": "stop"})
        deadline = time.monotonic() + _STOP_SECONDS
        for process in processes:
            try:
                process.popen.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()

    def _spawn(self, number: int) -> None:
        command = [sys.executable, "-m", "imaginem.host.worker", str(self._app)]
        popen = subprocess.Popen(  # noqa: S603 - our own arguments
            [*command, str(self._threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(self._environment),
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C reaches the host alone
        )
        process = _Process(number, popen)
        with self._lock:
            self._processes.append(process)
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _write(self, process: _Process, message: dict[str, Any]) -> None:
        stdin = process.popen.stdin
        try:
            assert stdin is not None  # noqa: S101 - PIPE was asked for
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
        except (OSError, ValueError):
            return  # it died: its listener thread notices, and fails what it ran

    def _assign(self) -> None:
        """Start waiting invocations on workers with a free thread, the least busy one first."""
        with self._lock:
            while self._pending:
                free = [
                    process
                    for process in self._processes
                    if process.ready.is_set()
                    and not (process.stopping or process.problem)
                    and process.popen.poll() is None
                    and len(process.running) < self._threads
                ]
                if not free:
                    return
                process = min(free, key=lambda process: len(process.running))
                invocation = self._pending.popleft()
                if not invocation.future.set_running_or_notify_cancel():
                    continue
                invocation.started = time.monotonic()
                process.running[invocation.message["id"]] = invocation
                self._write(process, invocation.message)

    def _listen(self, process: _Process) -> None:
        """Read a worker's messages until it ends."""
        assert process.popen.stdout is not None  # noqa: S101 - PIPE was asked for
        try:
            with process.popen.stdout as lines, suppress(ValueError):  # it died within a line
                for line in lines:
                    self._on_message(process, json.loads(line))
            process.popen.wait()
            if process.popen.stdin is not None:
                with suppress(OSError):  # bytes that are still buffered can't be written any more
                    process.popen.stdin.close()
        finally:
            self._on_end(process)

    def _on_message(self, process: _Process, message: dict[str, Any]) -> None:
        if message["op"] == "ready":
            process.functions = [
                Trigger(**{**entry, "methods": tuple(entry["methods"])})
                for entry in message["functions"]
            ]
            process.ready.set()
        elif message["op"] == "failed":
            process.problem = message["error"]
            process.ready.set()
        else:
            with self._lock:
                invocation = process.running.pop(message["id"])
                self._deaths = 0
            self._assign()  # before the future's callbacks, which look whether there is room
            if message["error"] is None:
                invocation.future.set_result(None)
            else:
                invocation.future.set_exception(RuntimeError(message["error"]))
            return
        self._assign()

    def _on_end(self, process: _Process) -> None:
        """Fail the invocations that a dead worker ran, and start another in its place."""
        with self._lock:
            if process in self._processes:
                self._processes.remove(process)
            lost = list(process.running.values())
            process.running.clear()
        if not process.ready.is_set():
            process.problem = f"the worker ended with code {process.popen.returncode}"
            process.ready.set()
        for invocation in lost:
            invocation.future.set_exception(WorkerDied("the worker process ended"))
        if self._closing.is_set() or process.stopping:
            return
        self._deaths += 1
        delay = min(0.1 * 2 ** min(self._deaths, 10), _LONGEST_RESTART_DELAY)
        _logger.warning(
            "worker %d ended with code %s; a new one starts in %.1f s",
            process.number,
            process.popen.returncode,
            delay,
        )
        if not self._closing.wait(delay):
            self._spawn(process.number)

    def _watch_timeouts(self) -> None:
        """Kill workers whose function runs for longer than `functionTimeout`."""
        while not self._closing.wait(1):
            now = time.monotonic()
            with self._lock:
                late = [
                    process
                    for process in self._processes
                    for invocation in process.running.values()
                    if now - invocation.started > self._timeout
                ]
            for process in late:
                _logger.error("a function ran over functionTimeout: its worker is killed")
                process.popen.kill()
