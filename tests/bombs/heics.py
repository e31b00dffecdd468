"""HEIC files whose container tells less than the video stream in it."""

import base64
import struct
from collections.abc import Callable

# 64 x 48 pixels of teal, encoded once: no encoder of HEIC is among the dependencies.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAA"
    "AAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAB0AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAAB"
    "AABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADw"
    "NgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAA"
    "AAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcA"
    "AAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWB"
    "AgMFhAAAACVtZGF0AAAAGSgBrxOA+BDhp//6uKK/1K1f+n+S/OikM+A="
)
_PARAMETERS, _PICTURE_PARAMETERS = b"\x42\x01", b"\x44\x01"
"""How HEVC's parameter sets of a sequence and of a picture begin (ITU-T H.265, 7.3.1.2)."""
_BITS_BEFORE_SIZE = 16 + 8 + 96 + 1 + 3
"""Header, three short numbers, profile and level, number of the set, and the kind of colours."""


def _bits(data: bytes) -> str:
    return "".join(f"{each:08b}" for each in data)


def _number(value: int) -> str:
    """Return a number in the code of Golomb, as HEVC writes sizes."""
    binary = f"{value + 1:b}"
    return "0" * (len(binary) - 1) + binary


def _after_number(bits: str, at: int) -> int:
    """Return where a number ends."""
    zeros = bits.index("1", at) - at
    return at + 2 * zeros + 1


def _escaped(data: bytes) -> bytes:
    """Return data in which no three bytes look like the beginning of something else."""
    out, zeros = bytearray(), 0
    for each in data:
        if zeros >= 2 and each <= 3:
            out.append(3)
            zeros = 0
        zeros = zeros + 1 if each == 0 else 0
        out.append(each)
    return bytes(out)


def _set_of(beginning: bytes) -> bytes:
    """Return a parameter set of the small file."""
    place = HEIC.index(beginning)
    (length,) = struct.unpack_from(">H", HEIC, place - 2)
    return HEIC[place : place + length]


def larger_stream(width: int, height: int) -> bytes:
    """Return a HEIC file of 64 x 48 pixels whose stream says that there are more."""
    bits = _bits(_set_of(_PARAMETERS).replace(b"\0\0\3", b"\0\0"))
    rest = _after_number(bits, _after_number(bits, _BITS_BEFORE_SIZE))
    bits = bits[:_BITS_BEFORE_SIZE] + _number(width) + _number(height) + bits[rest:]
    bits += "0" * (-len(bits) % 8)
    whole = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    sets = (_escaped(whole), _set_of(_PICTURE_PARAMETERS))
    parameters = b"".join(struct.pack(">L", len(each)) + each for each in sets)
    at = HEIC.index(b"mdat") + 4
    stream = parameters + HEIC[at:]
    told = struct.pack(">L", len(HEIC) - at)  # in the table of the items' places
    head = HEIC[: at - 8].replace(told, struct.pack(">L", len(stream)), 1)
    return head + struct.pack(">L", len(stream) + 8) + b"mdat" + stream


KINDS: dict[str, Callable[[], bytes]] = {
    "heic: a stream of 16 megapixels": lambda: larger_stream(4_096, 4_096),
    "heic: a stream of 256 megapixels": lambda: larger_stream(16_384, 16_384),
    "heic: a stream of 1,024 megapixels": lambda: larger_stream(32_768, 32_768),
}
