"""Colours, black-and-white, clip art and line drawings: counted on a thumbnail, no model."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.outputs import Colors, ImageType

Array = NDArray[Any]

_SIDE = 96
_BORDER = 0.15  # of the side: what counts as background
_GREY_CHROMA = 12  # of 255: under it the eye sees grey
_DOMINANT = 0.15
# Hue in OpenCV's degrees (0 to 180) where each of Azure's colour names ends.
_HUES = (
    (8, "Red"),
    (22, "Orange"),
    (35, "Yellow"),
    (80, "Green"),
    (98, "Teal"),
    (130, "Blue"),
    (152, "Purple"),
    (170, "Pink"),
    (181, "Red"),
)
_BROWN_VALUE = 150
_NAMES = tuple(sorted({name for _, name in _HUES} | {"Brown", "Gray", "White", "Black"}))
_NAME_OF_HUE = np.array(
    [next(_NAMES.index(name) for end, name in _HUES if hue < end) for hue in range(_HUES[-1][0])]
)
_IS_WARM = np.array([name in ("Orange", "Red", "Yellow") for name in _NAMES])


def thumbnail(rgb: Array) -> Array:
    """Return the photo as 96 x 96 pixels."""
    return cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def colors(small: Array) -> Colors:
    """Return the colours of a thumbnail."""
    names = _names(small)
    edge = int(_SIDE * _BORDER)
    inner = np.zeros((_SIDE, _SIDE), bool)
    inner[edge:-edge, edge:-edge] = True
    shares = _shares(names.reshape(-1))
    return Colors(
        dominant_color_foreground=_first(names[inner]),
        dominant_color_background=_first(names[~inner]),
        dominant_colors=[name for name, share in shares if share >= _DOMINANT],
        accent_color=_accent(small),
        is_bw_img=bool(np.percentile(_chroma(small), 98) < _GREY_CHROMA),
    )


def _chroma(small: Array) -> Array:
    """Return each pixel's distance from grey: its largest channel less its smallest."""
    difference: Array = small.max(2).astype(int) - small.min(2).astype(int)
    return difference


def _names(small: Array) -> Array:
    """Return each pixel's colour name, as its place in `_NAMES`."""
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(int)
    hue, value, chroma = hsv[:, :, 0], hsv[:, :, 2], _chroma(small)
    names: Array = _NAME_OF_HUE[hue]
    names[_IS_WARM[names] & (value < _BROWN_VALUE)] = _NAMES.index("Brown")
    grey = chroma < _GREY_CHROMA * 2
    names[grey] = _NAMES.index("Gray")
    names[grey & (value > 200)] = _NAMES.index("White")
    names[value < 45] = _NAMES.index("Black")
    return names


def _shares(names: Array) -> list[tuple[str, float]]:
    """Return the colour names with the share of pixels that have each, the commonest first.

    Args:
        names: n places in `_NAMES`.
    """
    counts = np.bincount(names, minlength=len(_NAMES))
    order = np.argsort(-counts, kind="stable")
    return [(_NAMES[i], float(counts[i]) / len(names)) for i in order if counts[i]]


def _first(names: Array) -> str:
    return _shares(names)[0][0]


def _accent(small: Array) -> str:
    """Return the median colour of the most vivid tenth of the pixels, as RRGGBB."""
    pixels = small.reshape(-1, 3)
    vivid = np.argsort(-_chroma(small).reshape(-1), kind="stable")[: len(pixels) // 10]
    red, green, blue = (int(value) for value in np.median(pixels[vivid], axis=0))
    return f"{red:02X}{green:02X}{blue:02X}"


def image_type(rgb: Array) -> ImageType:
    """Tell drawings from photos: drawings have flat areas and few colours."""
    height, width = rgb.shape[:2]
    step = max(1, max(height, width) // 512)
    # Channel by channel: copying pixels of three bytes each takes several times as long.
    channels = [np.ascontiguousarray(rgb[::step, ::step, number]) for number in range(3)]
    red, green, blue = channels
    # Each colour in eighths of each channel, as one number from 0 to 511.
    eighths = (red.astype(np.uint16) >> 5 << 6) + (green >> 5 << 3) + (blue >> 5)
    rough = int(np.count_nonzero(np.bincount(eighths.reshape(-1), minlength=512)))
    flat = _flat_share(channels)
    sums = red.astype(np.uint16) + green + blue  # three times the grey value
    paper, ink = float((sums > 3 * 215).mean()), float((sums < 3 * 100).mean())
    chroma = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    colorless = _percentile(chroma, 98) < _GREY_CHROMA
    drawing = colorless and paper > 0.7 and 0.005 < ink < 0.25 and flat > 0.5
    clip = 0
    for kind, (least_flat, most_colors) in enumerate(((0.6, 60), (0.75, 40), (0.9, 24)), 1):
        clip = kind if flat >= least_flat and rough <= most_colors and not drawing else clip
    return ImageType(clip_art_type=clip, line_drawing_type=int(drawing))


def _flat_share(channels: Sequence[Array]) -> float:
    """Return the share of pixels that differ by 1 at most, in each channel, from the next."""
    if channels[0].shape[1] < 2:
        return 1.0
    red, green, blue = (cv2.absdiff(values[:, 1:], values[:, :-1]) for values in channels)
    change = np.asarray(cv2.max(cv2.max(red, green), blue))
    return float(np.count_nonzero(change <= 1)) / change.size


def _percentile(values: Array, percent: float) -> float:
    """Return what `np.percentile` does, for bytes: they are counted, not sorted."""
    ranks = np.cumsum(np.bincount(values.reshape(-1), minlength=256))
    place = (values.size - 1) * percent / 100
    below = np.searchsorted(ranks, [int(place), int(place) + 1], side="right")
    lower, upper = float(below[0]), float(min(below[1], 255))
    return lower + (upper - lower) * (place - int(place))
