"""PNG files that unfold to far more than their bytes."""

import struct
import zlib
from collections.abc import Callable

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_START = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def zipped_zeros(count: int) -> bytes:
    """Return a zlib stream of zeros; one block is packed and repeated, which is quick."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 16)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(count, 1 << 16)
    end = packer.compress(bytes(rest)) + packer.flush()
    return b"\x78\xda" + block * blocks + end + struct.pack(">I", count % 65_521 << 16 | 1)


def png(
    width: int,
    height: int,
    kind: int = RGB,
    bits: int = 8,
    *,
    interlaced: bool = False,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """Return a PNG file of black pixels, with chunks before and after the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    row = (width * _CHANNELS[kind] * bits + 7) // 8 + 1
    count = row * height * (2 if interlaced else 1)  # interlaced rows have more of filter bytes
    body = chunk(b"IDAT", zipped_zeros(count))
    if kind == PALETTE:
        before = chunk(b"PLTE", bytes(3)) + before
    return _START + chunk(b"IHDR", header) + before + body + after + chunk(b"IEND", b"")


def _frames(count: int) -> bytes:
    control = chunk(b"acTL", struct.pack(">II", count, 0))
    first = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0))
    more = []
    for number in range(1, count):
        at = struct.pack(">IIIIIHHBB", 2 * number - 1, 64, 48, 0, 0, 1, 10, 0, 0)
        data = struct.pack(">I", 2 * number) + zipped_zeros(48 * 193)
        more.append(chunk(b"fcTL", at) + chunk(b"fdAT", data))
    return png(64, 48, before=control + first, after=b"".join(more))


def _tiny_parts(count: int) -> bytes:
    data = zipped_zeros(49_000 * 3)
    stored = data[:2] + b"\0\0\0\xff\xff" * (count // 5)
    parts = b"".join(chunk(b"IDAT", stored[at : at + 1]) for at in range(len(stored)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, RGB, 0, 0, 0))
    return _START + header + parts + chunk(b"IEND", b"")


_TEN_MEGABYTES = 10_000_000

KINDS: dict[str, Callable[[], bytes]] = {
    "png: 64 megapixels of one colour": lambda: png(8_000, 8_000),
    "png: 64 megapixels, transparent": lambda: png(8_000, 8_000, RGBA),
    "png: 64 megapixels, grey and transparent": lambda: png(8_000, 8_000, GREY_ALPHA),
    "png: 64 megapixels of 16 bits": lambda: png(8_000, 8_000, RGB, 16),
    "png: 64 megapixels of grey in 16 bits": lambda: png(8_000, 8_000, GREY, 16),
    "png: 64 megapixels, interlaced": lambda: png(8_000, 8_000, interlaced=True),
    "png: 24 megapixels, transparent": lambda: png(6_000, 4_000, RGBA),
    "png: 24 megapixels of grey in 16 bits": lambda: png(6_000, 4_000, GREY, 16),
    "png: 64 megapixels of a palette": lambda: png(8_000, 8_000, PALETTE, 1),
    "png: 1,600 megapixels": lambda: png(40_000, 40_000, GREY, 1),
    "png: zTXt of 1 GB": lambda: png(
        64, 48, before=chunk(b"zTXt", b"k\0\0" + zipped_zeros(1_000_000_000))
    ),
    "png: iTXt of 1 GB": lambda: png(
        64, 48, before=chunk(b"iTXt", b"k\0\1\0\0\0" + zipped_zeros(1_000_000_000))
    ),
    "png: zTXt, 10,000 times 1 MB": lambda: png(
        64, 48, before=chunk(b"zTXt", b"k\0\0" + zipped_zeros(1_000_000)) * 10_000
    ),
    "png: a colour profile of 1 GB": lambda: png(
        64, 48, before=chunk(b"iCCP", b"p\0\0" + zipped_zeros(1_000_000_000))
    ),
    "png: 10,000 frames (APNG)": lambda: _frames(10_000),
    "png: a million empty chunks": lambda: png(64, 48, before=chunk(b"abCd", b"") * 1_000_000),
    "png: a million chunks after the pixels": lambda: png(
        64, 48, after=chunk(b"abCd", b"") * 1_000_000
    ),
    "png: a million parts of pixels": lambda: _tiny_parts(1_000_000),
    "png: 20 MB of Exif": lambda: png(
        64, 48, before=chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + b"\1\0\7\0" * 4_900_000)
    ),
}
