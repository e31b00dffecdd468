"""Bombs of the other formats that are decoded, and of some that are not."""

import io
import struct
from collections.abc import Callable

from PIL import Image


def _saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_name, **options)
    return out.getvalue()


_GIF = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0) + bytes(6)
_GIF_FRAME = b"\x2c" + struct.pack("<HHHHB", 0, 0, 4, 4, 0) + b"\x02\x03\x84\x11\x05\x00"


def gif_frames(count: int) -> bytes:
    return _GIF + _GIF_FRAME * count + b"\x3b"


def gif_of_frames(count: int, side: int) -> bytes:
    """Return an animation each frame of which changes all pixels."""
    frames = [Image.new("P", (side, side), number % 2) for number in range(count)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 255, 255, 255])
    return _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def _gif_comments() -> bytes:
    return _GIF + b"\x21\xfe" + (b"\xff" + b"c" * 255) * 75_000 + b"\0" + _GIF_FRAME + b"\x3b"


def _gif_crumbs() -> bytes:
    """Return a picture after 4 million blocks of one byte."""
    return _GIF + b"\x21\xf9" + b"\x01c" * 4_000_000 + b"\0" + _GIF_FRAME + b"\x3b"


def _gif_size(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0;"


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<L", len(body)) + body + b"\0" * (len(body) % 2)


def _webp_frames(count: int) -> bytes:
    picture = _saved(Image.new("RGB", (4, 4), "teal"), "WEBP", lossless=True)[12:]
    place = b"\0" * 6 + b"\3\0\0" * 2 + b"\x0a\0\0\0"
    canvas = riff_chunk(b"VP8X", b"\x02\0\0\0" + b"\3\0\0" * 2)
    frame = riff_chunk(b"ANMF", place + picture)
    return riff(canvas, riff_chunk(b"ANIM", b"\0" * 6), frame * count)


def _webp_canvas(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    picture = _saved(Image.new("RGB", (4, 4)), "WEBP", lossless=True)[12:]
    place = b"\0" * 6 + b"\3\0\0" * 2 + b"\x0a\0\0\0"
    return riff(
        riff_chunk(b"VP8X", b"\x02\0\0\0" + size),
        riff_chunk(b"ANIM", b"\0" * 6),
        riff_chunk(b"ANMF", place + picture),
    )


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">L", len(body) + 8) + kind + body


def _full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return _box(kind, bytes((version, 0, 0, 0)), *parts)


_HANDLER = _full(b"hdlr", 0, bytes(4), b"pict", bytes(13))


def heic(
    items: int,
    side: int = 64,
    *,
    grid: tuple[int, int] | None = None,
    deep: int = 0,
    brand: bytes = b"heic",
) -> bytes:
    """Return a HEIC or AVIF file whose items have no pixels of their own.

    Args:
        items: how many there are.
        side: pixels that each is said to have.
        grid: rows and columns of the first item, which is made of the others.
        deep: boxes around the property of the size.
        brand: `heic` or `avif`.
    """
    kinds = [b"grid" if grid and not number else b"hvc1" for number in range(items)]
    entries = b"".join(
        _full(b"infe", 2, struct.pack(">HH", number + 1, 0), kind, b"\0")
        for number, kind in enumerate(kinds)
    )
    count = struct.pack(">H", items & 0xFFFF)
    size = _full(b"ispe", 0, struct.pack(">LL", side, side))
    for _ in range(deep):
        size = _box(b"ipco", size)
    owners = b"".join(struct.pack(">HBB", number + 1, 1, 1) for number in range(items))
    parts = [
        _HANDLER,
        _full(b"pitm", 0, struct.pack(">H", 1)),
        _full(b"iinf", 0, count, entries),
        _box(
            b"iprp",
            _box(b"ipco", size),
            _full(b"ipma", 0, struct.pack(">L", items), owners),
        ),
    ]
    if grid:
        rows, columns = grid
        layout = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, side, side)
        tiles = struct.pack(">HH", 1, items - 1)
        tiles += b"".join(struct.pack(">H", number + 2) for number in range(items - 1))
        parts.append(_full(b"iref", 0, _box(b"dimg", tiles)))
        place = struct.pack(">BBHHHHHLL", 0x44, 0, 1, 1, 1, 0, 1, 0, len(layout))
        parts.append(_full(b"iloc", 1, place))
        parts.append(_box(b"idat", layout))
    kind = _box(b"ftyp", brand, bytes(4), b"mif1" + brand)
    return kind + _full(b"meta", 0, *parts)


