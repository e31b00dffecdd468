"""JPEG files that cost far more to decode than to send."""

import io
import struct
from collections.abc import Callable

from PIL import Image

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_BASELINE, _PROGRESSIVE, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE = 0xC0, 0xC2, 0xC9, 0xCA


def jpeg(width: int, height: int, **options: object) -> bytes:
    """Return a JPEG file of one colour."""
    picture = Image.new("RGB", (width, height), "teal")
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
    return out.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def with_segments(data: bytes, segments: bytes) -> bytes:
    """Return a JPEG file with segments right after its beginning."""
    return data[:2] + segments + data[2:]


def many_scans(width: int, height: int, scans: int) -> bytes:
    """Return a progressive file whose last scan is repeated until it has so many."""
    whole = jpeg(width, height, progressive=True)
    last = whole.rindex(b"\xff\xda")
    scan = whole[last:-2]
    count = whole.count(b"\xff\xda")
    return whole[:-2] + scan * (scans - count) + _EOI


def _frame(kind: int, width: int, height: int, components: int = 3) -> bytes:
    parts = b"".join(bytes((number + 1, 0x11, 0)) for number in range(components))
    return segment(kind, struct.pack(">BHHB", 8, height, width, components) + parts)


def _scan(components: int, first: int, last: int, bits: int, body: bytes) -> bytes:
    parts = b"".join(bytes((number + 1, 0)) for number in range(components))
    return segment(0xDA, bytes((components,)) + parts + bytes((first, last, bits))) + body


def arithmetic(width: int, height: int) -> bytes:
    """Return an arithmetic-coded file, whose code ends at once: a decoder goes on with zeros."""
    table = segment(0xDB, b"\0" + bytes([1] * 64))
    frame = _frame(_ARITHMETIC, width, height)
    return _SOI + table + frame + _scan(3, 0, 63, 0, b"\x12\x34\x56") + _EOI


def arithmetic_scans(width: int, height: int, scans: int) -> bytes:
    table = segment(0xDB, b"\0" + bytes([1] * 64))
    frame = _frame(_ARITHMETIC_PROGRESSIVE, width, height)
    direct = _scan(3, 0, 0, 0, b"\x12\x34\x56")
    return _SOI + table + frame + direct + _scan(1, 1, 63, 0, b"\x9a\x21") * (scans - 1) + _EOI


def restarts(width: int, height: int) -> bytes:
    """Return a file in which every unit of 8 x 8 pixels is followed by a restart mark."""
    return jpeg(width, height, restart_marker_blocks=1)


def wrong_size(width: int, height: int, **options: object) -> bytes:
    """Return a small file whose header tells another size."""
    data = bytearray(jpeg(16, 16, **options))
    at = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def exif_of_many_tags(count: int = 65_535) -> bytes:
    """Return Exif (a TIFF directory) in which every tag claims the same large data."""
    size = 40_000
    entries = b"".join(
        struct.pack("<HHLL", tag, 7, size, 8) for tag in range(1, min(count, 5_000) + 1)
    )
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", min(count, 5_000)) + entries + b"\0" * 4


def _many(marker: int, body: bytes, count: int) -> Callable[[], bytes]:
    return lambda: with_segments(jpeg(64, 48), segment(marker, body) * count)


def _photoshop() -> bytes:
    block = b"8BIM\x04\x04\0\0\0\0\0\0" * 5_400
    return with_segments(jpeg(64, 48), segment(0xED, b"Photoshop 3.0\0" + block) * 300)


def _profile() -> bytes:
    parts = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, 255)) + b"\x55" * 65_000)
        for number in range(1, 256)
    ]
    return with_segments(jpeg(64, 48), b"".join(parts))


def _multi_picture() -> bytes:
    entries = 4_000
    body = b"MPF\0II*\0\x08\0\0\0" + struct.pack("<H", 3)
    body += struct.pack("<HHL4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHLL", 0xB001, 4, 1, 2**31)
    body += struct.pack("<HHLL", 0xB002, 7, 16 * entries, 50) + bytes(4) + bytes(16 * entries - 8)
    return with_segments(jpeg(64, 48), segment(0xE2, body[:65_000]))


KINDS: dict[str, Callable[[], bytes]] = {
    "jpeg: 600 scans of 8 megapixels": lambda: many_scans(3_264, 2_448, 600),
    "jpeg: 100 scans of 24 megapixels": lambda: many_scans(6_000, 4_000, 100),
    "jpeg: 30 scans of 24 megapixels": lambda: many_scans(6_000, 4_000, 30),
    "jpeg: 10 scans of 64 megapixels": lambda: jpeg(8_000, 8_000, progressive=True),
    "jpeg: 64 megapixels, a colour each": lambda: jpeg(
        8_000, 8_000, progressive=True, subsampling=0
    ),
    "jpeg: 24 megapixels, a colour each": lambda: jpeg(
        6_000, 4_000, progressive=True, subsampling=0
    ),
    "jpeg: arithmetic code, 24 megapixels": lambda: arithmetic(6_000, 4_000),
    "jpeg: arithmetic code, 64 megapixels": lambda: arithmetic(8_000, 8_000),
    "jpeg: arithmetic code, 200 scans": lambda: arithmetic_scans(4_000, 4_000, 200),
    "jpeg: a restart mark every 8 pixels": lambda: restarts(6_000, 4_000),
    "jpeg: 20 MB of comments": _many(0xFE, b"c" * 65_000, 310),
    "jpeg: 3 million empty comments": _many(0xFE, b"", 3_000_000),
    "jpeg: 18 MB of fill bytes": lambda: with_segments(jpeg(64, 48), b"\xff" * 18_000_000),
    "jpeg: 9 million escaped bytes": lambda: with_segments(jpeg(64, 48), b"\xff\0" * 9_000_000),
    "jpeg: a colour profile of 16 MB": _profile,
    "jpeg: Exif of overlapping tags": lambda: with_segments(
        jpeg(64, 48), segment(0xE1, exif_of_many_tags())
    ),
    "jpeg: 19 MB of Exif in parts": _many(0xE1, b"Exif\0\0" + b"II*\0\x08\0\0\0" * 8_000, 300),
    "jpeg: 19 MB of XMP": _many(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<" * 65_000, 290),
    "jpeg: a million Photoshop blocks": _photoshop,
    "jpeg: 2 billion pictures (MPF)": _multi_picture,
    "jpeg: 65500 x 65500 pixels told": lambda: wrong_size(65_500, 65_500),
    "jpeg: 24 megapixels told, 16 there": lambda: wrong_size(6_000, 4_000),
}
