"""Counts the scans and segments of a JPEG file (ITU T.81, B.1)."""

import re
import struct

from imaginem.images.limits import (
    SCAN_LIMIT,
    SCANS_IN_PLACE,
    check_memory,
    check_metadata,
    check_pixels,
    too_many,
)

_SEGMENT_LIMIT = 2_000
"""Most segments before the first scan: 20 MB in the largest segments are 320."""
_JUNK_LIMIT = 4_096
"""Most bytes between segments, which Pillow reads one by one."""
_MARKER = re.compile(rb"\xff+([\x01-\xfe])")
_SCAN = b"\xff\xda"
# Between the first scan and the end restarts come by the million, and mean nothing.
_MARKER_AFTER_SCANS = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_START_OF_SCAN, _END = 0xDA, 0xD9
END_OF_JPEG = b"\xff\xd9"
# Without a length: TEM, restarts, begin and end, and what Pillow takes for such.
_BARE = frozenset({0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_METADATA = {
    (0xE1, b"Exif\0"): "Exif",
    (0xED, b"Photo"): "Photoshop data",
    (0xE2, b"ICC_P"): "colour profile",
}


def survey_jpeg(data: bytes) -> bool:
    """Tell whether a JPEG file is plain enough to be decoded in this process.

    Raises:
        OverLimit: it has too many scans, segments or pixels, or too much metadata.
    """
    plain = _survey_header(data)
    # No scan begins without these two bytes; only where there are many of them, in previews
    # perhaps, is it worth to look where the first picture ends.
    scans = data.count(_SCAN)
    if scans > SCANS_IN_PLACE:
        scans = _scans_of_first_picture(data)
    if scans > SCAN_LIMIT:
        raise too_many(f"more than {SCAN_LIMIT}", "scans", SCAN_LIMIT)
    return plain and scans <= SCANS_IN_PLACE


def ends_early(data: bytes) -> bool:
    """Tell whether a JPEG file ends before its first picture does, as half a download.

    Of a file with more segments than any camera writes this is not found out.
    """
    if data.endswith(END_OF_JPEG):
        return False
    at = 2
    for _ in range(_SEGMENT_LIMIT):
        found = _MARKER_AFTER_SCANS.search(data, at)
        if found is None:
            return True
        marker, at = found[1][0], found.end()
        if marker == _END:
            return False
        if marker not in _BARE:
            at += int.from_bytes(data[at : at + 2], "big")
    return False


def _survey_header(data: bytes) -> bool:
    """Tell whether what comes before the first scan is plain."""
    at, junk, plain = 2, 0, True
    sizes: dict[str, int] = {}
    for _ in range(_SEGMENT_LIMIT):
        found = _MARKER.search(data, at, at + _JUNK_LIMIT + 2)
        if found is None:
            return _ends_soon(data, at)
        junk += found.end() - at - 2
        if junk > _JUNK_LIMIT:
            raise too_many(f"more than {_JUNK_LIMIT:,}", "bytes between segments", _JUNK_LIMIT)
        marker, at = found[1][0], found.end()
        if marker == _START_OF_SCAN:
            return plain
        if marker in _BARE:
            continue
        if marker in _FRAMES:
            _check_frame(data, at, marker)
            plain = plain and marker not in _ARITHMETIC
        (length,) = struct.unpack_from(">H", data, at)
        kind = _METADATA.get((marker, data[at + 2 : at + 7]))
        if kind:
            sizes[kind] = sizes.get(kind, 0) + length
            check_metadata(sizes[kind], kind)
        at += length
    raise too_many(f"more than {_SEGMENT_LIMIT:,}", "segments", _SEGMENT_LIMIT)


def _check_frame(data: bytes, at: int, marker: int) -> None:
    """Check a picture's size; of a progressive one all coefficients are in memory at once."""
    height, width, components = struct.unpack_from(">HHB", data, at + 3)
    check_pixels(width, height)
    if marker in _PROGRESSIVE:
        samplings = [data[at + 9 + 3 * number] for number in range(components)]
        blocks = [(each >> 4) * (each & 15) for each in samplings]
        coefficients = 2 * sum(blocks) / max([*blocks, 1])
        check_memory(int(width * height * (4 + coefficients)))


def _ends_soon(data: bytes, at: int) -> bool:
    """Return that a header without a scan is not plain.

    Raises:
        OverLimit: far more than a header follows.
    """
    if len(data) - at > _JUNK_LIMIT:
        raise too_many(f"more than {_JUNK_LIMIT:,}", "bytes between segments", _JUNK_LIMIT)
    return False


def _scans_of_first_picture(data: bytes) -> int:
    """Count the scans until the picture's end; stop beyond the limit."""
    at, scans = 2, 0
    while scans <= SCAN_LIMIT:
        found = _MARKER.search(data, at)
        if found is None:
            break
        marker, at = found[1][0], found.end()
        if marker == _END:
            break
        scans += marker == _START_OF_SCAN
        if marker not in _BARE:
            (length,) = struct.unpack_from(">H", data, at)
            at += length
    return scans
