"""Long pictures, cut into pieces in which text is large enough to be located.

Text is looked for in a picture whose longer side has 960 pixels. Of a screenshot that was scrolled,
ten screens long, or of a panorama, letters are specks then, and nothing would be found.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_RATIO = 2.0
"""Length of a piece, as a multiple of the picture's short side."""
_LEAST_PIECE = 1_800
"""Pixels of a piece, at least: twice what text is located with, which costs none."""
_WHOLE = 1.5
"""Pictures of up to so many pieces are not cut."""
_MARGIN = 0.15
"""Share of a piece within which a cut may move to a place without text."""
_GAP = 9
"""Pixels over which brightness changes little, between lines or words."""


def cuts(bgr: Array) -> list[int]:
    """Return where to cut a picture across its longer side, ends included: 0, …, its length.

    Args:
        bgr: height x width x 3.
    """
    length, across = max(bgr.shape[:2]), min(bgr.shape[:2])
    piece = max(_RATIO * across, _LEAST_PIECE)
    if length <= _WHOLE * piece:
        return [0, length]
    count = -(-length // int(piece))
    changes = _changes(bgr)
    margin = int(_MARGIN * length / count)
    places = [round(number * length / count) for number in range(1, count)]
    quiet = [at - margin + int(changes[at - margin : at + margin].argmin()) for at in places]
    return [0, *quiet, length]


def part(bgr: Array, start: int, end: int) -> tuple[Array, tuple[int, int]]:
    """Return a piece along the longer side, and where its corner lies: x and y, in pixels."""
    if bgr.shape[0] >= bgr.shape[1]:
        return bgr[start:end], (0, start)
    return np.ascontiguousarray(bgr[:, start:end]), (start, 0)


def row_by_row(centres: Sequence[tuple[float, float]], heights: Sequence[float]) -> list[int]:
    """Return the order in which lines are read that were found piece by piece, side by side.

    Args:
        centres: x and y of each line.
        heights: of each line.
    """
    rows: list[list[int]] = []
    for number in sorted(range(len(centres)), key=lambda each: centres[each][1]):
        last = rows[-1][-1] if rows else number
        if rows and centres[number][1] - centres[last][1] <= heights[number] / 2:
            rows[-1].append(number)
        else:
            rows.append([number])
    return [number for row in rows for number in sorted(row, key=lambda each: centres[each][0])]


def _changes(bgr: Array) -> Array:
    """Return how much brightness changes across the picture, at each place along it."""
    grey: Array = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    across = 1 if grey.shape[0] >= grey.shape[1] else 0
    changes = np.abs(np.diff(grey.astype(np.int16), axis=across)).mean(axis=across)
    return np.convolve(changes, np.ones(_GAP) / _GAP, "same")
