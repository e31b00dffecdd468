"""Writes the files of a stopped storage emulator anew, without what was deleted.

A copy of the folder is made beside it, compared, flushed, and takes its place. The books are
copied as they are, and of the files of bytes what the books name, at the same offsets: so ETags,
times and ids of messages stay, and what was deleted is a hole. Whenever this is interrupted, one
of the folders is whole, and `settle` finds out which.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from imaginem.errors import ConfigurationError
from imaginem.storage.books import BLOB_BYTES, BOOKS, MESSAGE_BYTES, Ranges, live_ranges
from imaginem.storage.durable import Disk, disk_errors, flush

_PIECE = 2**20


class FolderDisk(Disk):
    """What the compaction needs of the operating system; tests stop at each of the calls."""

    def make(self, folder: Path) -> None:
        """Make a folder that only this user may read."""
        folder.mkdir(mode=0o700)

    def write_at(self, path: Path, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Make a file with bytes at some offsets and holes elsewhere, and flush it."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for offset, piece in pieces:
                file.seek(offset)
                file.write(piece)
            file.flush()
            flush(file.fileno())

    def remove(self, folder: Path) -> None:
        """Remove a folder with all that is in it."""
        shutil.rmtree(folder)


def compact(data: Path, disk: FolderDisk | None = None) -> None:
    """Write an emulator's files anew; no emulator works on them, and none is started meanwhile.

    Args:
        data: the folder; one that is not there needs nothing.
        disk: does it.

    Raises:
        ConfigurationError: the files are not as expected, or can't be written; nothing is changed.
        DiskFull: there is no room for a copy; nothing is changed.
    """
    disk = disk or FolderDisk()
    settle(data, disk)
    if not data.is_dir():
        return
    ranges = live_ranges(data)
    new, old = _beside(data)
    with disk_errors(data.parent):
        try:
            _copy(data, new, ranges, disk)
        except OSError:
            shutil.rmtree(new, ignore_errors=True)
            raise
        _compare(data, new, ranges)
        disk.rename(data, old)
        disk.sync(
            data.parent
        )  # the old name is gone before the new one is given, after a crash too
        disk.rename(new, data)
        disk.sync(data.parent)
        disk.remove(old)
        disk.sync(data.parent)


def settle(data: Path, disk: FolderDisk | None = None) -> None:
    """Bring an interrupted compaction to its end, or undo it; does nothing without one.

    Raises:
        ConfigurationError: somebody else has made a folder meanwhile, or nothing can be written.
    """
    disk = disk or FolderDisk()
    new, old = _beside(data)
    there = data.exists()
    if there and new.exists() and old.exists():
        raise ConfigurationError(
            f"{data} was made while {new} was to become it: if nothing was accepted since, remove "
            f"{data}, and start again"
        )
    with disk_errors(data.parent):
        if not there and old.exists():
            # The copy is whole: the old folder gives up its name only after that.
            disk.rename(new if new.exists() else old, data)
            disk.sync(data.parent)
        for leftover in (new, old):
            if leftover.exists():
                disk.remove(leftover)


def _beside(data: Path) -> tuple[Path, Path]:
    return data.with_name(f"{data.name}.new"), data.with_name(f"{data.name}.old")


def _copy(data: Path, new: Path, ranges: Ranges, disk: FolderDisk) -> None:
    disk.make(new)
    for book in BOOKS:
        if (data / book).exists():
            disk.write(new / book, _pieces_of(data / book))
    for folder in (BLOB_BYTES, MESSAGE_BYTES):
        disk.make(new / folder)
        for name, kept in ranges.items():
            if name.startswith(f"{folder}/") and (data / name).exists():
                disk.write_at(new / name, _pieces(data / name, kept))
        disk.sync(new / folder)
    disk.sync(new)


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _pieces(path: Path, kept: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Yield what is kept of a file; what it lacks, after a loss of power, the copy lacks too."""
    with path.open("rb") as file:
        for begin, end in kept:
            file.seek(begin)
            at = begin
            while at < end and (piece := file.read(min(_PIECE, end - at))):
                yield at, piece
                at += len(piece)


def _compare(data: Path, new: Path, ranges: Ranges) -> None:
    """Check that the copy holds every book, and every byte that a book names.

    Raises:
        ConfigurationError: it does not; the folder is left as it was.
    """
    different = [
        book
        for book in BOOKS
        if (data / book).exists()
        and _digest(enumerate(_pieces_of(data / book)))
        != _digest(enumerate(_pieces_of(new / book)))
    ]
    different += [
        name
        for name, kept in ranges.items()
        if (data / name).exists()
        and _digest(_pieces(data / name, kept)) != _digest(_pieces(new / name, kept))
    ]
    if different:
        raise ConfigurationError(
            f"the copy of {data / different[0]} in {new} differs: it was not used, and nothing was "
            "changed. Check this disk"
        )


def _digest(pieces: Iterable[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Return how many bytes there are, and the hash of where they lie and what they are."""
    count, digest = 0, hashlib.sha256()
    for at, piece in pieces:
        digest.update(b"%d " % at)
        digest.update(piece)
        count += len(piece)
    return count, digest.digest()
