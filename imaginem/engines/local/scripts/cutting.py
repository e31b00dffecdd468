"""Cuts lines out of a photo, as Tesseract reads them best."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.engines.local.scripts.gate import along_letters, sides
from imaginem.engines.local.scripts.tesseract import ReadWord, dark_on_bright

Array = NDArray[Any]

PADDING = 4
"""Pixels around a line; with 10 more letters are read wrongly."""
_HIGH, _LOWERED = 96, 64
"""Pixels of a line that is made lower, and of what becomes of it: Tesseract makes it 36 high."""
_OTHER_COLORS = 30
"""Deviation, in steps of 255, from the line between a text's two colours: 0 to 15 on signs and in
shadows, 52 to 59 on the ribbons of a uniform."""

_GROUND = 80
"""Percentile of a place's greys that is its ground: letters cover a fourth of it."""
_LEAST_CONTRAST = 25
_LEAST_INK, _LEAST_WIDE, _LEAST_HIGH = 0.08, 0.2, 0.25
"""Of a column that has ink, of all such columns, and from the top to the bottom of the ink: as
shares of the line's height."""


def cut_line(bgr: Array, polygon: Sequence[int]) -> Array:
    """Return a line: grey, upright, dark on bright, with a little ground around it.

    Args:
        bgr: the photo.
        polygon: four corners, clockwise from the top left.
    """
    line, height = _upright(bgr, polygon, PADDING), round(sides(polygon)[1])
    if height > _HIGH:
        high, wide = line.shape[:2]
        lowered = (max(round(wide * _LOWERED / height), 1), round(high * _LOWERED / height))
        line = cv2.resize(line, lowered, interpolation=cv2.INTER_AREA)
    return dark_on_bright(line)


def is_ink_on_ground(bgr: Array, polygon: Sequence[int]) -> bool:
    """Tell whether the colours of a place lie between two, as those of text do; all greys do.

    Args:
        bgr: the photo.
        polygon: four corners, clockwise from the top left.
    """
    pixels = _upright(bgr, polygon, 0).reshape(-1, 3)
    variances = np.linalg.eigvalsh(np.cov(pixels.T.astype(np.float64)))
    return float(variances[:2].sum()) <= _OTHER_COLORS**2


def along_cut(places: tuple[float, float], polygon: Sequence[int]) -> tuple[int, int]:
    """Return two places along a line, from 0 to 1, in pixels of what `cut_line` cut."""
    length, height = map(round, sides(polygon))
    scale = _LOWERED / height if height > _HIGH else 1.0
    start, end = (round((place * length + PADDING) * scale) for place in places)
    return start, end


def part_of(polygon: Sequence[int], start: float, end: float) -> list[int]:
    """Return the four corners of a part of a line, between two places along it from 0 to 1."""
    corners = along_letters(polygon)
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]
    places = (
        corners[0] + top * start,
        corners[0] + top * end,
        corners[3] + bottom * end,
        corners[3] + bottom * start,
    )
    return [round(float(value)) for place in places for value in place]


def has_letters(bgr: Array, polygon: Sequence[int]) -> bool:
    """Tell whether there is ink as high as letters and as wide as one; rules and dots are not.

    Args:
        bgr: the photo.
        polygon: four corners, clockwise from the top left.
    """
    place = cut_line(bgr, polygon)[PADDING:-PADDING, PADDING:-PADDING]
    high = place.shape[0]
    ground = int(np.percentile(place, _GROUND))
    ink = place < ground - max(_LEAST_CONTRAST, (ground - int(place.min())) // 2)
    columns = np.flatnonzero(ink.sum(axis=0) >= max(_LEAST_INK * high, 1))
    rows = np.flatnonzero(ink[:, columns].any(axis=1))
    return len(columns) >= _LEAST_WIDE * high and bool(np.ptp(rows) >= _LEAST_HIGH * high)


def _upright(bgr: Array, polygon: Sequence[int], padding: int) -> Array:
    """Return a line in its own colours, its letters upright, with some pixels around it."""
    length, height = map(round, sides(polygon))
    right, bottom = length + padding, height + padding
    target = [[padding, padding], [right, padding], [right, bottom], [padding, bottom]]
    change = cv2.getPerspectiveTransform(along_letters(polygon), np.array(target, np.float32))
    return cv2.warpPerspective(
        bgr,
        change,
        (right + padding, bottom + padding),
        borderMode=cv2.BORDER_REPLICATE,
        flags=cv2.INTER_CUBIC,
    )


def place_of(word: ReadWord, polygon: Sequence[int]) -> list[int]:
    """Return the four corners of a word in its photo.

    Args:
        word: read in the line that `cut_line` cut.
        polygon: of that line.
    """
    length, height = map(round, sides(polygon))
    scale = _LOWERED / height if height > _HIGH else 1.0
    start, end = (
        min(max((edge / scale - PADDING) / length, 0.0), 1.0) for edge in (word.left, word.right)
    )
    return part_of(polygon, start, end)
