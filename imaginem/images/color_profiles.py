"""Convert a photo's colours to sRGB, as its file's colour profile (ICC.1) says."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from imaginem.images.limits import PROFILE_IN_PLACE

if TYPE_CHECKING:
    from PIL import Image, ImageCms

ToSrgb = Callable[["Image.Image"], "Image.Image"]
"""Converts a strip of a photo to 8-bit sRGB."""

_SEEN = 2
"""Least change of a channel, of 255, that is worth converting a photo for."""
_MODES = {"GRAY": ("1", "L"), "CMYK": ("CMYK",), "RGB": ("1", "L", "P", "RGB")}
"""Modes of photos that a profile of a colour space can be of; each may have transparency too."""
_WORKING = {"GRAY": "L", "CMYK": "CMYK", "RGB": "RGB"}


def has_plain_profile(picture: "Image.Image") -> bool:
    """Tell whether a photo has no profile, or one that is small enough for this process."""
    return len(picture.info.get("icc_profile") or b"") <= PROFILE_IN_PLACE


def srgb_converter(picture: "Image.Image") -> ToSrgb | None:
    """Return what converts an opened photo's strips to sRGB.

    None if its colours are as good as sRGB's, or if its profile is broken or of another kind of
    photo: such a profile is left out, as browsers do.
    """
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space.strip()
        if picture.mode.removesuffix("A").removesuffix("X") not in _MODES.get(space, ()):
            return None
        mode = _WORKING[space]
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode != "CMYK" and _changes_little(transform, mode):
        return None

    def convert(strip: "Image.Image") -> "Image.Image":
        return transform.apply(strip if strip.mode == mode else strip.convert(mode))

    return convert


def _changes_little(transform: "ImageCms.ImageCmsTransform", mode: str) -> bool:
    """Tell whether a transformation leaves colours from all over the space as they are."""
    from PIL import Image, ImageChops

    levels = range(0, 256, 51)
    if mode == "L":
        colors = Image.frombytes("L", (256, 1), bytes(range(256)))
    else:
        every = bytes(part for r in levels for g in levels for b in levels for part in (r, g, b))
        colors = Image.frombytes("RGB", (len(every) // 3, 1), every)
    changed = ImageChops.difference(transform.apply(colors), colors.convert("RGB"))
    extrema = cast(tuple[tuple[int, int], ...], changed.getextrema())  # a pair for each of 3 bands
    return max(most for _, most in extrema) <= _SEEN
