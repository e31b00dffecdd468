"""A JPEG file without what was written beside its picture: no place, no camera, no preview.

The picture's own bytes stay as they are, so nothing of it is lost and nothing is computed.
"""

from collections.abc import Iterator

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_RESTARTS = range(0xD0, 0xD8)
# Frames that every decoder knows: baseline, extended and progressive, all by Huffman's code.
_COMMON_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # these three are tables
# Besides frames and scans a decoder needs tables, restart interval and number of lines.
_PICTURE = _FRAMES | {0xC4, 0xDB, 0xDC, 0xDD} | {_SCAN, _END}
# Two segments say what the colours mean: JFIF, written anew since it may hold a preview, and
# Adobe, whose 12 bytes end with the kind of colours.
_JFIF, _JFIF_NAME = 0xE0, b"JFIF\0"
_PLAIN_JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_ADOBE, _ADOBE_NAME = 0xEE, b"Adobe"


class NotBare(Exception):
    """The file is no JPEG that can be cleaned without decoding it."""


def bare_jpeg(data: bytes) -> bytes:
    """Return the first picture of a JPEG file, without comments, EXIF, colour profile and preview.

    Raises:
        NotBare: it is no JPEG, is cut short, or is of a kind that few decoders know.
    """
    view = memoryview(data)
    kept: list[bytes | memoryview] = [b"\xff\xd8"]
    frames = 0
    for marker, start, end in _segments(data):
        if marker in _FRAMES:
            frames += 1
            if marker not in _COMMON_FRAMES:
                raise NotBare(f"frame {marker:#x}")
        if marker in _PICTURE:
            kept.append(view[start:end])
        else:
            kept.append(_color_kind(marker, data[start:end]))
    if frames != 1:
        raise NotBare(f"{frames} frames")
    return b"".join(kept)


def _color_kind(marker: int, segment: bytes) -> bytes:
    """Return what a segment says of the colours, and nothing else of it."""
    if marker == _JFIF and segment[4:].startswith(_JFIF_NAME):
        return _PLAIN_JFIF
    if marker == _ADOBE and segment[4:].startswith(_ADOBE_NAME) and len(segment) >= 16:
        return b"\xff\xee\x00\x0e" + segment[4:16]
    return b""


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Return marker, begin and end of each segment until the picture's end; a scan has its data."""
    if data[:2] != b"\xff\xd8":
        raise NotBare("no JPEG")
    at = 2
    while True:
        if len(data) < at + 2 or data[at] != 0xFF:
            raise NotBare(f"no marker at {at}")
        marker = data[at + 1]
        if marker == 0xFF:  # markers may be preceded by any number of these
            at += 1
            continue
        if marker == _END:
            yield marker, at, at + 2
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if marker in (0, 1, _START) or marker in _RESTARTS or length < 2 or end > len(data):
            raise NotBare(f"marker {marker:#x} at {at}")
        if marker == _SCAN:
            end = _end_of_scan(data, end)
        yield marker, at, end
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    """Return where the next marker begins: in a scan's data 0xFF is followed by 0 or a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise NotBare("cut short")
        following = data[at + 1]
        if following != 0 and following not in _RESTARTS:
            return at
        at += 2
