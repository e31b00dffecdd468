"""What executions that go on have used so far, in a file: should their process die, it is not lost.

Each process has a file of its own, which it keeps locked. A file that nobody holds is of a process
that has died; whoever finds it enters what is in it into the ledger. A line is written with one
call and not flushed to the disk: it outlasts its process, and not its machine.
"""

import fcntl
import json
import os
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any

from imaginem.ports.ledger import Amount, LedgerEntry, LedgerItem, added

_ENDING = ".journal"
_named = attrgetter("step", "service", "operation")
_numbers = attrgetter("calls", "billed", "seconds", "tokens_in", "tokens_out")
_LARGE = 1_000_000
"""Bytes from which a file is written anew, without what has been entered."""


class LedgerJournal:
    """The file of this process, and those of processes that died.

    Args:
        folder: of the files; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._path: Path | None = None
        self._pid = 0
        self._lock = threading.Lock()
        self._open: dict[uuid.UUID, list[bytes]] = {}

    def note(self, entry: LedgerEntry) -> None:
        """Note what was used, as a part of the entry with this id. Raises nothing: it is a help."""
        line = _line(entry)
        with self._lock, suppress(OSError):
            self._open.setdefault(entry.id, []).append(line)
            os.write(self._own_file(), line)

    def forget(self, ids: Collection[uuid.UUID]) -> None:
        """Forget entries: they are in the ledger now."""
        with self._lock, suppress(OSError):
            for each in ids:
                self._open.pop(each, None)
            if self._file is None:
                return
            if not self._open:
                os.ftruncate(self._file, 0)
            elif os.fstat(self._file).st_size > _LARGE:
                os.ftruncate(self._file, 0)
                os.write(self._file, b"".join(line for own in self._open.values() for line in own))
            else:
                done = b"".join(json.dumps({"done": each.hex}).encode() + b"\n" for each in ids)
                os.write(self._file, done)

    def recover(self, enter: Callable[[list[LedgerEntry]], None]) -> None:
        """Enter what processes used that died; their files go.

        Args:
            enter: adds entries to the ledger; an error of it leaves the file.
        """
        for path in sorted(self._folder.glob(f"*{_ENDING}")):
            if path == self._path:
                continue
            with suppress(OSError):
                file = os.open(path, os.O_RDWR)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.fstat(file).st_nlink:  # else somebody else has just entered it
                        enter(list(_entries(path.read_bytes())))
                        path.unlink()
                finally:
                    os.close(file)

    def close(self) -> None:
        """Remove the file of this process, if all in it was entered."""
        with self._lock, suppress(OSError):
            if self._file is not None and self._path is not None and not self._open:
                self._path.unlink()
                os.close(self._file)
                self._file = self._path = None

    def _own_file(self) -> int:
        """Return the file of this process. It gets its name once it is locked."""
        if self._file is None or self._pid != os.getpid():
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex}{_ENDING}"
            new = path.with_suffix(".new")
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            new.rename(path)
            self._file, self._path, self._pid = file, path, os.getpid()
        return self._file


def _line(entry: LedgerEntry) -> bytes:
    amounts = [(*_named(item), *_numbers(amount)) for item, amount in entry.amounts.items()]
    of = (entry.batch_id, entry.job_id, entry.month, entry.setup)
    return json.dumps({"id": entry.id.hex, "of": of, "amounts": amounts}).encode() + b"\n"


def _entries(data: bytes) -> Iterator[LedgerEntry]:
    """Return the entries of a file that were not entered; its last line may be cut off."""
    found: dict[str, LedgerEntry] = {}
    for text in data.splitlines():
        try:
            line: Any = json.loads(text)
            if "done" in line:
                found.pop(line["done"], None)
                continue
            amounts = {LedgerItem(*one[:3]): Amount(*one[3:]) for one in line["amounts"]}
            batch_id, job_id, month, setup = line["of"]
        except (ValueError, TypeError, KeyError):
            continue
        before = found.get(line["id"])
        whole = added(before.amounts if before else {}, amounts)
        entry = LedgerEntry(batch_id, job_id, whole, month, setup, uuid.UUID(line["id"]))
        found[line["id"]] = entry
    yield from found.values()
