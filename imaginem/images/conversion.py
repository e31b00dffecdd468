"""Turn any picture into 8-bit RGB, a strip at a time: whole copies would take much memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from imaginem.images.color_profiles import ToSrgb

if TYPE_CHECKING:
    from PIL import Image

_STRIP_PIXELS = 1_000_000
_SAMPLED_SIDE = 512
"""Pixels of a side that are looked at to choose the ground of a transparent picture."""
_VISIBLE = 128  # of 255: what is less opaque does not tell the ground
_LIGHT, _DARK = 208, 48  # brightness that white and black grounds swallow
_SWALLOWED = 0.1
"""Share of the visible pixels above which a ground that swallows them is not taken."""


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


def rgb_pixels(picture: "Image.Image", to_srgb: ToSrgb | None = None) -> Pixels:
    """Return a picture's pixels in 8-bit RGB.

    Grey of 16 bits and floating-point grey are scaled to 8 bits. What is transparent becomes
    white; black or grey if white would swallow what can be seen.

    Args:
        picture: any mode.
        to_srgb: as of `srgb_converter`; without it colours stay as they are.
    """
    data, at = bytearray(picture.width * picture.height * 3), 0
    for strip in rgb_strips(picture, to_srgb):
        part = strip.tobytes()
        data[at : at + len(part)] = part
        at += len(part)
    kept = _is_grey_of_many_bits(picture) or not _is_transparent(picture)
    info = dict(picture.info) if kept else {}
    if to_srgb:
        info.pop("icc_profile", None)  # it has done its work
    return Pixels(picture.width, picture.height, data, info)


def rgb_strips(picture: "Image.Image", to_srgb: ToSrgb | None = None) -> "Iterator[Image.Image]":
    """Return a picture in strips of 8-bit RGB from top to bottom; arguments as of `rgb_pixels`."""
    if _is_grey_of_many_bits(picture):
        white = _white(picture)
        for strip in _strips(picture):
            grey = strip.convert("F").point(lambda value: value * (255.0 / white))
            yield grey.convert("L").convert("RGB")
    elif _is_transparent(picture):
        ground = _ground(picture)
        for strip in _strips(picture):
            flat = _on_ground(strip, ground)
            yield to_srgb(flat) if to_srgb else flat
    else:
        for strip in _strips(picture):
            yield to_srgb(strip) if to_srgb else strip.convert("RGB")


def _strips(picture: "Image.Image") -> "Iterator[Image.Image]":
    rows = max(_STRIP_PIXELS // picture.width, 1)
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _is_grey_of_many_bits(picture: "Image.Image") -> bool:
    return picture.mode.startswith("I") or picture.mode == "F"


def _is_transparent(picture: "Image.Image") -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def _white(picture: "Image.Image") -> float:
    """Return the value that is white; floating-point pictures go to 1 or, like others, further."""
    brightest = _brightest(picture)
    if picture.mode == "F" and 0 < brightest <= 1:
        return 1.0
    return max(brightest, 255.0)


def _brightest(picture: "Image.Image") -> float:
    extrema = (strip.convert("F").getextrema() for strip in _strips(picture))
    # One band: one pair.
    return max(cast(tuple[float, float], pair)[1] for pair in extrema)


def _ground(picture: "Image.Image") -> str:
    """Return the colour that a transparent picture is put on, so that all of it can be seen."""
    from PIL import Image

    sides = (min(picture.width, _SAMPLED_SIDE), min(picture.height, _SAMPLED_SIDE))
    sample = picture.resize(sides, Image.Resampling.NEAREST).convert("RGBA")
    opaque = sample.getchannel("A").point(lambda alpha: 255 * (alpha >= _VISIBLE))
    brightness = sample.convert("RGB").convert("L").histogram(opaque)
    most = _SWALLOWED * max(sum(brightness), 1)
    if sum(brightness[_LIGHT:]) <= most:
        return "white"
    return "black" if sum(brightness[:_DARK]) <= most else "grey"


def _on_ground(picture: "Image.Image", ground: str) -> "Image.Image":
    from PIL import Image

    foreground = picture.convert("RGBA")
    background = Image.new("RGBA", foreground.size, ground)
    return Image.alpha_composite(background, foreground).convert("RGB")
