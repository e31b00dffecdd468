"""Counts what an execution takes, wherever it is called from: adapters call `count`.

Counting costs no call of its own: it is kept in memory until the execution has ended.
"""

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from imaginem.ports.ledger import (
    FUNCTIONS,
    STEP,
    STORAGE,
    Amount,
    Amounts,
    Ledger,
    LedgerEntry,
    LedgerItem,
    added,
)
from imaginem.ports.storage import JobKey

_LEAST_SECONDS = 1.0
_STEPS_A_SECOND = 10
"""Flex Consumption bills an execution for a second at least, and by tenths of a second (Azure
Functions pricing)."""
_HOST_CALLS = Amount(calls=2)
"""Of the Functions host for each execution: it takes the message, and deletes it."""
_meter: ContextVar["Meter | None"] = ContextVar("imaginem_meter", default=None)
_of_jobs: dict[JobKey, "Meter"] = {}
"""The meters of jobs that this process works on, for threads that steps start."""


class Meter:
    """Counts for one execution.

    Args:
        step: that runs, or the purpose.
        batch_id: whom it works for, as far as that is known at the start.
        note: is told at once what is counted, should the process die; that a step has begun or
            ended is told with what is counted next, for it costs nobody anything.
    """

    def __init__(
        self,
        step: str,
        batch_id: str = "",
        note: Callable[[LedgerEntry], None] = lambda entry: None,
    ) -> None:
        self._id, self._note = uuid.uuid4(), note
        self._first, self._step = step, step
        self._batch_id, self._job_id = batch_id, ""
        self._amounts: dict[LedgerItem, Amount] = {}
        self._untold: dict[LedgerItem, Amount] = {}
        self._lock = threading.Lock()

    def work_on(self, batch_id: str, job_id: str, step: str = "") -> None:
        """Say whom the execution works for, and in which step from here on."""
        self._batch_id, self._job_id = batch_id, job_id
        self._step = step or self._step
        _of_jobs[batch_id, job_id] = self

    def close(self) -> None:
        """Count for no thread any more."""
        for key in [key for key, meter in list(_of_jobs.items()) if meter is self]:
            _of_jobs.pop(key, None)

    def forget_job(self) -> None:
        """Leave the ids out: the job was erased."""
        self._batch_id = self._job_id = ""

    def count(self, service: str, operation: str, amount: Amount) -> None:
        """Add to what the step has taken so far."""
        item = LedgerItem(self._step, service, operation)
        with self._lock:
            self._amounts[item] = self._amounts.get(item, Amount()) + amount
            self._untold[item] = self._untold.get(item, Amount()) + amount
            if service == STEP:
                return
            told, self._untold = self._untold, {}
        self._note(self._part(told))

    def begin_execution(self) -> None:
        """Note that an execution has begun: it is billed even if it never ends."""
        self._note(self._part(self._execution(0.0)))

    def count_execution(self, seconds: float) -> None:
        """Add the execution itself, which is that of its first step."""
        self._amounts |= self._execution(seconds)

    def entry(self) -> LedgerEntry:
        """Return what was counted."""
        return self._part(dict(self._amounts))

    def _part(self, amounts: Amounts) -> LedgerEntry:
        return LedgerEntry(self._batch_id, self._job_id, amounts, id=self._id)

    def _execution(self, seconds: float) -> dict[LedgerItem, Amount]:
        billed = max(_LEAST_SECONDS, math.ceil(seconds * _STEPS_A_SECOND) / _STEPS_A_SECOND)
        return {
            LedgerItem(self._first, FUNCTIONS, "execution"): Amount(1, 1, billed),
            LedgerItem(self._first, STORAGE, "queue host"): _HOST_CALLS,
        }


@contextmanager
def metered(
    ledger: Ledger, step: str, batch_id: str = "", *, executes: bool = False
) -> Iterator[Meter]:
    """Count what is done in the `with` block, and enter it into the ledger.

    Args:
        ledger: to enter it into.
        step: that runs, or the purpose.
        batch_id: whom it works for, as far as that is known.
        executes: this is an execution of the function app.
    """
    meter = Meter(step, batch_id, ledger.note)
    if executes:
        meter.begin_execution()
    token = _meter.set(meter)
    started = time.perf_counter()
    try:
        yield meter
    finally:
        _meter.reset(token)
        meter.close()
        if executes:
            meter.count_execution(time.perf_counter() - started)
        ledger.add([meter.entry()])


@contextmanager
def within(key: JobKey) -> Iterator[None]:
    """Count what is done in the `with` block for the job, on whichever thread that is.

    What a step does on threads of its own is not known as its work otherwise.
    """
    meter = None if _meter.get() is not None else _of_jobs.get(key)
    if meter is None:
        yield
        return
    token = _meter.set(meter)
    try:
        yield
    finally:
        _meter.reset(token)


def count(
    service: str,
    operation: str,
    *,
    calls: int = 1,
    billed: int = 0,
    seconds: float = 0.0,
    tokens_in: int = 0,
    tokens_out: int = 0,
) -> None:
    """Count something for the execution that goes on; nothing outside of one.

    Args:
        service: the AI account, or one of those in `imaginem.ports.ledger`.
        operation: of the service.
        calls: requests that were sent.
        billed: units that are paid for.
        seconds: for which it ran.
        tokens_in: that a language model read.
        tokens_out: that it wrote.
    """
    meter = _meter.get()
    if meter is not None:
        meter.count(service, operation, Amount(calls, billed, seconds, tokens_in, tokens_out))


def work_on(batch_id: str, job_id: str, step: str = "") -> None:
    """Say whom the execution that goes on works for, and in which step."""
    meter = _meter.get()
    if meter is not None:
        meter.work_on(batch_id, job_id, step)


def forget_job() -> None:
    """Leave the ids out of what goes on: the job was erased."""
    meter = _meter.get()
    if meter is not None:
        meter.forget_job()


def count_run(seconds: float) -> None:
    """Count that a step was begun once."""
    count(STEP, "run", seconds=seconds)


def under_way(batch_id: str) -> Amounts:
    """Return what this process's executions for a batch have taken that have not ended."""
    meters = {id(meter): meter for key, meter in list(_of_jobs.items()) if key[0] == batch_id}
    return added(*(meter.entry().amounts for meter in meters.values()))
