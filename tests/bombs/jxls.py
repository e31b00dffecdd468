"""JPEG XL files, none if the package that makes and decodes them is missing."""

from collections.abc import Callable
from importlib.util import find_spec


def _of_one_color(side: int) -> bytes:
    import numpy as np
    import pylibjxl

    return bytes(pylibjxl.encode(np.zeros((side, side, 3), np.uint8), effort=1))


KINDS: dict[str, Callable[[], bytes]] = (
    {
        "jpeg xl: 64 megapixels": lambda: _of_one_color(8_000),
        "jpeg xl: 66 megapixels": lambda: _of_one_color(8_100),
        "jpeg xl: 19 MB of nothing": lambda: b"\xff\x0a" + bytes(19_000_000),
    }
    if find_spec("pylibjxl")
    else {}
)
