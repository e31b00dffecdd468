"""The storage calls that a job of trivial steps makes, by the bare SDKs alone."""

import multiprocessing
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableClient, UpdateMode
from azure.storage.queue import QueueClient

from benchmarks.deliveries import Delivered
from benchmarks.installation import WORKERS

_THREADS = 2  # of a worker, as in the local host
_WAIT_SECONDS = 600.0
_BODY = "x" * 1500  # a message of trivial steps half way
_ROW = {f"property{number}": "x" * 200 for number in range(5)}


class Caller:
    """Makes the calls of one thread, on a queue and rows of its own."""

    def __init__(self, connection: str, name: str) -> None:
        self._queue = QueueClient.from_connection_string(connection, f"bare{name}")
        self._queue.create_queue()
        self._table = TableClient.from_connection_string(connection, "barecalls")
        with suppress(ResourceExistsError):
            self._table.create_table()
        self._name, self._row, self._etag = name, 0, ""
        self._message: Any = None
        self.make("POST table")  # a row to read

    def make(self, call: str) -> None:
        """Make one call, such as `POST queue`."""
        key = {"PartitionKey": self._name, "RowKey": str(self._row)}
        if call == "POST queue":
            self._queue.send_message(_BODY, time_to_live=-1)
        elif call == "GET queue":
            self._message = self._queue.receive_message(visibility_timeout=600)
        elif call == "DELETE queue":
            self._queue.delete_message(self._message)
        elif call == "GET table":
            self._table.get_entity(self._name, "1")
        elif call == "POST table":
            self._row += 1
            done = self._table.create_entity({**key, "RowKey": str(self._row), **_ROW})
            self._etag = done["etag"]
        elif call.endswith(" table"):
            same = MatchConditions.IfNotModified
            done = self._table.update_entity(
                {**key, **_ROW}, UpdateMode.MERGE, etag=self._etag, match_condition=same
            )
            self._etag = done["etag"]
        else:
            raise ValueError(f"a trivial job should not make the call {call}")


def calls_of(job: Delivered) -> list[str]:
    """Return a job's calls in order, with those of its sender and of the host put in."""
    calls = ["POST queue"]
    for delivery in job.deliveries:
        calls += ["GET queue", *delivery, "DELETE queue"]
    return calls


def _work(connection: str, name: str, calls: Sequence[str], jobs: int, barrier: Any) -> None:
    callers = [Caller(connection, f"{name}-{number}") for number in range(_THREADS)]

    def repeat(caller: Caller) -> None:
        for _ in range(jobs):
            for call in calls:
                caller.make(call)

    threads = [threading.Thread(target=repeat, args=(caller,)) for caller in callers]
    barrier.wait(_WAIT_SECONDS)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    barrier.wait(_WAIT_SECONDS)


def jobs_a_second(connection: str, calls: Sequence[str], jobs: int, name: str) -> float:
    """Return how many jobs' calls two processes make in a second, with two threads each.

    Args:
        connection: of the storage emulator.
        calls: of one job, by `calls_of`.
        jobs: how many at least.
        name: of this measurement, for its queues; two never have the same.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(WORKERS + 1)
    each = -(-jobs // (WORKERS * _THREADS))
    processes = [
        context.Process(target=_work, args=(connection, f"{name}-{part}", calls, each, barrier))
        for part in range(WORKERS)
    ]
    for process in processes:
        process.start()
    barrier.wait(_WAIT_SECONDS)
    begun = time.perf_counter()
    barrier.wait(_WAIT_SECONDS)
    seconds = time.perf_counter() - begun
    for process in processes:
        process.join()
    return each * WORKERS * _THREADS / seconds
