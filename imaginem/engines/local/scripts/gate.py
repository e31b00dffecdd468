"""Which lines PP-OCR read itself: those in Latin, Chinese and Japanese letters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEAST_SCORE = 0.93
LEAST_DENSITY = 1.0
"""Letters in as much of a line as it is high. PP-OCR leaves blanks where it knows no letter, so
that Cyrillic has 0 to 0.7 with a score of 0.98; Latin has 2.6 to 3.1, Chinese 1.2 to 1.4."""


_STANDS = 1.5
"""A box that is higher than wide by this holds letters one below the other, or turned ones."""


def along_letters(polygon: Sequence[int]) -> Array:
    """Return a box's corners, 4 by 2, such that its letters run from the first to the second.

    Args:
        polygon: of four corners, clockwise from the top left.
    """
    corners = np.array(polygon, np.float32).reshape(4, 2)
    length, height = _sides(corners)
    # As RapidOCR turns it before it is read: the right edge comes up.
    return np.roll(corners, -1, axis=0) if height >= _STANDS * length else corners


def sides(polygon: Sequence[int]) -> tuple[float, float]:
    """Return the length of a line's box along its letters, and across them, in pixels."""
    return _sides(along_letters(polygon))


def _sides(corners: Array) -> tuple[float, float]:
    edges = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return max(float(edges[0]), float(edges[2]), 1.0), max(float(edges[1]), float(edges[3]), 1.0)


def is_dense(text: str, polygon: Sequence[int]) -> bool:
    """Tell whether a reading has as many letters and digits as its line has room for."""
    along, across = sides(polygon)
    return sum(map(str.isalnum, text)) * across / along >= LEAST_DENSITY


def is_read(text: str, score: float, polygon: Sequence[int]) -> bool:
    """Tell whether PP-OCR's answer can be kept without a second reading."""
    return score >= LEAST_SCORE and is_dense(text, polygon)
