"""Which jobs were erased: told by tombstones, which name nobody.

A missing row proves nothing: storage may have lost it. So a message whose row is gone is dropped
only if a tombstone covers it: of its run, whenever it was put on its queue; or of its job or its
batch, if it was put there before the tombstone was laid, by storage's own clock. A job that is sent
again later under the same id has a new run and later messages, and passes.

The names are keyed hashes. The key is made once by the first who erases, and kept in
`pipelinestate`; as long as there is none, nothing was ever erased.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from imaginem.errors import Conflict, PermanentError, StorageUnavailable
from imaginem.names import stored_run
from imaginem.ports import ErasedRuns, JobKey, SharedState, Tombstones

ENTRY = "tombstone-key"
_TRIES = 8


class NotedErasures:
    """Lays and finds tombstones.

    Args:
        tombstones: the table.
        shared_state: keeps the key.
        runs: the same of runs in SQL, for what steps write there.
    """

    def __init__(self, tombstones: Tombstones, shared_state: SharedState, runs: ErasedRuns) -> None:
        self._tombstones, self._shared_state, self._runs = tombstones, shared_state, runs
        self._known = b""

    def covers(self, key: JobKey, runs: Collection[str], put: datetime | None) -> bool:
        """Tell whether a message is of something that was erased."""
        secret = self._known = self._known or self._read_key()
        if not secret:
            return False
        batch_id, job_id = key
        places = {_mark(secret, "batch", batch_id), _mark(secret, "job", *key)}
        own = {_mark(secret, "run", batch_id, job_id, run) for run in runs if run}
        found = self._tombstones.find(_mark(secret, "in", batch_id), sorted(places | own))
        if own & found.keys():
            return True
        return put is not None and any(put <= found[name] for name in places & found.keys())

    def are_known(self) -> bool:
        """Tell, without a call, whether this process knows that anything was ever erased."""
        return bool(self._known)

    def begin(self, batch_id: str, job_ids: Collection[str], *, whole: bool = False) -> None:
        """Commit that jobs, or a whole batch, are erased."""
        secret = self._made_key()
        places = {_mark(secret, "job", batch_id, job_id) for job_id in job_ids}
        if whole:
            places.add(_mark(secret, "batch", batch_id))
        marks = places | _begun(secret, batch_id, job_ids, whole=whole)
        self._tombstones.lay(_mark(secret, "in", batch_id), sorted(marks))

    def add_runs(self, batch_id: str, runs: Mapping[str, Collection[str]]) -> None:
        """Commit runs of jobs as erased."""
        secret = self._made_key()
        marks = {
            _mark(secret, "run", batch_id, job_id, run)
            for job_id, known in runs.items()
            for run in known
            if run
        }
        self._tombstones.lay(_mark(secret, "in", batch_id), sorted(marks))
        self._runs.lay(
            batch_id,
            {job_id: sorted(set(map(stored_run, known))) for job_id, known in runs.items()},
        )

    def end(self, batch_id: str, job_ids: Collection[str], *, whole: bool = False) -> None:
        """Note that nothing is left of what was erased."""
        secret = self._made_key()
        marks = _begun(secret, batch_id, job_ids, whole=whole)
        self._tombstones.lift(_mark(secret, "in", batch_id), sorted(marks))

    def is_begun(self, batch_id: str, job_id: str = "") -> bool:
        """Tell whether an erasure has not ended."""
        secret = self._read_key()
        if not secret:
            return False
        marks = _begun(secret, batch_id, [job_id] if job_id else (), whole=not job_id)
        return bool(self._tombstones.find(_mark(secret, "in", batch_id), sorted(marks)))

    def settle(self) -> None:
        """Wait until jobs that are sent again can be told from those that were erased."""
        self._tombstones.settle()

    def mark(self, *words: str) -> str:
        """Return a keyed hash; whoever needs the key first makes it."""
        return _mark(self._known or self._made_key(), *words)

    def all(self) -> Iterator[tuple[str, str, datetime]]:
        """Return batch, mark and time of every tombstone."""
        return self._tombstones.all()

    def restore(self, secret: str, marks: Iterable[tuple[str, str, datetime]]) -> None:
        """Add tombstones of a backup, laid with this key, which becomes ours if we have none.

        Raises:
            PermanentError: we have another key.
        """
        own = self.key()
        if own and not hmac.compare_digest(own.encode(), secret.encode()):
            raise PermanentError(
                "this storage has another key of tombstones than the file: they are of two "
                "installations, or something was erased here before the tombstones were applied"
            )
        if not own:
            self._shared_state.write(ENTRY, secret, "")
        self._tombstones.restore(marks)

    def key(self) -> str:
        """Return the key by which tombstones are matched; empty if nothing was ever erased."""
        return self._read_key().decode()

    def _read_key(self) -> bytes:
        entry = self._shared_state.read(ENTRY)
        return entry[0].encode() if entry is not None else b""

    def _made_key(self) -> bytes:
        """Return the key as it stands in storage, made if there is none: erasing is rare."""
        for _ in range(_TRIES):
            if secret := self._read_key():
                self._known = secret
                return secret
            try:
                # 244 random bits
                self._shared_state.write(ENTRY, uuid.uuid4().hex + uuid.uuid4().hex, "")
            except Conflict:  # somebody else has just made one
                continue
        raise StorageUnavailable("the key of the tombstones can't be kept: try again")


def _begun(secret: bytes, batch_id: str, job_ids: Collection[str], *, whole: bool) -> set[str]:
    """Return the marks of an erasure that goes on: one that was interrupted is found by them."""
    marks = {_mark(secret, "begun", batch_id, job_id) for job_id in job_ids}
    return marks | ({_mark(secret, "begun", batch_id)} if whole else set())


def _mark(secret: bytes, *words: str) -> str:
    return hmac.new(secret, json.dumps(words).encode(), hashlib.sha256).hexdigest()
