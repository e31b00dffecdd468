"""A worker process: loads the function app and runs the functions that the host asks for.

Host and worker exchange lines of JSON over the worker's stdin and stdout. What functions
print goes to stderr. When stdin ends, the host has died, and the worker exits too.
"""

import asyncio
import inspect
import json
import logging
import os
import signal
import sys
import threading
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from imaginem.errors import ImaginemError
from imaginem.host.freed_memory import FreedMemory
from imaginem.host.triggers import Bound, load_app
from imaginem.pipeline.import_faults import why_not_imported
from imaginem.ports.log_lines import labels_of, log_to
from imaginem.ports.sends import noting_sends
from imaginem.redaction import one_line

_logger = logging.getLogger("imaginem.host.worker")


class Worker:
    """Runs invocations on a few threads.

    Args:
        functions: of the app.
        threads: functions that run at once.
        out: where lines to the host are written.
    """

    def __init__(self, functions: list[Bound], threads: int, out: TextIO) -> None:
        self._functions = {bound.trigger.function: bound for bound in functions}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._out = out
        self._memory = FreedMemory()
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Send a message to the host, as one line of JSON."""
        with self._lock:
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()

    def serve(self, lines: TextIO) -> None:
        """Run the host's invocations until it says stop; exit at once when it dies."""
        functions = [bound.trigger.as_dict() for bound in self._functions.values()]
        self._memory.start()
        self.send(op="ready", functions=functions, pid=os.getpid())
        for line in lines:
            message = json.loads(line)
            if message["op"] == "stop":
                pipe = os.dup(lines.fileno())  # `lines` may be closed while the thread reads
                threading.Thread(target=_exit_with_host, args=(pipe,), daemon=True).start()
                self._threads.shutdown(wait=True)
                return
            if message["op"] == "ping":
                self.send(op="pong")
                continue
            future = self._threads.submit(self._call, message)
            future.add_done_callback(partial(self._report, message))
        os._exit(1)  # the host died: the messages of running functions are delivered again

    def _call(self, message: dict[str, Any]) -> list[str]:
        """Run a function; return the queues to which it has sent."""
        from imaginem.host.arguments import argument_of  # loads the SDK, as the app has

        bound = self._functions[message["function"]]
        with noting_sends() as sent:
            result = bound.call(**{bound.trigger.argument: argument_of(message)})
            if inspect.iscoroutine(result):
                asyncio.run(result)
        return sorted(sent)

    def _report(self, message: dict[str, Any], future: "Future[list[str]]") -> None:
        """Tell the host how a function ended, whatever it raised."""
        problem = future.exception()
        error = None if problem is None else _reason(problem)
        if problem is not None:
            queue = self._functions[message["function"]].trigger.queue
            tell_failure(message, queue, problem)
        sent = future.result() if problem is None else []
        self.send(op="done", id=message["id"], error=error, sent=sent)
        self._memory.note()


def tell_failure(message: dict[str, Any], queue: str, problem: BaseException) -> None:
    """Log why a function failed, as far as the host does not; a defect's stack is shown once.

    Args:
        message: the invocation.
        queue: of the function's trigger; empty for timers and blobs.
        problem: what the function raised.
    """
    known = isinstance(problem, ImaginemError)
    host_tells = queue and not queue.endswith("-poison")  # a line at each try, with the reason
    if host_tells and (known or message["dequeue_count"] > 1):
        return
    reason = _reason(problem) if known else "a defect"
    stack = None if known else problem
    labels = labels_of(problem)
    _logger.error("%s: %s", message["function"], reason, exc_info=stack, extra=labels)


def _reason(problem: BaseException) -> str:
    """Return an error as one line; of a defect also the place, since its stack is shown once."""
    if isinstance(problem, ImaginemError):
        return one_line(f"{type(problem).__name__}: {problem}")
    return _describe(problem)


def _exit_with_host(pipe: int) -> None:
    """Exit when the host dies while the last functions run."""
    while os.read(pipe, 65536):
        pass
    os._exit(1)


def main(folder: str, threads: str) -> int:
    """Load the app and serve until the host says stop: what the process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host decides when a worker stops
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what functions print must not mix with the messages to the host
    lines = os.fdopen(os.dup(0), "r", encoding="utf-8")
    with Path(os.devnull).open() as nothing:  # nor may what they start hold the host's pipe
        os.dup2(nothing.fileno(), 0)
    log_to(sys.stderr)
    try:
        functions = load_app(Path(folder))
    except MemoryError:
        raise  # no fault of the app: the host starts another worker
    except Exception as problem:
        out.write(
            json.dumps({"op": "failed", "error": why_not_imported(problem, Path(folder))}) + "\n"
        )
        out.flush()
        return 1
    Worker(functions, int(threads), out).serve(lines)
    return 0


def _describe(problem: BaseException) -> str:
    """Return an error as one line, with the place in the code where it was raised."""
    frame = traceback.extract_tb(problem.__traceback__)[-1]
    place = f" ({frame.filename}, line {frame.lineno})" if frame.filename else ""
    return one_line(f"{type(problem).__name__}: {problem}{place}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
