"""Counts the items of a HEIF file, such as the tiles of a grid (ISO/IEC 23008-12)."""

import struct
from collections.abc import Iterator

from imaginem.images.limits import TILE_LIMIT, check_pixels, too_many

_BOX_LIMIT = 20_000
_BRANCHES = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": -1}
"""Boxes that hold boxes, and how many bytes stand before these; -1: it depends on the version."""
_DEPTH = 5


def survey_heif(data: bytes) -> bool:
    """Count what a HEIF file says of itself; it is never plain.

    The sizes that count for the decoder are those in the video stream, of which there may be
    several, and the container may tell others. So each is decoded where memory is bounded.

    Raises:
        OverLimit: it has too many items or pixels.
    """
    items = 0
    for kind, start, _ in _boxes(data):
        if kind == b"infe":
            items += 1
            if items > TILE_LIMIT:
                raise too_many(f"more than {TILE_LIMIT:,}", "items or tiles", TILE_LIMIT)
        if kind == b"ispe":
            width, height = struct.unpack_from(">LL", data, start + 4)
            check_pixels(width, height)
    return False


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Return kind, start and end of the boxes that matter, and of those within them."""
    left = _BOX_LIMIT
    waiting = [(0, len(data), 0)]
    while waiting:
        at, end, depth = waiting.pop()
        while at + 8 <= end:
            length, kind = struct.unpack_from(">L4s", data, at)
            start = at + 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", data, start)
                start += 8
            stop = end if length == 0 else min(at + length, end)
            if stop < start:
                return
            left -= 1
            if not left:
                raise too_many(f"more than {_BOX_LIMIT:,}", "boxes", _BOX_LIMIT)
            yield kind, start, stop
            if kind in _BRANCHES and depth < _DEPTH:
                waiting.append((start + _inside(data, kind, start), stop, depth + 1))
            at = stop


def _inside(data: bytes, kind: bytes, start: int) -> int:
    """Return how many bytes of a box stand before the boxes in it."""
    if _BRANCHES[kind] >= 0:
        return _BRANCHES[kind]
    return 6 if data[start] == 0 else 8
