"""Turn any picture into 8-bit RGB, a strip at a time where whole copies would take much memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from PIL import Image

_STRIP_PIXELS = 1_000_000


def to_rgb(picture: "Image.Image") -> "Image.Image":
    """Return 8-bit RGB: transparent pixels become white, 16-bit grey is scaled to 8 bits."""
    from PIL import Image

    if not (_is_grey_of_many_bits(picture) or _is_transparent(picture)):
        return picture if picture.mode == "RGB" and _is_plain(picture) else picture.convert("RGB")
    whole = Image.new("RGB", picture.size)
    for top, strip in rgb_strips(picture):
        whole.paste(strip, (0, top))
    if _is_grey_of_many_bits(picture):
        whole.info = dict(picture.info)
    return whole


def rgb_strips(picture: "Image.Image") -> "Iterator[tuple[int, Image.Image]]":
    """Return a picture in strips of 8-bit RGB from top to bottom, each with its first row."""
    if _is_grey_of_many_bits(picture):
        white = max(_brightest(picture), 255.0)
        for top, strip in _strips(picture):
            grey = strip.convert("F").point(lambda value: value * (255.0 / white))
            yield top, grey.convert("L").convert("RGB")
    elif _is_transparent(picture):
        for top, strip in _strips(picture):
            yield top, _on_white(strip)
    else:
        for top, strip in _strips(picture):
            yield top, strip.convert("RGB")


def _strips(picture: "Image.Image") -> "Iterator[tuple[int, Image.Image]]":
    rows = max(_STRIP_PIXELS // picture.width, 1)
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _is_grey_of_many_bits(picture: "Image.Image") -> bool:
    return picture.mode.startswith("I") or picture.mode == "F"


def _is_transparent(picture: "Image.Image") -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def _brightest(picture: "Image.Image") -> float:
    extrema = (strip.convert("F").getextrema() for _, strip in _strips(picture))
    # One band: one pair.
    return max(cast(tuple[float, float], pair)[1] for pair in extrema)


def _on_white(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    foreground = picture.convert("RGBA")
    background = Image.new("RGBA", foreground.size, "white")
    return Image.alpha_composite(background, foreground).convert("RGB")


def _is_plain(picture: Any) -> bool:
    """Tell whether the picture is in memory and no longer reads from the open file."""
    from PIL import Image

    return type(picture) is Image.Image