def bmp(width: int, height: int, body: bytes, compression: int = 1) -> bytes:
    header = struct.pack(
        "<LllHHLLllLL", 40, width, height, 1, 8, compression, len(body), 0, 0, 256, 0
    )
    start = 14 + 40 + 1024
    return (
        b"BM" + struct.pack("<LHHL", start + len(body), 0, 0, start) + header + bytes(1024) + body
    )


def _jp2() -> bytes:
    return _saved(Image.new("RGB", (4_000, 4_000)), "JPEG2000")


def _icons() -> bytes:
    place = struct.pack("<BBBBHHLL", 0, 0, 0, 0, 1, 32, 100, 6 + 16 * 65_535)
    return struct.pack("<HHH", 0, 1, 65_535) + place * 65_535 + bytes(200)


def _psd() -> bytes:
    return (
        b"8BPS" + struct.pack(">H6xHLLHH", 1, 3, 30_000, 30_000, 8, 3) + bytes(12) + b"\0\1" * 900
    )


KINDS: dict[str, Callable[[], bytes]] = {
    "gif: 100,000 frames": lambda: gif_frames(100_000),
    "gif: 65535 x 65535 pixels": lambda: _gif_size(65_535, 65_535),
    "gif: 64 megapixels": lambda: _saved(Image.new("P", (8_000, 8_000)), "GIF"),
    "gif: 19 MB of comments": _gif_comments,
    "gif: 4 million blocks of a byte": _gif_crumbs,
    "webp: 100,000 frames": lambda: _webp_frames(100_000),
    "webp: a canvas of 16383 x 16383": lambda: _webp_canvas(16_383, 16_383),
    "webp: a canvas of 64 megapixels": lambda: _webp_canvas(8_000, 8_000),
    "webp: 64 megapixels": lambda: _saved(
        Image.new("RGB", (8_000, 8_000)), "WEBP", lossless=True, quality=0, method=0
    ),
    "webp: 24 megapixels": lambda: _saved(
        Image.new("RGB", (6_000, 4_000)), "WEBP", lossless=True, quality=0, method=0
    ),
    "heic: a grid of 65,025 tiles": lambda: heic(65_026, grid=(255, 255)),
    "heic: 60,000 items": lambda: heic(60_000),
    "heic: 60000 x 60000 pixels": lambda: heic(1, 60_000),
    "heic: boxes 100,000 deep": lambda: heic(1, deep=100_000),
    "avif: a grid of 65,025 tiles": lambda: heic(65_026, grid=(255, 255), brand=b"avif"),
    "avif: 60,000 items": lambda: heic(60_000, brand=b"avif"),
    "avif: 60000 x 60000 pixels": lambda: heic(1, 60_000, brand=b"avif"),
    "avif: 64 megapixels": lambda: _saved(
        Image.new("RGB", (8_000, 8_000), "teal"), "AVIF", speed=10
    ),
    "gif: 100 frames of 4 megapixels": lambda: gif_of_frames(100, 2_000),
    "bmp: 64 megapixels of runs": lambda: bmp(8_000, 8_000, b"\xff\0" * 260_000),
    "bmp: 9 million runs of a pixel": lambda: bmp(6_000, 4_000, b"\x01\0" * 9_000_000),
    "bmp: 4 million jumps to nowhere": lambda: bmp(1_000, 1_000, b"\0\2\0\0" * 4_000_000),
    "bmp: 2 billion pixels": lambda: bmp(2**31 - 1, 1, b"\xff\0"),
    "ico: 65,535 pictures": _icons,
    "jpeg 2000: 16 megapixels": _jp2,
    "psd: 900 megapixels": _psd,
    "svg: a billion laughs": lambda: b"<!DOCTYPE x [<!ENTITY a 'ha'>]><svg>" + b"&a;" * 100_000,
    "eps": lambda: (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n" + b"{} loop\n" * 9_000
    ),
}
