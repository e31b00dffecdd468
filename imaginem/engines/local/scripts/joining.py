"""Joins the pieces of lines that were found word by word, in logical order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.alphabets import RIGHT_TO_LEFT
from imaginem.engines.local.scripts.gate import bounds, sides
from imaginem.engines.local.scripts.number_order import in_order
from imaginem.outputs import TextLine, Word

Array = NDArray[Any]

_FURTHEST = 1.0
"""Between two pieces of a line, as a share of its height; columns lie further apart."""
_LEAST_COMMON = 0.6
"""Height that two pieces share, as a share of the lower one's."""
_LEAST_HEIGHT = 0.5
"""Height of the lower piece, as a share of the other's."""


def joined(lines: Sequence[TextLine], scripts: frozenset[str]) -> list[TextLine]:
    """Return lines in which pieces that lie side by side are one line.

    Args:
        lines: in reading order. Numbers alone, whose script is None, go with any script.
        scripts: whose lines are joined; others are as they were found.
    """
    groups: list[list[TextLine]] = []
    for line in lines:
        group = next((each for each in groups if _belongs(line, each, scripts)), None)
        if group is None:
            groups.append([line])
        else:
            group.append(line)
    return [in_order(_one(group)) for group in _merged(groups, scripts)]


def _merged(groups: list[list[TextLine]], scripts: frozenset[str]) -> list[list[TextLine]]:
    """Join groups between which the piece that connects them was found last."""
    merged: list[list[TextLine]] = []
    for group in groups:
        home = next(
            (each for each in merged if any(_belongs(line, each, scripts) for line in group)), None
        )
        if home is None:
            merged.append(group)
        else:
            home.extend(group)
    return merged


def _belongs(line: TextLine, group: Sequence[TextLine], scripts: frozenset[str]) -> bool:
    """Tell whether a piece lies beside one of a group, and is in the same script."""
    known = {piece.script for piece in (line, *group) if piece.script}
    if len(known) != 1 or not known <= scripts:
        return False
    if line.unreadable or any(piece.unreadable for piece in group):
        return False
    return any(_beside(line, piece) for piece in group)


def _beside(one: TextLine, other: TextLine) -> bool:
    a, b = bounds(one.polygon), bounds(other.polygon)
    heights = (a[3] - a[1], b[3] - b[1])
    lower, higher = min(heights), max(heights)
    gap = max(a[0], b[0]) - min(a[2], b[2])
    common = min(a[3], b[3]) - max(a[1], b[1])
    return (
        lower >= _LEAST_HEIGHT * higher
        and common >= _LEAST_COMMON * lower
        and -0.5 * lower <= gap <= _FURTHEST * higher
        and all(_lies(line) for line in (one, other))
    )


def _lies(line: TextLine) -> bool:
    """Tell whether a piece runs from left to right of the photo, more or less."""
    left, _, right, _ = bounds(line.polygon)
    return right - left >= 0.9 * sides(line.polygon)[0]


def _one(group: Sequence[TextLine]) -> TextLine:
    """Return one line of pieces; from right to left where its script runs so."""
    if len(group) == 1:
        return group[0]
    placed = sorted(group, key=lambda piece: bounds(piece.polygon)[0])
    main = max(group, key=lambda piece: (piece.script is not None, len(piece.text)))
    logical = placed[::-1] if main.script in RIGHT_TO_LEFT else placed
    first, last = placed[0].polygon, placed[-1].polygon
    letters = [max(len(piece.text), 1) for piece in group]
    sure = float(np.average([piece.confidence for piece in group], weights=letters))
    return main.model_copy(
        update={
            "text": " ".join(piece.text for piece in logical),
            "confidence": round(sure, 4),
            "polygon": [*first[:2], *last[2:6], *first[6:]],
            "words": [word for piece in logical for word in piece.words or [_as_word(piece)]],
        }
    )


def _as_word(piece: TextLine) -> Word:
    return Word(text=piece.text, confidence=piece.confidence, polygon=piece.polygon)
