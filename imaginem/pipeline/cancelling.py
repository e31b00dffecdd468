"""Cancelled batches: their jobs stop before their next step.

One entry of the shared state holds them all. Each process reads it again after
`FRESH_SECONDS` at the earliest, so that a step execution costs no extra read.
"""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping

from imaginem.errors import Conflict, StorageUnavailable
from imaginem.ports import SharedState

ENTRY = "cancelled"
FRESH_SECONDS = 3.0
_LIMIT = 500  # batches; the oldest are dropped, since their jobs have ended long ago
_TRIES = 20


class CancelledBatches:
    """Reads and writes the list of cancelled batches.

    Args:
        shared_state: where the list is kept.
        clock: returns seconds since any fixed moment.
    """

    def __init__(
        self, shared_state: SharedState, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared_state = shared_state
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, float] = {}
        self._fresh_until = 0.0

    def is_cancelled(self, batch_id: str) -> bool:
        """Tell whether a batch is cancelled."""
        now = self._clock()
        with self._lock:
            if now >= self._fresh_until:
                # If storage is down, the list that was read last is used.
                with contextlib.suppress(StorageUnavailable):
                    self._known = self._read()[0]
                self._fresh_until = now + FRESH_SECONDS
            return _name(batch_id) in self._known

    def cancel(self, batch_id: str) -> None:
        """Stop a batch's jobs."""
        self._change(lambda cancelled: {**cancelled, _name(batch_id): time.time()})

    def reopen(self, batch_id: str) -> None:
        """Let a batch take jobs again."""
        reopened = _name(batch_id)
        self._change(
            lambda cancelled: {name: at for name, at in cancelled.items() if name != reopened}
        )

    def _read(self) -> tuple[dict[str, float], str]:
        entry = self._shared_state.read(ENTRY)
        if entry is None:
            return {}, ""
        text, fence = entry
        try:
            return {str(name): float(at) for name, at in json.loads(text).items()}, fence
        except (ValueError, AttributeError, TypeError):  # the table was edited by hand
            return {}, fence

    def _change(self, change: Callable[[dict[str, float]], dict[str, float]]) -> None:
        for _ in range(_TRIES):
            cancelled, fence = self._read()
            newest = sorted(change(cancelled).items(), key=lambda item: -item[1])[:_LIMIT]
            try:
                self._shared_state.write(ENTRY, json.dumps(dict(newest)), fence)
            except Conflict:
                continue
            with self._lock:
                self._fresh_until = 0.0
            return
        raise StorageUnavailable("the list of cancelled batches keeps changing: try again")


def _name(batch_id: str) -> str:
    """Return a hash that stands for a batch in the list, short whatever the id's length."""
    return hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
