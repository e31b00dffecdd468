"""Search by index files, which follow the gallery in SQL."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from imaginem.errors import Busy, ConfigurationError, disk_full
from imaginem.ports import Neighbor
from imaginem.sql.changes import GalleryState, removed_since, state_of
from imaginem.sql.database import Database
from imaginem.sql.embeddings import read_vectors
from imaginem.sql.flat_index.codes import encode
from imaginem.sql.flat_index.exact import nearest_exactly
from imaginem.sql.flat_index.file import IndexWriter, MappedFile
from imaginem.sql.flat_index.layout import SLOTS, Header
from imaginem.sql.flat_index.locks import locked
from imaginem.sql.flat_index.scan import Scan
from imaginem.sql.probe import Kind, Probe

_PORTION = 4_096
"""Embeddings that are read at once, 8 MB of 512 dimensions."""
_SEARCH_WAITS = 60.0
_ERASURE_WAITS = 10.0
_TRIES = 5
SUFFIX = ".faces"
_LOCK = ".lock"


class FileSearch:
    """Sifts the faces of a kind by their codes in a file, and compares what is left exactly.

    All processes of a machine share the file. Each search first asks the database whether the file
    is up to date, and brings it there.

    Args:
        database: has the embeddings.
        folder: of the files, one for each kind of embeddings.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._mapped: dict[Path, MappedFile] = {}
        self._lock = threading.Lock()

    def path(self, kind: Kind) -> Path:
        """Return where the file of a kind is, or would be."""
        name = f"{kind.model} {kind.dimensions}"
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}{SUFFIX}"

    def nearest(self, session: Session, probe: Probe) -> list[Neighbor]:
        """Return the nearest faces; what the database does not have is never among them."""
        mapped = self._current(probe.kind, state_of(session))
        embedding = np.frombuffer(probe.embedding, np.float32)
        numbers, estimates = Scan(embedding, probe.min_similarity).over(mapped.segments)
        return nearest_exactly(session, probe, numbers, estimates)

    def live(self, kind: Kind) -> int:
        """Return how many faces the file of a kind has that this process has mapped."""
        mapped = self._mapped.get(self.path(kind))
        header = mapped.header() if mapped else None
        return header.live if header else 0

    def forget_removed(self) -> None:
        """Overwrite removed faces in all files; remove files that can't be trusted."""
        if not self._folder.is_dir():
            return
        for path in self._paths():
            # Who holds the lock for longer brings the file up to date before it lets go.
            with suppress(FileNotFoundError), self._writing(path, _ERASURE_WAITS) as held:
                if held:
                    self._bring_or_remove(path)

    def _paths(self) -> set[Path]:
        """Return where files are, and where they are being made: those have a lock alone."""
        locks = self._folder.glob(f"*{_LOCK}")
        return {*self._folder.glob(f"*{SUFFIX}"), *(lock.with_suffix(SUFFIX) for lock in locks)}

    def remove(self, kind: Kind) -> None:
        """Remove the file of a kind."""
        path = self.path(kind)
        with suppress(FileNotFoundError), self._writing(path, _ERASURE_WAITS) as held:
            if held:
                path.unlink(missing_ok=True)
                self._mapped.pop(path, None)

    def _current(self, kind: Kind, state: GalleryState) -> MappedFile:
        """Return the mapped file of a kind, with all that the gallery has in a state."""
        with self._lock:
            path = self.path(kind)
            mapped = self._mapped.get(path)
            if mapped is not None and mapped.is_whole():
                header = mapped.header()
                if header is not None and header.whole and header.state == state:
                    return mapped
            for _ in range(_TRIES):
                with suppress(FileNotFoundError), self._writing(path, _SEARCH_WAITS) as held:
                    if not held:
                        raise Busy(f"another process makes the index of faces {path}: wait for it")
                    mapped = self._mapped[path] = self._brought(kind, path, mapped)
                    return mapped
        raise Busy(f"the index of faces {path} is removed while it is made: leave it there")

    def _brought(self, kind: Kind, path: Path, known: MappedFile | None) -> MappedFile:
        """Bring a file up to date, from nothing if need be; return it mapped.

        Raises:
            FileNotFoundError: it was removed meanwhile; another process may have begun one.
        """
        sound = _sound(path, known)
        header = sound.header() if sound else None
        while True:
            if header is None or not self._bring(path, header):
                self._make(kind, path)
            mapped = _mapped(path)
            header = mapped.header() if mapped else None
            if mapped is None or header is None or not mapped.is_whole():
                raise FileNotFoundError(path)
            if self._state() == header.state:
                return mapped

    def _bring_or_remove(self, path: Path) -> None:
        # Of a damaged file nobody knows where a removed face is.
        mapped = _sound(path, self._mapped.get(path))
        header = mapped.header() if mapped else None
        if mapped is None or header is None or not self._bring(path, header):
            path.unlink(missing_ok=True)
            self._mapped.pop(path, None)
        else:
            self._mapped[path] = mapped

    def _state(self) -> GalleryState:
        with self._database.session(reading=True) as session:
            return state_of(session)

    def _bring(self, path: Path, header: Header) -> bool:
        """Bring a whole file up to date; return False if it must be made anew."""
        if header.used > 2 * header.live and header.used > 4 * SLOTS:  # most of it is zeros
            return False
        writer = IndexWriter(path, header)
        try:
            return self._finish(writer, header.state)
        finally:
            writer.close()

    def _finish(self, writer: IndexWriter, since: GalleryState) -> bool:
        """Write what has changed since a state; return False if nobody knows what was removed."""
        with self._database.session(reading=True) as session:
            state = state_of(session)
            gone = removed_since(session, since)
        if gone is None:
            return False
        writer.remove(np.array(gone, np.int64))
        self._add_new(writer)
        writer.finish(state)
        return True

    def _make(self, kind: Kind, path: Path) -> None:
        """Make a file with all faces of a kind, but those that are removed meanwhile.

        Raises:
            FileNotFoundError: the folder was removed, or so many faces that nobody knows which.
        """
        with self._database.session(reading=True) as session:
            state = state_of(session)
        writer = IndexWriter.create(path, kind.model, kind.dimensions, state)
        try:
            self._add_new(writer)
            if not self._finish(writer, state):
                path.unlink(missing_ok=True)
                raise FileNotFoundError(path)
            writer.put_in_place()
        finally:
            writer.close()

    def _add_new(self, writer: IndexWriter) -> None:
        """Add the faces that are not in a file yet, in portions."""
        kind = Kind(writer.header.model, writer.header.dimensions)
        while True:
            with self._database.session(reading=True) as session:
                rows = read_vectors(session, kind, writer.header.last, _PORTION)
            if rows:
                numbers = np.array([number for number, _ in rows], np.int64)
                raw = b"".join(embedding for _, embedding in rows)
                embeddings = np.frombuffer(raw, np.float32).reshape(len(rows), kind.dimensions)
                writer.add(numbers, encode(embeddings))
            if len(rows) < _PORTION:
                return

    @contextmanager
    def _writing(self, path: Path, seconds: float) -> Iterator[bool]:
        """Hold the lock of a file; yield whether it was free within some seconds.

        Raises:
            FileNotFoundError: the folder was removed meanwhile.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(path.with_suffix(_LOCK), seconds) as held:
                yield held
        except FileNotFoundError:  # somebody removes the folder
            raise
        except OSError as problem:
            raise disk_full(problem, self._folder) or ConfigurationError(
                f"the index of faces in {self._folder} can't be written ({problem.strerror}): "
                "check the folder's rights, or remove it"
            ) from None


def _mapped(path: Path) -> MappedFile | None:
    with suppress(OSError, ValueError):
        return MappedFile(path)
    return None


def _sound(path: Path, known: MappedFile | None) -> MappedFile | None:
    """Return a file that is whole, mapped; its content is checked when it is first seen."""
    with suppress(OSError, ValueError):
        mapped = MappedFile(path)
        if mapped.is_whole() and ((known is not None and known.is_in_place()) or mapped.is_sound()):
            return mapped
    return None
