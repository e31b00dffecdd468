"""Counts the frames and blocks of PNG, GIF and WEBP files, and finds packed BMP files."""

import struct
from collections.abc import Iterator

from imaginem.images.limits import FRAME_LIMIT, check_metadata, check_pixels, too_many

_CHUNK_LIMIT = 20_000
"""Most chunks of PNG and WEBP: 20 MB in those of 1 KB."""
_BLOCK_LIMIT = 400_000
"""Most blocks of GIF: 20 MB in the largest ones are 80,000."""
_PACKED_PIXELS = 1_000_000
"""Most pixels, and bytes, of a packed BMP file that are unpacked in this process: in Python."""


def survey_png(data: bytes) -> bool:
    """Tell whether a PNG file is plain enough to be decoded in this process.

    Raises:
        OverLimit: it has too many chunks, frames or pixels.
    """
    width, height = struct.unpack_from(">LL", data, 16)
    check_pixels(width, height)
    frames = 0
    for kind, length in _png_chunks(data):
        if kind == b"fcTL":
            frames = _one_more(frames)
        if kind == b"eXIf":
            check_metadata(length, "Exif")
    return True


def png_frames(data: bytes) -> int:
    """Count the frames of an animated PNG file, with a first picture that is none of them.

    Raises:
        OverLimit: it has too many chunks.
    """
    kinds = [kind for kind, _ in _png_chunks(data) if kind in (b"fcTL", b"IDAT")]
    return kinds.count(b"fcTL") + (kinds[:1] == [b"IDAT"])


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield kind and length of each chunk, the last one included."""
    at = 8
    for _ in range(_CHUNK_LIMIT):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">L4s", data, at)
        yield kind, length
        at += length + 12
        if kind == b"IEND":
            return
    raise too_many(f"more than {_CHUNK_LIMIT:,}", "chunks", _CHUNK_LIMIT)


def survey_webp(data: bytes) -> bool:
    """Tell whether a WEBP file is plain enough to be decoded in this process.

    Raises:
        OverLimit: it has too many chunks, frames or pixels, or too much metadata.
    """
    at, frames = 12, 0
    for _ in range(_CHUNK_LIMIT):
        if at + 8 > len(data):
            return True
        kind, length = struct.unpack_from("<4sL", data, at)
        if kind == b"VP8X":
            width, height = (
                int.from_bytes(data[at + place : at + place + 3], "little") + 1
                for place in (12, 15)
            )
            check_pixels(width, height)
        if kind == b"ANMF":
            frames = _one_more(frames)
        if kind in (b"EXIF", b"ICCP"):
            check_metadata(length, "Exif" if kind == b"EXIF" else "colour profile")
        at += 8 + length + length % 2
    raise too_many(f"more than {_CHUNK_LIMIT:,}", "chunks", _CHUNK_LIMIT)


def survey_gif(data: bytes) -> bool:
    """Tell whether a GIF file is plain enough to be decoded in this process.

    Raises:
        OverLimit: it has too many blocks, frames or pixels.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    check_pixels(width, height)
    at, frames, left = 13 + _palette(flags), 0, _BLOCK_LIMIT
    while at < len(data):
        kind = data[at]
        if kind == 0x2C:  # a frame (GIF89a, 20)
            width, height, flags = struct.unpack_from("<HHB", data, at + 5)
            check_pixels(width, height)
            frames = _one_more(frames)
            at += 11 + _palette(flags)
        elif kind == 0x21:  # an extension
            at += 2
        else:  # the end, or bytes of no meaning, which Pillow skips one by one
            at, left = at + 1, left - 1
            if kind == 0x3B:
                return True
            if not left:
                raise too_many(f"more than {_BLOCK_LIMIT:,}", "blocks", _BLOCK_LIMIT)
            continue
        at, left = _skip_blocks(data, at, left)
    return True


def _skip_blocks(data: bytes, at: int, left: int) -> tuple[int, int]:
    """Return where a chain of blocks ends, and how many more there may be."""
    while at < len(data) and data[at]:
        at, left = at + 1 + data[at], left - 1
        if not left:
            raise too_many(f"more than {_BLOCK_LIMIT:,}", "blocks", _BLOCK_LIMIT)
    return at + 1, left


def _palette(flags: int) -> int:
    """Return the bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _one_more(frames: int) -> int:
    if frames == FRAME_LIMIT:
        raise too_many(f"more than {FRAME_LIMIT:,}", "frames", FRAME_LIMIT)
    return frames + 1


def survey_bmp(data: bytes) -> bool:
    """Tell whether a BMP file is plain enough to be decoded in this process.

    Raises:
        OverLimit: it has too many pixels.
    """
    (header,) = struct.unpack_from("<L", data, 14)
    if header < 40:  # of OS/2, which knows no packing
        return True
    width, height, _, _, compression = struct.unpack_from("<llHHL", data, 18)
    check_pixels(abs(width), abs(height))
    small = max(abs(width * height), len(data)) <= _PACKED_PIXELS
    return compression not in (1, 2) or small
