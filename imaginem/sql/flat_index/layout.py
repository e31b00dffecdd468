"""How an index file is laid out.

    header | a checksum for each segment | segment | segment | ...

A segment has room for 16,384 faces: their numbers (rows of `face`; 0 where there is none), scales,
bits (first words of all, then second words, ...) and bytes. See `codes` for what these are. All
numbers are in the machine's own order: the file never leaves it.
"""

import struct
import uuid
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaginem.sql.changes import GalleryState
from imaginem.sql.flat_index.codes import padded

SLOTS = 16_384
"""Faces in a segment: a pass over one word of each stays within a processor's cache."""
MOST_SEGMENTS = 4_096
_MAGIC = b"imgnfac1"
"""Changes with the layout and with the codes: a file of another version is made anew."""
_HEADER = struct.Struct("=8sIIqqqqq16sH400s")
_CHECK = struct.Struct("=I")
HEADER_SIZE = _HEADER.size + _CHECK.size
SUMS_AT = 4_096
_SEGMENTS_AT = SUMS_AT + 8 * MOST_SEGMENTS


@dataclass(frozen=True)
class Header:
    """What an index file says of itself.

    Attributes:
        model: whose embeddings are in it.
        dimensions: of them.
        whole: nobody was writing when this was written.
        state: of the gallery when all was in the file.
        last: highest number of a face that was read.
        used: slots that were ever used; all others are zeros.
        live: slots that have a face.
    """

    model: str
    dimensions: int
    whole: bool
    state: GalleryState
    last: int = 0
    used: int = 0
    live: int = 0

    def packed(self) -> bytes:
        """Return it as bytes, with a checksum."""
        name = self.model.encode()
        raw = _HEADER.pack(
            _MAGIC,
            self.dimensions,
            int(self.whole),
            self.state.version,
            self.last,
            self.used,
            self.live,
            0,
            self.state.stamp.bytes,
            len(name),
            name,
        )
        return raw + _CHECK.pack(zlib.crc32(raw))


def read_header(raw: bytes) -> Header | None:
    """Read a header; None if it is damaged, of another version, or being written."""
    if len(raw) < HEADER_SIZE:
        return None
    body, (check,) = raw[: _HEADER.size], _CHECK.unpack_from(raw, _HEADER.size)
    if zlib.crc32(body) != check:
        return None
    magic, dimensions, whole, version, last, used, live, _, stamp, length, name = _HEADER.unpack(
        body
    )
    if magic != _MAGIC:
        return None
    state = GalleryState(version, uuid.UUID(bytes=stamp))
    model = name[:length].decode()
    return Header(model, dimensions, bool(whole), state, last, used, live)


@dataclass(frozen=True)
class Places:
    """Where the parts of segments are, in bytes from the beginning of the file."""

    dimensions: int

    @property
    def width(self) -> int:
        """Return the dimensions of a rotated embedding, which are its bytes too."""
        return padded(self.dimensions)

    @property
    def words(self) -> int:
        """Return the 64-bit words that a face's bits take."""
        return self.width // 64

    @property
    def segment_size(self) -> int:
        """Return the bytes of a segment."""
        return SLOTS * (8 + 4 + self.width // 8 + self.width)

    def segment(self, segment: int) -> int:
        """Return where a segment, and its numbers, begin."""
        return _SEGMENTS_AT + segment * self.segment_size

    def scales(self, segment: int) -> int:
        """Return where its scales begin."""
        return self.segment(segment) + 8 * SLOTS

    def bits(self, segment: int, word: int = 0) -> int:
        """Return where these words of its bits begin."""
        return self.segment(segment) + 12 * SLOTS + 8 * word * SLOTS

    def bytes(self, segment: int) -> int:
        """Return where its bytes begin."""
        return self.bits(segment, self.words)

    def size(self, slots: int) -> int:
        """Return the size of a file with room for so many faces."""
        return self.segment(-(-slots // SLOTS))


@dataclass(frozen=True)
class Segment:
    """The faces of one segment, as arrays over the mapped file.

    Attributes:
        numbers: int64 (slots,).
        scales: float32 (slots,).
        bits: uint64 (words, slots).
        bytes: int8 (slots, width).
        whole: all of it, uint64.
    """

    numbers: NDArray[np.int64]
    scales: NDArray[np.float32]
    bits: NDArray[np.uint64]
    bytes: NDArray[np.int8]
    whole: NDArray[np.uint64]

    @property
    def checksum(self) -> int:
        """Return the sum of all its words, modulo 2^64: changes can be added to it."""
        return int(self.whole.sum(dtype=np.uint64))


def segments_of(raw: bytes | memoryview, dimensions: int, count: int) -> list[Segment]:
    """Return the first segments of a mapped file."""
    places = Places(dimensions)
    words, width = places.words, places.width
    return [
        Segment(
            np.frombuffer(raw, np.int64, SLOTS, places.segment(each)),
            np.frombuffer(raw, np.float32, SLOTS, places.scales(each)),
            np.frombuffer(raw, np.uint64, words * SLOTS, places.bits(each)).reshape(words, SLOTS),
            np.frombuffer(raw, np.int8, width * SLOTS, places.bytes(each)).reshape(SLOTS, width),
            np.frombuffer(raw, np.uint64, places.segment_size // 8, places.segment(each)),
        )
        for each in range(count)
    ]
