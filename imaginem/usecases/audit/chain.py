"""A process's chain of the audit trail: each entry holds the digest of the one before."""

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from imaginem.ports import (
    NO_DIGEST,
    AuditDeed,
    AuditEntry,
    AuditSubject,
    AuditTrail,
    InstallationKey,
)

_AT_ONCE = 100
"""Entries of one insert: as many as a transaction of the table service takes."""
_NAMED = (AuditSubject.BATCH, AuditSubject.JOB, AuditSubject.FACE, AuditSubject.PHOTO)
_ONCE_IN = 60.0
"""Seconds in which the same deed of these to the same photo or batch by one person is one entry."""
_REPEATED = (AuditDeed.VIEWED, AuditDeed.SUBMITTED, AuditDeed.REFUSED)
_REMEMBERED = 10_000
_WHO_LENGTH = 200
_HASH_LENGTH = 32


def hash_of(key: InstallationKey, kind: AuditSubject, *ids: str) -> str:
    """Return what stands in the trail for a batch, a job or a face: nobody can read an id of it."""
    text = json.dumps(ids, ensure_ascii=True)
    return key.mac(f"audit.{kind}", text.encode("ascii"))[:_HASH_LENGTH]


@dataclass
class _Waiting:
    entry: AuditEntry
    called: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    problem: Exception | None = None


class ChainWriter:
    """Writes this process's entries; each day, and after a write that failed, it begins a chain.

    Callers wait until their entry is kept. While one insert is under way, the entries of all
    who come meanwhile gather and go with the next one.

    Args:
        trail: keeps the entries.
        key: hides ids.
        now: tells the time.
        seconds: a clock that only goes forward.
    """

    def __init__(
        self,
        trail: AuditTrail,
        key: InstallationKey,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trail, self._key, self._now, self._seconds = trail, key, now, seconds
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._is_writing = False
        self._last = AuditEntry("", 0, "", "", "", "")
        self._seen: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def record(
        self,
        who: str,
        deed: AuditDeed,
        kind: AuditSubject,
        ids: Collection[str] = (),
        purpose: str = "",
    ) -> None:
        """Keep a deed; return when it is kept."""
        entry = self._entry(who, deed, kind, tuple(ids), purpose)
        view = (entry.who, entry.deed, entry.kind, entry.subject)
        if deed in _REPEATED and self._seen_lately(view):
            return
        mine = _Waiting(entry)
        with self._lock:
            self._waiting.append(mine)
            must_wait, self._is_writing = self._is_writing, True
        if must_wait:
            mine.called.wait()  # until it is kept, or this one's turn to write
        if not mine.done:
            try:
                self._write_waiting()
            finally:
                self._call_next()
        if mine.problem is not None:
            raise mine.problem
        if deed in _REPEATED:
            self._remember(view)

    def _entry(
        self, who: str, deed: AuditDeed, kind: AuditSubject, ids: tuple[str, ...], purpose: str
    ) -> AuditEntry:
        hidden = kind in _NAMED and ids
        in_batch = kind in (AuditSubject.BATCH, AuditSubject.JOB) and ids
        return AuditEntry(
            chain="",
            number=0,
            at="",
            who=who[:_WHO_LENGTH],
            deed=deed,
            kind=kind,
            subject=hash_of(self._key, kind, *ids) if hidden else "",
            batch=hash_of(self._key, AuditSubject.BATCH, ids[0]) if in_batch else "",
            purpose=purpose,
        )

    def _write_waiting(self) -> None:
        """Write what waits in one insert; its first entry is the caller's own."""
        with self._lock:
            some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        problem: Exception | None = None
        try:
            self._last = self._append([waiting.entry for waiting in some])
        except Exception as failure:
            # It may have been kept all the same: only a new chain surely goes on from nothing.
            self._last = AuditEntry("", 0, "", "", "", "")
            problem = failure
        for waiting in some:
            waiting.problem, waiting.done = problem, True
            waiting.called.set()

    def _call_next(self) -> None:
        """Let the one who has waited longest write."""
        with self._lock:
            if self._waiting:
                self._waiting[0].called.set()
            else:
                self._is_writing = False

    def _append(self, entries: Sequence[AuditEntry]) -> AuditEntry:
        now = self._now().astimezone(UTC)
        last = self._last
        if last.chain[:8] != f"{now:%Y%m%d}":
            chain = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(5)}"
            last = AuditEntry(chain, 0, "", "", "", "", digest=NO_DIGEST)
        linked: list[AuditEntry] = []
        for entry in entries:
            placed = replace(
                entry,
                chain=last.chain,
                number=last.number + 1,
                at=now.isoformat(timespec="microseconds"),
                previous=last.digest,
            )
            last = replace(placed, digest=placed.own_digest())
            linked.append(last)
        self._trail.append(linked)
        return last

    def _seen_lately(self, view: tuple[str, ...]) -> bool:
        with self._lock:
            return self._seconds() - self._seen.get(view, float("-inf")) < _ONCE_IN

    def _remember(self, view: tuple[str, ...]) -> None:
        with self._lock:
            self._seen[view] = self._seconds()
            self._seen.move_to_end(view)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
