"""Cancelled batches: their jobs stop before their next step.

One entry of the shared state holds them all, and beside them what else every step execution must
know of batches: which are paused (`pausing.py`), and whether any has a budget (`budgets.py`). Each
process reads it again after `FRESH_SECONDS` at the earliest, so that a step execution costs no
extra read.
"""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from imaginem.errors import Conflict, StorageUnavailable
from imaginem.ports import SharedState

ENTRY = "cancelled"
FRESH_SECONDS = 3.0
_LIMIT = 500  # batches; the oldest are dropped, since their jobs have ended long ago
_ENTRIES = 650  # all together: a property of a table holds 32 Ki characters
_TRIES = 20
OTHER = ":"
"""What a name has in it that does not stand for a cancelled batch."""


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
        return self.noted(hash_of_batch(batch_id)) is not None

    def noted(self, name: str) -> float | None:
        """Return the number that the list has under a name; None if it has none."""
        now = self._clock()
        with self._lock:
            if now >= self._fresh_until:
                # If storage is down, the list that was read last is used.
                with contextlib.suppress(StorageUnavailable):
                    self._known = self._read()[0]
                self._fresh_until = now + FRESH_SECONDS
            return self._known.get(name)

    def cancel(self, batch_id: str) -> None:
        """Stop a batch's jobs."""
        self.change(lambda noted: {**noted, hash_of_batch(batch_id): time.time()})

    def reopen(self, batch_id: str) -> None:
        """Let a batch take jobs again."""
        self.remove(hash_of_batch(batch_id))

    def remove(self, name: str) -> None:
        """Take a name from the list."""
        self.change(lambda noted: {other: at for other, at in noted.items() if other != name})

    def change(self, change: Callable[[dict[str, float]], dict[str, float]]) -> None:
        """Change the list, as it stands in storage.

        Args:
            change: returns the list as it shall be; called again if somebody else was quicker.
        """
        for _ in range(_TRIES):
            noted, fence = self._read()
            changed = _shortened(change(noted))
            try:
                if changed != noted:
                    self._shared_state.write(ENTRY, json.dumps(changed), fence)
            except Conflict:
                continue
            with self._lock:
                self._fresh_until = 0.0
            return
        raise StorageUnavailable("the list of cancelled batches keeps changing: try again")

    def _read(self) -> tuple[dict[str, float], str]:
        entry = self._shared_state.read(ENTRY)
        if entry is None:
            return {}, ""
        text, fence = entry
        try:
            return {str(name): float(at) for name, at in json.loads(text).items()}, fence
        except (ValueError, AttributeError, TypeError):  # the table was edited by hand
            return {}, fence


def _shortened(noted: dict[str, float]) -> dict[str, float]:
    """Return the list without the oldest cancelled batches, if they are too many."""
    cancelled = [item for item in noted.items() if OTHER not in item[0]]
    others = {name: at for name, at in noted.items() if OTHER in name}
    room = max(min(_LIMIT, _ENTRIES - len(others)), 0)
    return {**dict(sorted(cancelled, key=lambda item: -item[1])[:room]), **others}


@lru_cache(maxsize=256)  # each step execution asks for its batch several times
def hash_of_batch(batch_id: str) -> str:
    """Return a hash that stands for a batch in the list, short whatever the id's length."""
    return hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
