"""Work that a service does in the background: begun and paid for once, awaited until it ends.

Whoever gives up waiting keeps the operation's id in the shared state. The message's next delivery,
on whichever instance, then goes on waiting instead of paying again.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from imaginem.engines.azure.calls import Refused, Service, ServiceRefused
from imaginem.engines.azure.reading import Fields, fields, text
from imaginem.errors import Busy, Conflict, RetryableError
from imaginem.ports import CallContext, SharedState

_POLL_SECONDS = 2.0
"""Microsoft advises for the successors: ask at most every two seconds."""
_POLL_LIMIT = 90.0
_KEPT_SECONDS = 20 * 3600.0
"""Read keeps a result for 48 hours, its successors for 24."""
_AT_WORK = frozenset({"notstarted", "running"})
_FAILED = frozenset({"failed", "canceled", "skipped"})
_SUCCEEDED = "succeeded"
_NOT_FOUND = 404
_logger = logging.getLogger("imaginem.engines.azure")


class OperationFailed(Exception):
    """The service says that an operation has ended without a result.

    Attributes:
        codes: of the error, from the outermost to the innermost.
        text: the innermost message, which says most.
        status: of the operation.
    """

    def __init__(self, codes: tuple[str, ...], told: str, status: str) -> None:
        super().__init__(told)
        self.codes, self.text, self.status = codes, told, status

    @property
    def code(self) -> str:
        """The innermost code, or the status where there is none."""
        return self.codes[-1] if self.codes else self.status


@dataclass(frozen=True)
class Operation:
    """What is to be done.

    Attributes:
        name: of the call in traces, metrics and errors.
        begin: begins it, for money; returns its id at the service.
        ask: returns the state of the operation with this id, and its result.
        result: the name of the result there.
        model: what does the work; a change of it makes another operation.
        photo_key: the photo's `key`: another page is another operation.
    """

    name: str
    begin: Callable[[], str]
    ask: Callable[[str], Fields]
    result: str
    model: str
    photo_key: str

    def key(self, call: CallContext) -> str:
        """Return what the operation of this job's step and photo is kept under; tells nothing."""
        parts = (call.batch_id, call.job_id, call.step, self.model, self.photo_key)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:40]


class Operations:
    """Runs operations of one account.

    Args:
        service: of the account.
        results: of the same account, with a pace of its own for questions.
        shared_state: keeps the ids of operations that were not awaited to their end.
        poll_seconds: between two questions for a result.
        clock: seconds, steady.
        sleep: waits some seconds.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        service: Service,
        results: Service,
        shared_state: SharedState,
        *,
        poll_seconds: float = _POLL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._service, self._results = service, results
        self._shared_state = shared_state
        self._poll_seconds = poll_seconds
        self._clock, self._sleep, self._now = clock, sleep, now

    def run(self, operation: Operation, call: CallContext) -> Fields:
        """Return the result of an operation.

        Raises:
            OperationFailed: it has ended without a result.
            RetryableError: it takes long; the next call with the same job, step and photo goes on
                waiting for it. Or as of `Service.call`.
        """
        entry = f"{self._service.name}-operation-{operation.key(call)}"
        kept = self._kept(entry)
        answer = self._await_kept(operation, kept, entry, call) if kept else None
        if answer is None:  # nothing was kept, or the service has forgotten it
            if kept:
                self._write(entry, "")
                kept = ""
            with self._service.call(operation.name, call):
                begun = operation.begin()
            answer = self._await(operation, begun, entry, call)
        if kept:
            self._write(entry, "")
        if answer is None:
            raise RetryableError(
                f"Azure {self._service.name} {operation.name}: the service does not know the "
                "operation that it has begun"
            )
        status = _status(answer)
        if status in _FAILED:
            raise OperationFailed(*_error(answer), status)
        return fields(answer.get(operation.result))

    def _await_kept(
        self, operation: Operation, number: str, entry: str, call: CallContext
    ) -> Fields | None:
        """Go on waiting; an id that the service refuses is one that it does not know."""
        try:
            return self._await(operation, number, entry, call)
        except ServiceRefused as refused:
            _logger.warning("begun anew: %s", refused)
            return None

    def _await(
        self, operation: Operation, number: str, entry: str, call: CallContext
    ) -> Fields | None:
        """Ask until the operation has ended; a refusal delays the next question.

        Returns:
            None if the service does not know it.
        """
        until = self._clock() + _POLL_LIMIT
        pause = self._poll_seconds
        last: RetryableError | None = None
        while self._clock() < until:
            self._sleep(pause)
            pause = self._poll_seconds
            try:
                answer = self._asked(operation, number, call)
            except RetryableError as problem:
                last = problem
                pause = min(problem.retry_after or self._poll_seconds, _POLL_LIMIT / 6)
                continue
            if answer is None or _has_ended(answer, operation.result):
                return answer
        self._write(entry, f"{number} {self._now() + _KEPT_SECONDS:.0f}")
        raise self._late(operation.name, last)

    def _asked(self, operation: Operation, number: str, call: CallContext) -> Fields | None:
        with self._results.call(f"{operation.name} result", call, units=0, wait_for_quota=True):
            try:
                answer = operation.ask(number)
            except Refused as refused:
                if refused.status != _NOT_FOUND:
                    raise
                return None
            if not answer:
                raise ValueError("an answer that is no JSON object")
            return answer

    def _late(self, name: str, last: RetryableError | None) -> RetryableError:
        late = f"Azure {self._service.name} {name}: no result within {_POLL_LIMIT:.0f} s"
        if isinstance(last, Busy):
            return Busy(f"{late}: {last}", retry_after=last.retry_after)
        return RetryableError(f"{late}: {last}" if last else late)

    def _kept(self, entry: str) -> str:
        """Return the id of an operation that was not awaited to its end; empty if there is none."""
        state = self._shared_state.read(entry)
        number, _, until = state[0].partition(" ") if state else ("", "", "")
        try:
            return number if float(until) > self._now() else ""
        except ValueError:  # it has ended, or was written by hand
            return ""

    def _write(self, entry: str, text: str) -> None:
        state = self._shared_state.read(entry)
        try:
            self._shared_state.write(entry, text, state[1] if state else "")
        except Conflict:  # another delivery of the message waits for an operation too
            _logger.info("%s was changed by another delivery", entry)


def _status(answer: Fields) -> str:
    return text(answer.get("status")).casefold()


def _has_ended(answer: Fields, result: str) -> bool:
    status = _status(answer)
    if status in _FAILED or status == _SUCCEEDED:
        return True
    return status not in _AT_WORK and bool(fields(answer.get(result)))


def _error(answer: Fields) -> tuple[tuple[str, ...], str]:
    """Return the codes of an operation's error, and the innermost message."""
    codes, told = [], ""
    error = fields(answer.get("error"))
    while error:
        codes.append(text(error.get("code")))
        told = text(error.get("message")) or told
        error = fields(error.get("innererror"))
    return tuple(filter(None, codes)), told
