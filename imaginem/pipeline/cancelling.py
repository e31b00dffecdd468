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
_REMEMBERED = 500  # batches; the oldest are forgotten, their jobs have ended long ago
_TRIES = 20


class CancelledBatches:
    """Reads and writes the list of cancelled batches.

    Args:
        shared_state: where the list is kept.
        clock: seconds of any origin.
    """

    def __init__(
        self, shared_state: SharedState, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared_state = shared_state
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, float] = {}
        self._until = 0.0

    def is_cancelled(self, batch_id: str) -> bool:
        """Tell whether a batch is cancelled."""
        now = self._clock()
        with self._lock:
            if now >= self._until:
                # What was known a moment ago is better than stopping everything.
                with contextlib.suppress(StorageUnavailable):
                    self._known = self._read()[0]
                self._until = now + FRESH_SECONDS
            return _name(batch_id) in self._known

    def cancel(self, batch_id: str) -> None:
        """Stop a batch's jobs."""
        self._change(lambda held: {**held, _name(batch_id): time.time()})

    def reopen(self, batch_id: str) -> None:
        """Let a batch take jobs again."""
        gone = _name(batch_id)
        self._change(lambda held: {name: at for name, at in held.items() if name != gone})

    def _read(self) -> tuple[dict[str, float], str]:
        found = self._shared_state.read(ENTRY)
        if found is None:
            return {}, ""
        try:
            held = json.loads(found[0])
            return {str(name): float(at) for name, at in held.items()}, found[1]
        except (ValueError, AttributeError, TypeError):  # somebody wrote into the table by hand
            return {}, found[1]

    def _change(self, change: Callable[[dict[str, float]], dict[str, float]]) -> None:
        for _ in range(_TRIES):
            held, fence = self._read()
            newest = sorted(change(held).items(), key=lambda item: -item[1])[:_REMEMBERED]
            try:
                self._shared_state.write(ENTRY, json.dumps(dict(newest)), fence)
            except Conflict:
                continue
            with self._lock:
                self._until = 0.0
            return
        raise StorageUnavailable("the list of cancelled batches keeps changing: try again")


def _name(batch_id: str) -> str:
    """Return a short name for a batch, whatever the length of its id."""
    return hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
