"""Which batches are paused, and why.

That a batch is paused stands in the list of cancelled batches, which each process reads every few
seconds anyway; since when, by whom and why stands in an entry of its own, which is read by who
looks at the batch. Of a batch that goes on again, the entry says since when: its messages are
still hidden then (`pausing.py`), and the watchdog must not take them for lost.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from imaginem.errors import Conflict, PermanentError, StorageUnavailable
from imaginem.pipeline.cancelling import OTHER, CancelledBatches, hash_of_batch
from imaginem.ports import Pause, SharedState

LONGEST_WAIT = 600.0
"""Seconds after which a message looks again at the latest whether its batch goes on."""
PAUSED_LIMIT = 300
"""Batches that people may pause at once; those that their budgets pause come on top."""
_LISTED = f"p{OTHER}"
_PREFIX = "pause-"
_ENTRY = TypeAdapter(Pause)
_TRIES = 8
_FORGOTTEN_AFTER = timedelta(days=1)


class PausedBatches:
    """Reads and writes which batches are paused.

    Args:
        stopped: the list that is read by every step execution.
        shared_state: keeps why.
    """

    def __init__(self, stopped: CancelledBatches, shared_state: SharedState) -> None:
        self._stopped, self._shared_state = stopped, shared_state

    def paused_for(self, batch_id: str) -> float | None:
        """Return for how many seconds a batch is paused; None if it is not."""
        since = self._stopped.noted(_LISTED + hash_of_batch(batch_id))
        return None if since is None else max(time.time() - since, 0.0)

    def pause(self, batch_id: str, pause: Pause) -> None:
        """Let a batch's jobs wait before their next step; a pause that there is stays."""
        listed = _LISTED + hash_of_batch(batch_id)

        def add(noted: dict[str, float]) -> dict[str, float]:
            paused = sum(name.startswith(_LISTED) for name in noted)
            if listed not in noted and paused >= PAUSED_LIMIT and not pause.of_budget:
                raise PermanentError(
                    f"{PAUSED_LIMIT} batches are paused: resume or cancel one of them first"
                )
            return {listed: float(int(pause.since.timestamp())), **noted}

        # First the reason: who finds the batch paused finds why, too.
        if self.paused_for(batch_id) is None:
            self._write(batch_id, pause)
        self._stopped.change(add)

    def resume(self, batch_id: str) -> None:
        """Let a batch's jobs go on."""
        name = hash_of_batch(batch_id)
        pause = _read(self._shared_state.read(_PREFIX + name))
        if pause is not None and (pause.resumed is None or self.paused_for(batch_id) is not None):
            self._write(batch_id, replace(pause, resumed=datetime.now(UTC)))
        self._stopped.remove(_LISTED + name)

    def pause_of(self, batch_id: str) -> Pause | None:
        """Return the pause of a batch; None if it is not paused."""
        name = hash_of_batch(batch_id)
        since = self._stopped.noted(_LISTED + name)
        if since is None:
            return None
        pause = _read(self._shared_state.read(_PREFIX + name))
        return pause or Pause(datetime.fromtimestamp(since, UTC), "somebody")

    def resumed(self) -> Mapping[str, datetime]:
        """Return when batches were let go on, by a hash of their ids; what is old is removed."""
        resumed: dict[str, datetime] = {}
        for name, entry in self._shared_state.list(_PREFIX).items():
            pause = _read(entry)
            if pause is None or pause.resumed is None:
                continue
            if datetime.now(UTC) - pause.resumed > _FORGOTTEN_AFTER:
                self._shared_state.remove(name)
            else:
                resumed[name.removeprefix(_PREFIX)] = pause.resumed
        return resumed

    def forget(self, batch_id: str) -> None:
        """Let a batch's jobs go on, and keep nothing of its pause."""
        name = hash_of_batch(batch_id)
        self._stopped.remove(_LISTED + name)
        self._shared_state.remove(_PREFIX + name)

    def _write(self, batch_id: str, pause: Pause) -> None:
        name = _PREFIX + hash_of_batch(batch_id)
        for _ in range(_TRIES):
            entry = self._shared_state.read(name)
            try:
                self._shared_state.write(
                    name, _ENTRY.dump_json(pause).decode(), entry[1] if entry else ""
                )
            except Conflict:
                continue
            return
        raise StorageUnavailable("why the batch is paused can't be kept: try again")


def messages_back(batch_id: str, resumed: Mapping[str, datetime]) -> datetime:
    """Return when the last message of a batch comes back that was let go on; long ago for others.

    Args:
        batch_id: of the batch.
        resumed: when batches were let go on, as `resumed` returns it.
    """
    at = resumed.get(hash_of_batch(batch_id))
    return at + timedelta(seconds=LONGEST_WAIT) if at else datetime.min.replace(tzinfo=UTC)


def _read(entry: tuple[str, str] | None) -> Pause | None:
    try:
        return None if entry is None else _ENTRY.validate_json(entry[0])
    except ValidationError:  # the table was edited by hand
        return None
