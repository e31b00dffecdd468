"""Every call of a port is a point where others may go on, and where something may go wrong."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from imaginem.errors import Conflict, NotFound, RetryableError, StorageUnavailable
from tests.simulation.plan import Fault, Plan
from tests.simulation.scheduler import InstanceDied, Scheduler
from tests.simulation.tracing import Trace, brief

_CALL_SECONDS = 0.05
_LONGEST_STALL = 200.0
_WITHOUT_CALL = frozenset({"address", "locate", "link", "active", "sending", "storage_starts"})
_IN_SQL = frozenset(
    {"results", "submissions", "batches", "gallery", "earlier_outputs", "erased_runs"}
) | {"catalogue", "face_index"}
_ON_THIS_MACHINE = _IN_SQL | {"landing"}
_ANSWERING = frozenset({Fault.REFUSED, Fault.UNANSWERED, Fault.REPEATED})
_FENCED = frozenset({"insert", "merge", "replace", "write", "change"})
_BY_RECEIPT = frozenset({"delete", "extend"})


class WorkerDied(BaseException):
    """A worker process ended; its host lives on. No handler of the pipeline sees it."""


class Faults:
    """Lets calls of ports go wrong, as the plan says.

    Attributes:
        on: whether anything may go wrong now.
        down: whether storage does not answer at all.
        happened: how often which fault came.
    """

    def __init__(
        self, plan: Plan, chance: random.Random, scheduler: Scheduler, trace: Trace
    ) -> None:
        self._plan, self._chance, self._scheduler = plan, chance, scheduler
        self._trace = trace
        self.on = True
        self.down = False
        self.happened: Counter[str] = Counter()
        self._names = {fault: str(fault) for fault in Fault}

    def call(
        self, port: str, method: str, real: Callable[..., Any], *given: Any, **named: Any
    ) -> Any:
        """Make a call, at some later moment, well or not."""
        actor = self._scheduler.current
        if actor is None:
            return real(*given, **named)
        if actor.killed:  # a `finally` of a process that is no more
            raise InstanceDied
        self._scheduler.pause(self._latency())
        if self.down and port not in _ON_THIS_MACHINE:
            raise StorageUnavailable("storage is down")
        if self.on and self._chance.random() < self._plan.fault_rate:
            return self._go_wrong(actor.name, port, method, partial(real, *given, **named))
        if not self._trace.wanted:
            return real(*given, **named)
        return self._traced(actor.name, port, method, partial(real, *given, **named))

    def loses_message(self) -> bool:
        """Tell whether a message is lost that was just sent."""
        if not self.on or self._chance.random() >= self._plan.loss_rate:
            return False
        self.happened["message lost as soon as it was sent"] += 1
        return True

    def _latency(self) -> float:
        if self.on and self._chance.random() < self._plan.stall_rate:
            self.happened["instance stalled"] += 1
            return self._chance.uniform(0.5, _LONGEST_STALL)
        return self._chance.random() * _CALL_SECONDS

    def _traced(self, who: str, port: str, method: str, action: Any) -> Any:
        if not self._trace.wanted:
            return action()
        what = self._trace.call(port, method, action.args)
        try:
            result = action()
        except Exception as problem:
            self._trace.note(who, f"{what} raises {type(problem).__name__}")
            raise
        self._trace.note(who, f"{what} -> {brief(result)}")
        return result

    def _go_wrong(self, who: str, port: str, method: str, action: Any) -> Any:
        fault = self._chance.choice(self._plan.faults)
        if port == "landing" and fault in _ANSWERING:  # a folder answers
            return self._traced(who, port, method, action)
        self.happened[self._names[fault]] += 1
        self._trace.note(who, f"!! {fault}: {port}.{method}")
        if fault is Fault.REFUSED:
            raise _down(port)
        if fault is Fault.WORKER_DIED_BEFORE:
            raise WorkerDied
        if fault is Fault.INSTANCE_DIED_BEFORE:
            raise InstanceDied
        result = self._traced(who, port, method, action)
        if fault is Fault.UNANSWERED:
            raise _down(port)
        if fault is Fault.WORKER_DIED_AFTER:
            raise WorkerDied
        if fault is Fault.INSTANCE_DIED_AFTER:
            raise InstanceDied
        return self._again(who, port, method, action, result)

    def _again(self, who: str, port: str, method: str, action: Any, result: Any) -> Any:
        """Return what the SDK gets when it repeats a call whose answer was lost."""
        if method in _FENCED:
            raise Conflict("the entity has changed")
        if port == "queues" and method in _BY_RECEIPT:
            raise NotFound("the receipt is not valid any more")
        if isinstance(result, Iterator):
            return result
        return self._traced(who, port, method, action)


def _down(port: str) -> Exception:
    if port in _IN_SQL:
        return RetryableError("the database did not answer")
    return StorageUnavailable("no answer")


class Port:
    """A port whose calls go through `Faults`."""

    def __init__(self, name: str, target: Any, faults: Faults) -> None:
        self._name, self._target, self._faults = name, target, faults

    def __getattr__(self, method: str) -> Any:
        value = getattr(self._target, method)
        if callable(value) and method not in _WITHOUT_CALL:
            value = partial(self._faults.call, self._name, method, value)
        self.__dict__[method] = value
        return value
