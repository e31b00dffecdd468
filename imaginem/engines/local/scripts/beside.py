"""Which places of a photo belong to a text that was read: cells of a list, lines of a sign."""

from collections.abc import Iterable, Sequence

from imaginem.engines.local.scripts.gate import bounds, sides
from imaginem.engines.local.scripts.lines import FoundLine

_LEAST_AS_HIGH = 0.5
"""Height of the lower line as a share of the other's: one text has about one size."""
_FURTHEST_BELOW, _FURTHEST_ALONG = 2.5, 20.0
"""Between lines one below the other, and between cells of a row, as multiples of their height."""


def may_be_a_word(found: FoundLine, told: Iterable[Sequence[int]]) -> bool:
    """Tell whether a short place that nobody could read is a word, and no pattern.

    Args:
        found: the place.
        told: polygons of the lines that were read.
    """
    return found.may_be_short_text or (
        found.may_be_a_cell and any(is_beside(found.line.polygon, line) for line in told)
    )


def is_beside(place: Sequence[int], line: Sequence[int]) -> bool:
    """Tell whether a place is as high as a line, and stands in its row or in a line next to it.

    Args:
        place: polygon of four corners, clockwise from the top left.
        line: the same of a line that was read.
    """
    high, other = sides(place)[1], sides(line)[1]
    if min(high, other) < _LEAST_AS_HIGH * max(high, other):
        return False
    left, top, right, bottom = bounds(place)
    other_left, other_top, other_right, other_bottom = bounds(line)
    below = max(top, other_top) - min(bottom, other_bottom)
    along = max(left, other_left) - min(right, other_right)
    is_in_row = below < -high / 2 and along < _FURTHEST_ALONG * high
    return is_in_row or (along < 0 and below < _FURTHEST_BELOW * high)
