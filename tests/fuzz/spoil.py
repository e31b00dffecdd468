"""Breaks photo files: in their bytes, and in the parts that their formats are made of."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

from tests.bombs import jpegs, others, pngs
from tests.fuzz.corpus import exif_block

Spoiler = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
"""Takes chance, a file, and other files; returns a broken file."""

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF)
_NUMBERS_TOO_LARGE = (0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
_ORIENTATIONS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 65_535)
_JPEG_MARKERS = (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC9, 0xCA, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE1, 0xFE)


def _flip_bits(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    spoiled = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20, 100))):
        if spoiled:
            spoiled[rng.randrange(len(spoiled))] ^= 1 << rng.randrange(8)
    return bytes(spoiled)


def _overwrite(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    at, size = _range_in(rng, data)
    filling = rng.choice((b"\0" * size, b"\xff" * size, rng.randbytes(size)))
    return data[:at] + filling + data[at + size :]


def _cut_out(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    at, size = _range_in(rng, data)
    return data[:at] + data[at + size :]


def _repeat(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    at, size = _range_in(rng, data)
    return data[:at] + data[at : at + size] * rng.choice((2, 3, 50)) + data[at + size :]


def _truncate(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _append(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    return data + rng.choice((rng.randbytes(200), rng.choice(others_), data))


def _prepend(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    return rng.choice((b"\0", b"\xff\xd8", b"GIF89a", b"II*\0", rng.randbytes(9))) + data


def _swap_header(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    size = rng.choice((2, 4, 8, 12, 16, 32, 64, 200))
    return rng.choice(others_)[:size] + data[size:]


def _odd_number(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    """Write a number where lengths, sizes and offsets may be: most often near the beginning."""
    layout = rng.choice((">H", "<H", ">L", "<L", ">L", "<L", ">Q"))
    number = rng.choice(_NUMBERS + _NUMBERS_TOO_LARGE)
    size = struct.calcsize(layout)
    end = len(data) - size
    if end <= 0:
        return data
    at = rng.randrange(min(end, rng.choice((64, 512, end))))
    packed = struct.pack(layout, number & (1 << 8 * size) - 1)
    return data[:at] + packed + data[at + size :]


def _range_in(rng: random.Random, data: bytes) -> tuple[int, int]:
    at = rng.randrange(len(data) + 1)
    return at, min(rng.choice((1, 2, 4, 16, 64, 500, 5_000)), len(data) - at)


def _shuffle(rng: random.Random, parts: list[bytes]) -> list[bytes]:
    """Repeat, remove, swap, or break one of the parts of a file."""
    if not parts:
        return parts
    at = rng.randrange(len(parts))
    kind = rng.randrange(5)
    if kind == 0:
        return parts[:at] + [parts[at]] * rng.choice((2, 3, 40, 1_500)) + parts[at + 1 :]
    if kind == 1:
        return parts[:at] + parts[at + 1 :]
    if kind == 2:
        other = rng.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    if kind == 3:
        rng.shuffle(parts)
    if kind == 4:
        parts[at] = rng.choice(_BYTES)(rng, parts[at], parts)
    return parts


def _jpeg_parts(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    parts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        parts.append(data[at:end])
        at = end
    parts = _shuffle(rng, parts)
    if parts and rng.random() < 0.3:
        marker = rng.choice(_JPEG_MARKERS)
        chosen = rng.randrange(len(parts))
        parts[chosen] = bytes((0xFF, marker)) + parts[chosen][2:]
    return data[:2] + b"".join(parts) + data[at:]


def _png_parts(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    """Change chunks and write their checksums anew, so that the change is read."""
    parts, at = [], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at + 4 : end - 4])
        at = end
    parts = _shuffle(rng, parts)
    return data[:8] + b"".join(pngs.chunk(part[:4], part[4:]) for part in parts if len(part) >= 4)


def _riff_parts(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    parts, at = [], 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        parts.append(data[at:end])
        at = end
    return others.riff(*_shuffle(rng, parts))


def _boxes(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    """Change the boxes of a HEIF file, or those in one of them."""
    parts, at = [], 0
    while at + 8 <= len(data):
        end = at + max(int.from_bytes(data[at : at + 4], "big"), 8)
        parts.append(data[at:end])
        at = end
    inner = next((n for n, part in enumerate(parts) if part[4:8] == b"meta"), None)
    if inner is not None and rng.random() < 0.7:
        body = _boxes(rng, parts[inner][12:], others_)
        whole = parts[inner][4:12] + body
        parts[inner] = struct.pack(">L", len(whole) + 4) + whole
        return b"".join(parts)
    return b"".join(_shuffle(rng, parts))


def _tiff_tags(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    """Change kind, count or value of some tags of the first page."""
    order = "<" if data[:2] == b"II" else ">"
    spoiled = bytearray(data)
    try:
        (first,) = struct.unpack_from(order + "L", data, 4)
        (count,) = struct.unpack_from(order + "H", data, first)
        for _ in range(rng.choice((1, 2, 5))):
            at = first + 2 + 12 * rng.randrange(count)
            place, layout = rng.choice(((0, "H"), (2, "H"), (4, "L"), (8, "L"), (8, "H")))
            number = rng.choice(_NUMBERS + _NUMBERS_TOO_LARGE + (257, 259, 262, 273, 339, 34_675))
            limit = (1 << 8 * struct.calcsize(layout)) - 1
            struct.pack_into(order + layout, spoiled, at + place, number & limit)
    except (struct.error, ValueError):  # an earlier change has broken the header already
        return _odd_number(rng, data, others_)
    return bytes(spoiled)


def _metadata(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> bytes:
    """Put broken Exif, a broken profile or broken XMP into a file of a format that takes it."""
    exif = exif_block(rng.choice(_ORIENTATIONS))
    for _ in range(rng.randrange(3)):
        exif = exif[:6] + rng.choice((*_BYTES, _tiff_tags))(rng, exif[6:], others_)
    noise = rng.choice((b"", rng.randbytes(200), b"<!DOCTYPE x [<!ENTITY a 'b'>]>" * 20))
    if data.startswith(b"\xff\xd8"):
        body = rng.choice(
            (
                exif,
                b"ICC_PROFILE\0" + bytes((rng.randrange(3), rng.randrange(3))) + noise,
                b"http://ns.adobe.com/xap/1.0/\0" + noise,
                b"Photoshop 3.0\x008BIM" + noise,
                b"MPF\0" + exif[6:],
            )
        )[:60_000]
        kind = rng.choice((0xE1, 0xE1, 0xE2, 0xED))
        return data[:2] + jpegs.segment(kind, body) + data[2:]
    if data.startswith(b"\x89PNG"):
        text = zlib.compress(noise * 50)
        made = rng.choice(
            (
                pngs.chunk(b"eXIf", exif[6:]),
                pngs.chunk(b"iCCP", b"name\0\0" + rng.choice((text, noise))),
                pngs.chunk(b"zTXt", b"Raw profile type exif\0\0" + rng.choice((text, noise))),
                pngs.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + noise),
                pngs.chunk(b"tRNS", rng.randbytes(rng.randrange(300))),
                pngs.chunk(b"PLTE", rng.randbytes(rng.randrange(900))),
            )
        )
        return data[:33] + made + data[33:]
    if data.startswith(b"RIFF"):
        name = rng.choice((b"EXIF", b"ICCP", b"XMP ", b"ALPH", b"ANIM"))
        return others.riff(data[12:], others.riff_chunk(name, rng.choice((exif, exif[6:], noise))))
    return _odd_number(rng, data, others_)


_BYTES: tuple[Spoiler, ...] = (
    _flip_bits,
    _overwrite,
    _cut_out,
    _repeat,
    _truncate,
    _append,
    _prepend,
    _swap_header,
    _odd_number,
    _odd_number,
)


def _of_format(data: bytes) -> Spoiler:
    """Return what breaks the parts of a file's format."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_parts
    if data.startswith(b"\x89PNG"):
        return _png_parts
    if data.startswith(b"RIFF"):
        return _riff_parts
    if data[4:8] == b"ftyp":
        return _boxes
    if data[:2] in (b"II", b"MM"):
        return _tiff_tags
    return _odd_number


def spoil(rng: random.Random, data: bytes, others_: Sequence[bytes]) -> tuple[bytes, list[str]]:
    """Return a file that was broken in one way or several, and the names of the ways."""
    names = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        ways = (rng.choice(_BYTES), _of_format(data), _metadata)
        way = rng.choices(ways, (5, 4, 2))[0]
        data = way(rng, data, others_)
        names.append(way.__name__.strip("_"))
    return data, names
