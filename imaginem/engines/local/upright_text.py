"""Text of photos that lie on a side or upside down: read in the turn in which it reads best."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.local.orientation import Orientation
from imaginem.engines.local.quarter_turns import TURNS, WayBack, turned
from imaginem.engines.local.scripts.choosing import BELIEVED
from imaginem.engines.local.scripts.gate import OF_PP_OCR, bounds
from imaginem.outputs import TextLine

Array = NDArray[Any]

_DOUBTFUL = 0.85  # text that stands on its head reads with 0.70 to 0.83
_READABLE, _READ_WELL = 0.85, 0.9
_READ = 0.7  # what reads worse is mostly no text
_AS_WELL = 0.05  # difference of two readings that says nothing
_LIKELY = 0.6  # a turn that is tried where no line can be read
_TRIED = 4  # of the longest lines
_AS_SCORE = 0.85 / BELIEVED  # Tesseract's confidence is lower where it is right
_LONG = 3.0  # times as long as high
_TALL = 1.5  # times as high as wide: RapidOCR reads such a line turned counter-clockwise


@dataclass(frozen=True)
class TextReader:
    """What reads text of pictures whichever way they lie.

    Attributes:
        lines: returns the lines of a picture (height x width x 3, RGB), in its pixels.
        over: returns how well such lines of a picture read upside down, from 0 to 1.
    """

    lines: Callable[[Array], list[TextLine]]
    over: Callable[[Array, Sequence[TextLine]], float]


def read_upright(
    rgb: Array, orientation: Orientation, reader: TextReader
) -> tuple[list[TextLine], int]:
    """Return the lines in the pixels of the photo, and the degrees by which it was turned.

    A photo is turned at once where that is sure. Otherwise, and where its text reads badly, its
    longest lines tell; then it is turned if it reads better so.

    Args:
        rgb: the photo, height x width x 3.
        orientation: which way it lies.
        reader: reads it.
    """
    degrees = orientation.likeliest if orientation.is_sure else 0
    picture = turned(rgb, degrees)
    lines = reader.lines(picture)
    telling = [line for line in lines if _tells_turn(line)]
    if telling and (not orientation.is_sure or _is_doubtful(telling)):
        further = _suggested(picture, telling, reader)
        if further is not None:
            other = (degrees + further) % 360
        else:
            other = orientation.likeliest if orientation.certainty >= _LIKELY else degrees
        again = reader.lines(turned(rgb, other)) if other != degrees else []
        # Lines on their side may read as well as upright ones, but in the wrong order.
        least = certainty(lines) - (_AS_WELL if (other - degrees) % 180 else 0)
        if _is_better(again, lines, least):
            lines, degrees = again, other
    back = WayBack((rgb.shape[1], rgb.shape[0]), degrees)
    return [back.line(line) for line in lines], degrees


def readability(confidence: float, script: str | None) -> float:
    """Return how well a line reads, from 0 to 1, whoever read it: from 0.85 on it is right.

    Args:
        confidence: of its reader.
        script: of the line; None if it has no letters, or nobody can read it.
    """
    return confidence if script in OF_PP_OCR else min(confidence * _AS_SCORE, 1.0)


def _is_doubtful(lines: Sequence[TextLine]) -> bool:
    """Tell whether there is text that reads badly, and not just patterns that look like text."""
    unread = sum(_length(line) for line in lines if line.unreadable)
    if unread * 2 > sum(map(_length, lines)):
        return True
    read = [line for line in lines if line.confidence >= _READ and _letters(line) > 1]
    return bool(read) and certainty(read) < _DOUBTFUL


def _tells_turn(line: TextLine) -> bool:
    """Tell whether a line says which way it lies: words of few letters read either way."""
    return not line.unreadable or _length(line) >= _LONG * min(_sides(line))


def _is_better(some: Sequence[TextLine], others: Sequence[TextLine], least: float) -> bool:
    """Tell whether text is surer than that, and not just since most of the other was left out."""
    letters, other_letters = (sum(map(_letters, lines)) for lines in (some, others))
    return letters > 0 and certainty(some) > least and 2 * letters >= other_letters


def certainty(lines: Sequence[TextLine]) -> float:
    """Return how well the letters read in the mean, 0 to 1; 0 without any."""
    count = sum(map(_letters, lines))
    sure = sum(_letters(line) * readability(line.confidence, line.script) for line in lines)
    return sure / count if count else 0.0


def _letters(line: TextLine) -> int:
    return sum(map(str.isalnum, line.text))


def _suggested(picture: Array, lines: Sequence[TextLine], reader: TextReader) -> int | None:
    """Return the further turn in which the longest lines read well; None if there is none."""
    longest = sorted(lines, key=_length, reverse=True)[:_TRIED]
    as_they_lie = statistics.fmean(readability(line.confidence, line.script) for line in longest)
    over = 0.0 if as_they_lie >= _READ_WELL else reader.over(picture, longest)
    lie_on_a_side = sum(map(_is_tall, longest)) * 2 > len(longest)
    # Lines on their side need less proof: what is on its side is not upright.
    if max(as_they_lie, over) < (_READ if lie_on_a_side else _READABLE):
        return None
    lies_over = over > as_they_lie
    if lie_on_a_side:
        return TURNS[1] if lies_over else TURNS[3]
    return TURNS[2] if lies_over else TURNS[0]


def _sides(line: TextLine) -> tuple[int, int]:
    left, top, right, bottom = bounds(line.polygon)
    return right - left, bottom - top


def _length(line: TextLine) -> int:
    return max(_sides(line))


def _is_tall(line: TextLine) -> bool:
    width, height = _sides(line)
    return height > _TALL * width
