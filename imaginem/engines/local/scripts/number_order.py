"""Puts the groups of a number in the order in which it is dialled, in lines from right to left.

Readers tell the words of such a line from right to left, and with them the groups of a number:
0770 123 4567 as it stands on a sign becomes 4567 123 0770. In a line that was typed and shown by
the rules of Unicode (UAX 9) its groups do stand from right to left. Where the number begins tells
which of the two it is.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby

from imaginem.engines.alphabets import RIGHT_TO_LEFT
from imaginem.outputs import TextLine, Word

_GROUP = r"[+(]*\d[\d+\-./()]*"
_NUMBER = re.compile(rf"{_GROUP}(?: {_GROUP})*")
"""A word of a line: what several readers see as one number may have several groups."""


def in_order(line: TextLine) -> TextLine:
    """Return a line whose numbers begin with the group that has the plus or the zero.

    Args:
        line: in logical order; one that runs from left to right stays as it is, and so does one
            whose words don't make up its text.
    """
    if line.script not in RIGHT_TO_LEFT or line.text != _text_of(line.words):
        return line
    words = [*_ordered(line.words)]
    return line.model_copy(update={"text": _text_of(words), "words": words})


def _text_of(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _ordered(words: Sequence[Word]) -> Iterator[Word]:
    for is_number, run in groupby(words, lambda word: bool(_NUMBER.fullmatch(word.text))):
        told = [*run]
        groups = _text_of(told).split()
        if not is_number:
            yield from told
            continue
        if _begins(groups[-1]) and not _begins(groups[0]):
            told, groups = told[::-1], groups[::-1]
        # Of a line from right to left the plus may be read behind its figures.
        if groups[0].endswith("+"):
            groups[0] = f"+{groups[0].strip('+')}"
        left = iter(groups)
        for word in told:
            text = " ".join(next(left) for _ in word.text.split())
            yield word.model_copy(update={"text": text})


def _begins(group: str) -> bool:
    """Tell whether a telephone number begins so: with a plus, or with the zero of an area."""
    first = group.lstrip("(")[:1]
    return "+" in (first, group[-1]) or unicodedata.digit(first, None) == 0
