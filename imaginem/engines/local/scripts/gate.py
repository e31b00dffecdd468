"""Which lines PP-OCR read itself: those in Latin, Chinese and Japanese letters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.alphabets import main_script

Array = NDArray[Any]

LEAST_SCORE = 0.93
LEAST_DENSITY = 1.0
"""Letters in as much of a line as it is high. PP-OCR leaves blanks where it knows no letter, so
that Cyrillic has 0 to 0.7 with a score of 0.98; Latin has 2.6 to 3.1."""
LEAST_DENSITY_OF_CHINESE = 0.5
"""The same for letters that are as wide as high: 0.8 to 1.4, with punctuation between them less."""
LEAST_SCORE_OF_NUMBERS = 0.97
LEAST_SIGNS_OF_NUMBERS = 1.45
"""The two for a line that is mostly a number, all signs counted: numbers alone have 1.6 to 2 in as
much of a line as it is high; those with a name beside them that PP-OCR leaves out have 1.2."""
CHINESE = ("Hani", "Jpan")
"""Scripts of such letters; PP-OCR does not write them for others with a high score."""
OF_PP_OCR = frozenset({"Latn", *CHINESE, None})
"""Scripts of the lines that PP-OCR read; None has no letters."""


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


def bounds(polygon: Sequence[int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a polygon, in pixels."""
    across, down = polygon[::2], polygon[1::2]
    return min(across), min(down), max(across), max(down)


def is_dense(text: str, polygon: Sequence[int]) -> bool:
    """Tell whether a reading has as many letters and digits as its line has room for."""
    along, across = sides(polygon)
    least = LEAST_DENSITY_OF_CHINESE if main_script(text) in CHINESE else LEAST_DENSITY
    return sum(map(str.isalnum, text)) * across / along >= least


def is_read(text: str, score: float, polygon: Sequence[int]) -> bool:
    """Tell whether PP-OCR's answer can be kept without a second reading."""
    # It is sure of a telephone number, and of the line that has a name before it.
    least = LEAST_SCORE_OF_NUMBERS if _is_number(text) else LEAST_SCORE
    return score >= least and is_full(text, polygon)


def is_full(text: str, polygon: Sequence[int]) -> bool:
    """Tell whether a line has room for nothing but what was read; figures stand closer."""
    if not _is_number(text):
        return is_dense(text, polygon)
    along, across = sides(polygon)
    signs = sum(not sign.isspace() for sign in text)
    return signs * across / along >= LEAST_SIGNS_OF_NUMBERS


def _is_number(text: str) -> bool:
    return is_mostly_number(text) and main_script(text) not in CHINESE


def is_mostly_number(text: str) -> bool:
    """Tell whether a line has more digits than letters."""
    return sum(map(str.isdigit, text)) > max(2, sum(map(str.isalpha, text)))
