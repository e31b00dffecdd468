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


def cut_line(bgr: Array, polygon: Sequence[int]) -> Array:
    """Return a line: grey, upright, dark on bright, with a little ground around it.

    Args:
        bgr: the photo.
        polygon: four corners, clockwise from the top left.
    """
    length, height = map(round, sides(polygon))
    right, bottom = length + PADDING, height + PADDING
    target = [[PADDING, PADDING], [right, PADDING], [right, bottom], [PADDING, bottom]]
    change = cv2.getPerspectiveTransform(along_letters(polygon), np.array(target, np.float32))
    size = (right + PADDING, bottom + PADDING)
    line: Array = cv2.warpPerspective(
        bgr, change, size, borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC
    )
    if height > _HIGH:
        lowered = (max(round(size[0] * _LOWERED / height), 1), round(size[1] * _LOWERED / height))
        line = cv2.resize(line, lowered, interpolation=cv2.INTER_AREA)
    return dark_on_bright(line)


def place_of(word: ReadWord, polygon: Sequence[int]) -> list[int]:
    """Return the four corners of a word in its photo.

    Args:
        word: read in the line that `cut_line` cut.
        polygon: of that line.
    """
    corners = along_letters(polygon)
    length, height = map(round, sides(polygon))
    scale = _LOWERED / height if height > _HIGH else 1.0
    start, end = (
        min(max((edge / scale - PADDING) / length, 0.0), 1.0) for edge in (word.left, word.right)
    )
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]
    places = [
        corners[0] + top * start,
        corners[0] + top * end,
        corners[3] + bottom * end,
        corners[3] + bottom * start,
    ]
    return [round(float(value)) for place in places for value in place]
