"""Worker processes: a function runs on the least busy one, and a dead or silent one is replaced."""

import logging
import threading
import time
import uuid
from concurrent.futures import Future
from functools import partial
from typing import Any

from imaginem.errors import ConfigurationError
from imaginem.host.lanes import Waiting
from imaginem.host.slots import Slots
from imaginem.host.steady import Crew, SteadyThread, wait_until
from imaginem.host.triggers import Trigger
from imaginem.host.worker_process import Invocation, Sent, WorkerOptions, WorkerProcess

_logger = logging.getLogger("imaginem.host")
_START_SECONDS = 60.0
STOP_SECONDS = 40.0
"""How long running functions may go on when the host stops."""
_TICK = 1.0
SILENCE_SECONDS = 30.0
"""How long a worker may leave the host's question unanswered; longer than any pause of Python."""


class WorkerDied(Exception):
    """The worker process ended while it ran the function."""


class WorkerPool:
    """Worker processes, each running a few functions at once.

    No lock is held while a process is written to, started or waited for.

    Args:
        options: how a process is started.
        count: number of processes.
        timeout: seconds that a function may run before its worker is killed.
        silence: seconds that a worker may leave a question unanswered before it is killed.
    """

    def __init__(
        self,
        options: WorkerOptions,
        count: int,
        timeout: float,
        *,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self._options, self._count = options, count
        self._timeout, self._silence = timeout, silence
        self._pending = Waiting()
        self._closed_lanes: set[str] = set()
        self._processes: list[WorkerProcess] = []
        self._slots = Slots(count)
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._look = threading.Event()
        self._clock = 0.0
        self._crew = Crew("ended", min(count * options.threads, 16))
        self._thread = SteadyThread("workers", self._watch, self._closing)

    def start(self) -> list[Trigger]:
        """Start the processes and return the app's triggers.

        A worker that dies meanwhile is started again.

        Raises:
            ConfigurationError: the app can't be loaded, workers die again and again, or none
                has started in time.
        """
        self._thread.start()
        in_time = wait_until(self._is_started, _START_SECONDS)
        problem = self._slots.problem()
        ready = [process for process in self._alive() if process.ready.is_set()]
        if not problem and not ready:
            problem = (
                f"a worker did not start within {_START_SECONDS:.0f} s: look at what "
                "function_app.py does at import"
            )
        if problem:
            self.close(0)
            raise ConfigurationError(problem)
        if not in_time:
            _logger.warning("%d of %d workers have started", len(ready), self._count)
        return ready[0].functions

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [process.pid for process in self._alive()]

    @property
    def lost(self) -> str:
        """Name of the thread that keeps the workers if it has ended by itself; else empty."""
        return self._thread.lost

    def submit(self, function: str, *, lane: str = "", **message: Any) -> "Future[Sent]":
        """Queue a function call for the workers; the future fails if the function does.

        Args:
            lane: calls of different lanes take turns.
        """
        invocation = Invocation(
            {"op": "invoke", "id": str(uuid.uuid4()), "function": function, **message}
        )
        with self._lock:
            closed = self._closing.is_set() or lane in self._closed_lanes
            if not closed:
                self._pending.add(lane, invocation)
        if closed:
            self._crew.submit(invocation.cancel)
        else:
            self._assign()
        return invocation.future

    @property
    def at_once(self) -> int:
        """How many functions all workers together run at once."""
        return self._count * self._options.threads

    def waiting(self, lane: str) -> int:
        """Return how many calls wait on a lane until a worker is free."""
        with self._lock:
            return self._pending.count(lane)

    def cancel_pending(self, lane: str | None = None) -> None:
        """Cancel what waits on a lane, or on all, and what is submitted to it from now on."""
        with self._lock:
            waiting = list(self._pending.clear(lane))
            if lane is not None:
                self._closed_lanes.add(lane)
        for invocation in waiting:
            self._crew.submit(invocation.cancel)

    def kill(self) -> None:
        """Kill the processes and start no others.

        What they ran fails with `WorkerDied`, what waits is cancelled.
        """
        self._closing.set()
        self._look.set()
        for process in self._alive():
            process.kill()
        self.cancel_pending()  # last: whoever is told may call storage, which may not answer
        self._end_all()

    def close(self, seconds: float = STOP_SECONDS) -> None:
        """Wait for running functions, then stop the processes; kill those that take too long."""
        self._closing.set()
        self._look.set()
        self.cancel_pending()
        for process in self._alive():
            process.stopping = True
            process.tell({"op": "stop"})
        deadline = time.monotonic() + seconds
        for process in self._alive():
            process.wait(deadline - time.monotonic())
        self._end_all()
        self._crew.dismiss()

    def _end_all(self) -> None:
        for process in self._alive():
            process.kill()
        self._thread.join(_TICK * 5)
        for process in self._alive():  # those too that were being started
            process.kill()
            process.wait(_TICK * 5)
            if not process.reported.wait(_TICK):  # its last words are still being read
                process.end()

    def _alive(self) -> list[WorkerProcess]:
        with self._lock:
            return list(self._processes)

    def _is_started(self) -> bool:
        processes = self._alive()
        ready = [process for process in processes if process.ready.is_set()]
        return bool(self._slots.problem()) or len(ready) == self._count

    def _assign(self) -> None:
        """Start waiting invocations on workers with a free thread, the least busy one first."""
        with self._lock:
            while self._pending:
                free = [process for process in self._processes if self._is_free(process)]
                if not free:
                    return
                process = min(free, key=lambda process: len(process.running))
                invocation = self._pending.take()
                if not invocation.future.set_running_or_notify_cancel():
                    continue
                invocation.started = self._clock
                process.running[invocation.message["id"]] = invocation
                process.tell(invocation.message)

    def _is_free(self, process: WorkerProcess) -> bool:
        """Tell whether a worker can be given a call; not while it owes us an answer for long."""
        return (
            process.ready.is_set()
            and not (process.stopping or process.problem)
            and process.exit_code is None
            and len(process.running) < self._options.threads
            and (process.asked is None or self._clock - process.asked < 2 * _TICK)
        )

    def _on_message(self, process: WorkerProcess, message: dict[str, Any]) -> None:
        """Take note of what a worker says; what follows from it must not hold up the next word."""
        process.asked = None
        if message["op"] == "ready":
            process.functions = [
                Trigger(**{**entry, "methods": tuple(entry["methods"])})
                for entry in message["functions"]
            ]
            process.ready.set()
        elif message["op"] == "failed":
            process.problem = self._slots.refusal = message["error"]
        elif message["op"] == "done":
            with self._lock:
                invocation = process.running.pop(message["id"], None)
                self._slots.worked(process.number)
            self._assign()  # before the future's callbacks, which look whether there is room
            if invocation is not None:
                error = message["error"]
                problem = None if error is None else RuntimeError(error)
                self._crew.submit(partial(invocation.complete, problem, message["sent"]))
            return
        self._assign()

    def _on_end(self, process: WorkerProcess) -> None:
        """Fail the invocations that a dead worker ran, and have another start in its place."""
        code = process.exit_code
        with self._lock:
            if process in self._processes:
                self._processes.remove(process)
            lost = list(process.running.values())
            process.running.clear()
            delay = self._slots.ended(process.number, f"code {code}")
        for invocation in lost:
            died = WorkerDied("the worker process ended")
            self._crew.submit(partial(invocation.complete, died))
        if not (self._closing.is_set() or process.stopping):
            reason = f"code {code}" + (f" ({process.problem})" if process.problem else "")
            _logger.warning(
                "worker %d ended with %s; a new one starts in %.1f s", process.number, reason, delay
            )
        self._look.set()

    def _watch(self) -> None:
        """Keep the number of workers, and kill those that take too long or don't answer.

        Time is counted in ticks of this loop: while the host itself was stopped, or the machine
        slept, no worker could be heard.
        """
        before = time.monotonic()
        while not self._closing.is_set():
            self._look.clear()
            self._start_missing()
            self._look.wait(_TICK if self._is_full() else _TICK / 10)
            now = time.monotonic()
            self._clock += min(now - before, 2 * _TICK)
            before = now
            for process in self._alive():
                self._look_after(process)
            self._assign()  # a worker may have answered after a while of silence

    def _is_full(self) -> bool:
        with self._lock:
            return len(self._processes) == self._count

    def _start_missing(self) -> None:
        with self._lock:
            missing = self._slots.missing({process.number for process in self._processes})
        for number in missing:
            try:
                process = WorkerProcess(number, self._options, self._on_message, self._on_end)
            except OSError as problem:
                with self._lock:
                    self._slots.ended(number, str(problem))
                _logger.error("worker %d can't be started (%s); trying again", number, problem)
                continue
            process.asked = self._clock  # until it is ready, it owes us the first word
            with self._lock:
                self._processes.append(process)
            process.listen()

    def _look_after(self, process: WorkerProcess) -> None:
        """Kill a worker whose function takes too long, or that does not answer."""
        with self._lock:
            oldest = min((call.started for call in process.running.values()), default=self._clock)
        patience = self._silence if process.ready.is_set() else _START_SECONDS
        if self._clock - oldest > self._timeout:
            _logger.error("a function ran over functionTimeout: its worker is killed")
            process.kill()
        elif not process.look_after(self._clock, patience):
            _logger.error("worker %d does not answer: it is killed", process.number)
            process.kill()
