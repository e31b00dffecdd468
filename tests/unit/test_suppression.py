"""Of boxes that overlap, the best ones stay."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imaginem.engines.local.suppression import suppress

Array = NDArray[Any]


def overlap(one: Array, other: Array, *, by_smaller: bool) -> float:
    """Measure in pixels: a box holds its last one, too."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + 1
    shared = float(max(sides[0], 0) * max(sides[1], 0))
    areas = [float((box[2:] - box[:2] + 1).prod()) for box in (one, other)]
    return shared / (min(areas) if by_smaller else sum(areas) - shared)


def one_by_one(boxes: Array, scores: Array, limit: float, *, by_smaller: bool) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        if all(
            overlap(boxes[index], boxes[better], by_smaller=by_smaller) <= limit for better in kept
        ):
            kept.append(index)
    return kept


@pytest.mark.parametrize("by_smaller", [False, True])
@pytest.mark.parametrize("count", [0, 1, 40, 300])
def test_a_box_goes_if_it_overlaps_a_better_one_that_stays(count: int, by_smaller: bool) -> None:
    made = np.random.default_rng(count)
    corners, sides = made.integers(0, 150, (count, 2)), made.integers(5, 60, (count, 2))
    boxes = np.concatenate([corners, corners + sides], 1).astype(float)
    scores = made.integers(0, 20, count) / 20  # many are equal

    kept = suppress(boxes, scores, 0.4, by_smaller=by_smaller)

    assert kept.tolist() == one_by_one(boxes, scores, 0.4, by_smaller=by_smaller)


def test_a_box_that_went_takes_no_other_with_it() -> None:
    row = np.array([[0, 0, 99, 99], [40, 0, 139, 99], [80, 0, 179, 99]], float)

    assert suppress(row, np.array([0.9, 0.8, 0.7]), 0.4).tolist() == [0, 2]
