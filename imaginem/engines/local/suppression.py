"""Non-maximum suppression: of boxes that overlap, the best ones stay."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_COMPARED = 128  # boxes that are compared with all others at once: bounds memory


def _overlaps(some: Array, boxes: Array, *, by_smaller: bool) -> Array:
    """Return the overlap of each of some boxes (rows) with each box (columns)."""
    left, top, right, bottom = boxes.T
    some_left, some_top, some_right, some_bottom = some.T[:, :, None]
    width = np.minimum(some_right, right) - np.maximum(some_left, left) + 1
    height = np.minimum(some_bottom, bottom) - np.maximum(some_top, top) + 1
    shared = np.maximum(0, width) * np.maximum(0, height)
    areas = (right - left + 1) * (bottom - top + 1)
    some_areas = (some_right - some_left + 1) * (some_bottom - some_top + 1)
    if by_smaller:
        return np.asarray(shared / np.minimum(some_areas, areas))
    return np.asarray(shared / (some_areas + areas - shared))


def suppress(boxes: Array, scores: Array, limit: float, *, by_smaller: bool = False) -> Array:
    """Return the indices that non-maximum suppression keeps, best first.

    Args:
        boxes: n x 4: left, top, right, bottom.
        scores: n.
        limit: overlap, 0 to 1, above which the box with the lower score is dropped.
        by_smaller: measure the overlap by the smaller box instead of the union.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        # The best ones are compared with all at once: few large calculations instead of many small.
        best = order[:_COMPARED]
        apart = _overlaps(boxes[best], boxes[order], by_smaller=by_smaller) <= limit
        alive = np.ones(len(order), bool)
        for row, index in enumerate(best):
            if alive[row]:
                kept.append(int(index))
                alive &= apart[row]
        order = order[_COMPARED:][alive[_COMPARED:]]
    return np.array(kept, int)
