"""Reads and writes one index file.

Readers map it, and take no lock. A writer holds its lock, and marks it as not whole before the
first change and as whole after the last one: who finds it otherwise knows that a writer was killed.

A new file gets its name when it is whole, on systems that know files without one (Linux): of a
writer that is killed before, nothing is left.
"""

import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaginem.errors import PermanentError
from imaginem.sql.changes import GalleryState
from imaginem.sql.flat_index.codes import Codes
from imaginem.sql.flat_index.layout import (
    HEADER_SIZE,
    MOST_SEGMENTS,
    SLOTS,
    SUMS_AT,
    Header,
    Places,
    Segment,
    read_header,
    segments_of,
)

_MODULUS = 1 << 64


class MappedFile:
    """An index file as this process has mapped it.

    Args:
        path: of the file.
        header: as its writer knows it; None: what the file says.

    Raises:
        OSError: there is none.
        ValueError: it is empty.
    """

    def __init__(self, path: Path, header: Header | None = None) -> None:
        self._path = path
        file = os.open(path, os.O_RDONLY)
        try:
            there = os.fstat(file)
            self._identity = (there.st_dev, there.st_ino)
            self._map = mmap.mmap(file, 0, prot=mmap.PROT_READ)
        finally:
            os.close(file)
        header = header or self.header()
        fits = header is not None and Places(header.dimensions).size(header.used) <= len(self._map)
        self._count = -(-header.used // SLOTS) if header is not None and fits else 0
        self.segments: list[Segment] = (
            segments_of(memoryview(self._map), header.dimensions, self._count) if header else []
        )

    def header(self) -> Header | None:
        """Return what the file says now; None if it is damaged."""
        return read_header(self._map[:HEADER_SIZE])

    def is_whole(self) -> bool:
        """Tell whether nobody changes the file, all of it is mapped, and it lies in its place."""
        if not self.is_in_place():
            return False
        header = self.header()
        return header is not None and header.whole and header.used <= self._count * SLOTS

    def is_in_place(self) -> bool:
        """Tell whether the path still leads to this very file, and all that is mapped is there.

        A read behind the end of a file that was cut short would end the process (SIGBUS).
        """
        with suppress(OSError):
            there = os.stat(self._path)  # noqa: PTH116  each search asks: Path.stat takes longer
            same = (there.st_dev, there.st_ino) == self._identity
            return same and there.st_size >= len(self._map)
        return False

    def is_sound(self) -> bool:
        """Compare all content with its checksums; nobody may be writing."""
        sums = np.frombuffer(self._map, np.uint64, MOST_SEGMENTS, SUMS_AT)
        return all(
            int(sums[place]) == segment.checksum for place, segment in enumerate(self.segments)
        )


class IndexWriter:
    """Changes an index file; whoever makes one holds its lock, and ends with `finish`.

    Args:
        path: of the file.
        header: that it has now.
        nameless: descriptor of a file that is not in its place yet.
    """

    def __init__(self, path: Path, header: Header, nameless: int | None = None) -> None:
        self._file = os.open(path, os.O_RDWR) if nameless is None else nameless
        self._path = path
        self._opened = path if nameless is None else _descriptor(nameless)
        self.header = replace(header, whole=False)
        self._places = Places(header.dimensions)
        self._removed = False
        self._begun = False

    @staticmethod
    def create(path: Path, model: str, dimensions: int, state: GalleryState) -> "IndexWriter":
        """Remove the file that is there, and begin an empty one, for `put_in_place`."""
        path.unlink(missing_ok=True)
        header = Header(model, dimensions, False, state)
        nameless = _open_nameless(path.parent)
        if nameless is None:
            path.touch(0o600, exist_ok=False)
        writer = IndexWriter(path, header, nameless)
        try:
            os.pwrite(writer._file, header.packed(), 0)
            _allocate(writer._file, 0, Places(dimensions).segment(0), HEADER_SIZE)
        except BaseException:
            writer.close()
            raise
        return writer

    def put_in_place(self) -> None:
        """Give a file that was created its name.

        Raises:
            FileNotFoundError: the folder was removed meanwhile, or another process has begun one.
        """
        if self._opened == self._path:
            return
        self._path.unlink(missing_ok=True)
        try:
            # Python follows the link of a descriptor only if a folder is given, here any.
            os.link(self._opened, self._path, src_dir_fd=self._file, follow_symlinks=True)
        except FileExistsError:
            raise FileNotFoundError(self._path) from None
        self._opened = self._path

    def add(self, numbers: NDArray[np.int64], codes: Codes) -> None:
        """Append faces; their numbers are above all numbers that were added before."""
        self._begin()
        begin = 0
        while begin < len(numbers):
            segment, slot = divmod(self.header.used, SLOTS)
            if segment >= MOST_SEGMENTS:
                raise PermanentError(
                    f"the index of faces holds {MOST_SEGMENTS * SLOTS:,} faces of a model at "
                    "most: use PostgreSQL with pgvector, or Azure SQL"
                )
            if slot == 0:
                size = self._places.segment_size
                start = self._places.segment(segment)
                _allocate(self._file, start, size, start)
            end = min(len(numbers), begin + SLOTS - slot)
            part = slice(begin, end)
            self._write_slots(
                segment,
                slot,
                numbers[part],
                codes.words[part],
                codes.bytes[part],
                codes.scales[part],
            )
            count = end - begin
            self.header = replace(
                self.header,
                used=self.header.used + count,
                live=self.header.live + count,
                last=int(numbers[end - 1]),
            )
            begin = end

    def _write_slots(
        self,
        segment: int,
        slot: int,
        numbers: NDArray[np.int64],
        words: NDArray[np.uint64],
        rows: NDArray[np.int8],
        scales: NDArray[np.float32],
    ) -> None:
        """Write neighbouring slots that are zeros, and add them to the segment's checksum."""
        places, slots = self._places, np.arange(slot, slot + len(numbers))
        self._add_to_sum(segment, _sum(slots, numbers, words, rows, scales))
        self._write(rows.tobytes(), places.bytes(segment) + slot * places.width)
        for word in range(places.words):
            self._write(words[:, word].tobytes(), places.bits(segment, word) + 8 * slot)
        self._write(scales.tobytes(), places.scales(segment) + 4 * slot)
        self._write(numbers.tobytes(), places.segment(segment) + 8 * slot)

    def remove(self, numbers: NDArray[np.int64]) -> None:
        """Overwrite faces with zeros; those that are not there are none."""
        if not len(numbers):
            return
        mapped = MappedFile(self._opened, self.header)
        for place, segment in enumerate(mapped.segments):
            slots = np.flatnonzero(np.isin(segment.numbers, numbers) & (segment.numbers > 0))
            if not len(slots):
                continue
            self._begin()
            gone = _sum(
                slots,
                segment.numbers[slots],
                segment.bits[:, slots],
                segment.bytes[slots],
                segment.scales[slots],
            )
            self._add_to_sum(place, -gone)
            for slot in slots.tolist():
                self._zero(place, slot)
            self.header = replace(self.header, live=self.header.live - len(slots))
            self._removed = True

    def _zero(self, segment: int, slot: int) -> None:
        places = self._places
        self._write(bytes(8), places.segment(segment) + 8 * slot)
        self._write(bytes(4), places.scales(segment) + 4 * slot)
        for word in range(places.words):
            self._write(bytes(8), places.bits(segment, word) + 8 * slot)
        self._write(bytes(places.width), places.bytes(segment) + slot * places.width)

    def finish(self, state: GalleryState) -> None:
        """Say that the file is whole and has what the gallery had in a state."""
        if self._removed:
            os.fsync(self._file)  # what was erased must not come back with the power
        self.header = replace(self.header, whole=True, state=state)
        self._write(self.header.packed(), 0)
        self._begun = self._removed = False

    def close(self) -> None:
        """Close the file, finished or not."""
        os.close(self._file)

    def _begin(self) -> None:
        """Say that the file is not whole."""
        if not self._begun:
            self.header = replace(self.header, whole=False)
            self._write(self.header.packed(), 0)
            self._begun = True

    def _add_to_sum(self, segment: int, amount: int) -> None:
        at = SUMS_AT + 8 * segment
        known = int.from_bytes(os.pread(self._file, 8, at), "little")
        self._write(((known + amount) % _MODULUS).to_bytes(8, "little"), at)

    def _write(self, raw: bytes, at: int) -> None:
        os.pwrite(self._file, raw, at)


def _open_nameless(folder: Path) -> int | None:
    """Open a new file that has no name; None where there are no such files."""
    flag: int | None = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return None
    try:
        file = os.open(folder, os.O_RDWR | flag, 0o600)
    except OSError:  # this kind of disk knows none, or it will be told when one with a name is made
        return None
    if _descriptor(file).exists():
        return file
    os.close(file)
    return None


def _descriptor(file: int) -> Path:
    """Return a path that leads to an open file."""
    return Path(f"/proc/self/fd/{file}")


def _allocate(file: int, start: int, size: int, zeros_from: int) -> None:
    """Reserve room on the disk, filled with zeros: a write into a mapped hole may find none."""
    reserve: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
    if reserve is not None:
        reserve(file, start, size)
    else:
        os.pwrite(file, bytes(start + size - zeros_from), zeros_from)


def _sum(
    slots: NDArray[np.int64],
    numbers: NDArray[np.int64],
    words: NDArray[np.uint64],
    rows: NDArray[np.int8],
    scales: NDArray[np.float32],
) -> int:
    """Return what these slots add to the sum of their segment's 64-bit words."""
    halves = scales.view(np.uint32).astype(np.uint64) << (32 * (slots & 1)).astype(np.uint64)
    parts = (numbers.view(np.uint64), words, np.ascontiguousarray(rows).view(np.uint64), halves)
    return sum(int(part.sum(dtype=np.uint64)) for part in parts)
