"""Turn any picture into 8-bit RGB, a strip at a time: whole copies would take much memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from PIL import Image

_STRIP_PIXELS = 1_000_000


@dataclass(frozen=True)
class Pixels:
    """Pixels in the one form that is kept of them.

    Attributes:
        width: in pixels.
        height: in pixels.
        data: 8-bit RGB, row by row, three bytes a pixel.
        info: what else the file says, such as its colour profile, by Pillow's names.
    """

    width: int
    height: int
    data: "bytes | bytearray"
    info: dict[Any, Any]


def rgb_pixels(picture: "Image.Image") -> Pixels:
    """Return a picture's pixels: transparent ones become white, 16-bit grey is scaled to 8 bits."""
    data, at = bytearray(picture.width * picture.height * 3), 0
    for strip in rgb_strips(picture):
        part = strip.tobytes()
        data[at : at + len(part)] = part
        at += len(part)
    kept = _is_grey_of_many_bits(picture) or not _is_transparent(picture)
    return Pixels(picture.width, picture.height, data, dict(picture.info) if kept else {})


def rgb_strips(picture: "Image.Image") -> "Iterator[Image.Image]":
    """Return a picture in strips of 8-bit RGB from top to bottom."""
    if _is_grey_of_many_bits(picture):
        white = max(_brightest(picture), 255.0)
        for strip in _strips(picture):
            grey = strip.convert("F").point(lambda value: value * (255.0 / white))
            yield grey.convert("L").convert("RGB")
    elif _is_transparent(picture):
        for strip in _strips(picture):
            yield _on_white(strip)
    else:
        for strip in _strips(picture):
            yield strip.convert("RGB")


def _strips(picture: "Image.Image") -> "Iterator[Image.Image]":
    rows = max(_STRIP_PIXELS // picture.width, 1)
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _is_grey_of_many_bits(picture: "Image.Image") -> bool:
    return picture.mode.startswith("I") or picture.mode == "F"


def _is_transparent(picture: "Image.Image") -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def _brightest(picture: "Image.Image") -> float:
    extrema = (strip.convert("F").getextrema() for strip in _strips(picture))
    # One band: one pair.
    return max(cast(tuple[float, float], pair)[1] for pair in extrema)


def _on_white(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    foreground = picture.convert("RGBA")
    background = Image.new("RGBA", foreground.size, "white")
    return Image.alpha_composite(background, foreground).convert("RGB")
