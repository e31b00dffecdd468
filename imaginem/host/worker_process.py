"""One worker process as the host sees it: what it is told, what it says, whether it answers.

Nobody ever waits for a worker here: what it is told lies in a queue of ours until a thread of
its own has written it to the pipe, which is full for as long as the worker does not read.
"""

import json
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from imaginem.host.triggers import Trigger

_logger = logging.getLogger("imaginem.host")
_END_SECONDS = 40.0
"""How long a worker that said its last word may take to end: telemetry is sent then."""
_LAST_WORDS_SECONDS = 2.0
"""How long the pipe of a dead worker may hold words that have not been read."""
_ASK_EVERY = 5.0

Sent = Sequence[str] | None
"""Queues to which a function has sent; None if nobody knows."""


@dataclass
class Invocation:
    """A function call that waits for a worker, or runs on one.

    Attributes:
        message: what the worker is sent.
        future: completed when the function ends, with the queues to which it has sent; None if
            nobody knows.
        started: when a worker was given it, by the pool's clock; 0 while it waits.
    """

    message: dict[str, Any]
    future: "Future[Sent]" = field(default_factory=Future)
    started: float = 0.0

    def cancel(self) -> None:
        """End a call that no worker was given."""
        if self.future.cancel():
            self.future.set_running_or_notify_cancel()

    def complete(self, problem: Exception | None, sent: Sent = None) -> None:
        """End a call that a worker was given; this runs what follows from it."""
        if problem is None:
            self.future.set_result(sent)
        else:
            self.future.set_exception(problem)


@dataclass(frozen=True)
class WorkerOptions:
    """How worker processes are started.

    Attributes:
        app: folder of `function_app.py`.
        threads: functions that each process runs at once.
        environment: environment variables of the processes.
        log: file for what workers print; None for this process's stderr.
    """

    app: Path
    threads: int
    environment: Mapping[str, str]
    log: IO[bytes] | None


class WorkerProcess:
    """A worker process with a thread that writes to it and one that reads from it.

    Args:
        number: its place among the workers, from 1.
        options: how to start it.
        on_message: called with each message of the worker, in the reading thread.
        on_end: called once the process has ended, in the reading thread.

    Attributes:
        running: the invocations that it was given, by id; guarded by the pool's lock.
        functions: the app's triggers, once it is ready.
        problem: why the app can't be loaded; empty if it can.
        stopping: it was told to stop.
        asked: when it was asked for a sign of life, by the pool's clock; None once it answered.
        reported: `on_end` was called.

    Raises:
        OSError: the process can't be started.
    """

    def __init__(
        self,
        number: int,
        options: WorkerOptions,
        on_message: Callable[["WorkerProcess", dict[str, Any]], None],
        on_end: Callable[["WorkerProcess"], None],
    ) -> None:
        self.number = number
        self.running: dict[str, Invocation] = {}
        self.ready = threading.Event()
        self.functions: list[Trigger] = []
        self.problem = ""
        self.stopping = False
        self.asked: float | None = None
        self.reported = threading.Event()
        self._last_asked = 0.0
        self._seen_dead: float | None = None
        self._on_message, self._on_end = on_message, on_end
        self._reporting = threading.Lock()
        self._outbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._popen = subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "imaginem.host.worker", str(options.app), str(options.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=options.log,
            env=dict(options.environment),
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C reaches the host alone
        )

    def listen(self) -> None:
        """Begin to write and read; from here on the callbacks are called."""
        for work in (self._write, self._read):
            threading.Thread(target=work, name=f"worker-{self.number}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The code that the process ended with; negative for a signal; None while it lives."""
        return self._popen.poll()

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the worker, without waiting until it reads."""
        self._outbox.put(message)

    def kill(self) -> None:
        """End the process at once, be it stopped or busy."""
        self._popen.kill()

    def wait(self, seconds: float) -> bool:
        """Wait for the process's end for some seconds; tell whether it has ended."""
        try:
            self._popen.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Report the end of a process that has ended, unless that was done before.

        A process that a function started may hold the pipe open, so its end is not waited for.
        """
        if self._reporting.acquire(blocking=False):
            self._outbox.put(None)
            self._on_end(self)
            self.reported.set()

    def look_after(self, now: float, patience: float) -> bool:
        """Ask for a sign of life now and then; tell whether one has come in time.

        Args:
            now: by the pool's clock.
            patience: seconds that a question may stay unanswered.
        """
        if self.exit_code is not None:
            if self._seen_dead is None:
                self._seen_dead = now
            elif now - self._seen_dead > _LAST_WORDS_SECONDS:
                self.end()
            return True
        if self.asked is not None:
            return now - self.asked <= patience
        if now - self._last_asked >= _ASK_EVERY:
            self.asked = self._last_asked = now
            self.tell({"op": "ping"})
        return True

    def _write(self) -> None:
        assert self._popen.stdin is not None  # noqa: S101 - PIPE was asked for
        with suppress(OSError, ValueError):  # it died: the reading thread notices
            while (message := self._outbox.get()) is not None:
                self._popen.stdin.write(json.dumps(message) + "\n")
                self._popen.stdin.flush()
        with suppress(OSError, ValueError):  # bytes still buffered can't be written any more
            self._popen.stdin.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101 - PIPE was asked for
        try:
            with self._popen.stdout as lines:
                for line in lines:
                    self._on_message(self, json.loads(line))
        except ValueError:  # it died within a line
            pass
        except Exception:
            _logger.exception("worker %d: its messages can't be read", self.number)
        if not self.wait(_END_SECONDS):
            self.kill()  # it lives, but nobody hears it any more
            self._popen.wait()
        self.end()
