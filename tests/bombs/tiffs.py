"""TIFF files of endless parts."""

import io
import lzma
import struct
from collections.abc import Callable, Sequence

from PIL import Image

from tests.bombs.jpegs import many_scans
from tests.bombs.pngs import zipped_zeros

SHORT, LONG, UNDEFINED = 3, 4, 7
_SIZES = {SHORT: 2, LONG: 4, UNDEFINED: 1}
Tag = tuple[int, int, int, int]
"""Number, type, count, and value or offset."""


def directory(tags: Sequence[Tag], following: int = 0) -> bytes:
    entries = b"".join(
        struct.pack("<HHL", number, kind, count)
        + (
            struct.pack("<HH", value, 0)
            if kind == SHORT and count == 1
            else struct.pack("<L", value)
        )
        for number, kind, count, value in sorted(tags)
    )
    return struct.pack("<H", len(tags)) + entries + struct.pack("<L", following)


def tags_of(width: int, height: int, compression: int = 1, bits: int = 8) -> list[Tag]:
    """Return the tags of a grey picture, besides those of its strips or tiles."""
    return [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, bits),
        (259, SHORT, 1, compression),
        (262, SHORT, 1, 1),
        (277, SHORT, 1, 1),
    ]


def one_strip(width: int, height: int, compression: int, body: bytes) -> bytes:
    tags = [
        *tags_of(width, height, compression),
        (273, LONG, 1, 8),
        (278, LONG, 1, height),
        (279, LONG, 1, len(body)),
    ]
    return b"II*\0" + struct.pack("<L", 8 + len(body)) + body + directory(tags)


def many_strips(count: int) -> bytes:
    """Return a file of one row a strip; all strips have the same bytes."""
    place, size = 8 + 16, 8 + 16 + 4 * count
    tags = [
        *tags_of(16, count),
        (273, LONG, count, place),
        (278, LONG, 1, 1),
        (279, LONG, count, size),
    ]
    tables = struct.pack("<L", 8) * count + struct.pack("<L", 16) * count
    start = 8 + 16 + len(tables)
    return b"II*\0" + struct.pack("<L", start) + bytes(16) + tables + directory(tags)


def many_tiles(width: int, height: int, side: int = 16) -> bytes:
    """Return a file of small tiles, which all have the same bytes."""
    count = -(-width // side) * -(-height // side)
    body = bytes(side * side)
    place = 8 + len(body)
    tags = [
        *tags_of(width, height),
        (322, LONG, 1, side),
        (323, LONG, 1, side),
        (324, LONG, count, place),
        (325, LONG, count, place + 4 * count),
    ]
    tables = struct.pack("<L", 8) * count + struct.pack("<L", len(body)) * count
    return b"II*\0" + struct.pack("<L", place + len(tables)) + body + tables + directory(tags)


def many_directories(count: int, *, loop: bool = False) -> bytes:
    """Return a file of many pages: all the same tiny picture, or leading back to the first."""
    size = len(directory([*tags_of(4, 4), (273, LONG, 1, 8), (279, LONG, 1, 16)]))
    pages = []
    for number in range(count):
        following = 24 + size * (number + 1)
        if number == count - 1:
            following = 24 if loop else 0
        page = [*tags_of(4, 4), (273, LONG, 1, 8), (279, LONG, 1, 16)]
        pages.append(directory(page, following))
    return b"II*\0" + struct.pack("<L", 24) + bytes(16) + b"".join(pages)


def small_directories(count: int) -> bytes:
    """Return a picture, followed by pages of no tags at all, six bytes each."""
    first = directory([*tags_of(4, 4), (273, LONG, 1, 8), (279, LONG, 1, 16)], 0)
    at = 24 + len(first)
    start = b"II*\0" + struct.pack("<L", 24) + bytes(16) + first[:-4] + struct.pack("<L", at)
    numbers = [at + 6 * (number + 1) for number in range(count - 1)] + [0]
    return start + b"".join(struct.pack("<HL", 0, following) for following in numbers)


def _packed(count: int) -> bytes:
    return b"\x81\0" * -(-count // 128)


def _lzw(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height)).save(out, "TIFF", compression="tiff_lzw")
    return out.getvalue()


def _overlapping_tags() -> bytes:
    body = bytes(5_000_000)
    more = [(number, UNDEFINED, len(body), 8) for number in range(40_000, 60_000)]
    tags = [*tags_of(4, 4), (273, LONG, 1, 8), (279, LONG, 1, 16), *more]
    return b"II*\0" + struct.pack("<L", 8 + len(body)) + body + directory(tags)


def _great_dictionary() -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**29}]
    packer = lzma.LZMACompressor(
        lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**16}]
    )
    del filters
    body = packer.compress(bytes(8_000 * 8_000)) + packer.flush()
    return one_strip(8_000, 8_000, 34_925, body)


KINDS: dict[str, Callable[[], bytes]] = {
    "tiff: a million strips": lambda: many_strips(1_000_000),
    "tiff: 60,000 strips": lambda: many_strips(60_000),
    "tiff: 250,000 tiles": lambda: many_tiles(8_000, 8_000),
    "tiff: a million pages": lambda: small_directories(1_000_000),
    "tiff: 100,000 pages": lambda: many_directories(100_000),
    "tiff: pages in a circle": lambda: many_directories(3, loop=True),
    "tiff: 64 megapixels, deflated": lambda: one_strip(
        8_000, 8_000, 8, zipped_zeros(8_000 * 8_000)
    ),
    "tiff: deflated to 20 times its pixels": lambda: one_strip(
        6_000, 4_000, 8, zipped_zeros(20 * 24_000_000)
    ),
    "tiff: 64 megapixels, LZW": lambda: _lzw(8_000, 8_000),
    "tiff: 64 megapixels, packbits": lambda: one_strip(8_000, 8_000, 32_773, _packed(64_000_000)),
    "tiff: 64 megapixels, LZMA": _great_dictionary,
    "tiff: 64 megapixels of 32 bits": lambda: one_strip_of_long(8_000, 8_000),
    "tiff: 20,000 tags on the same 5 MB": _overlapping_tags,
    "tiff: a JPEG of 400 scans inside": lambda: one_strip(
        3_264, 2_448, 7, many_scans(3_264, 2_448, 400)
    ),
    "tiff: 4 billion pixels told": lambda: one_strip(65_000, 65_000, 1, bytes(100)),
}


def one_strip_of_long(width: int, height: int) -> bytes:
    """Return a picture of 32-bit grey, deflated."""
    body = zipped_zeros(width * height * 4)
    tags = [
        *tags_of(width, height, 8, 32),
        (273, LONG, 1, 8),
        (278, LONG, 1, height),
        (279, LONG, 1, len(body)),
    ]
    return b"II*\0" + struct.pack("<L", 8 + len(body)) + body + directory(tags)
