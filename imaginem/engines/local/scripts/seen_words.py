"""Which words of a line PP-OCR read for certain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import fmean

from imaginem.engines.alphabets import main_script
from imaginem.engines.local.located import Sign
from imaginem.engines.local.scripts.gate import LEAST_DENSITY
from imaginem.engines.local.scripts.lines import FoundLine

IN_NUMBERS = frozenset("0123456789+-./:,()#\u2013")
_LEAST_SURE, _LEAST_OF_A_SIGN = 0.93, 0.7
"""Of a word in the mean, and of each of its signs. Figures in photos have 0.67 at times, and their
number 0.95; of what is read where other letters stand some sign has 0.2 to 0.6."""
_LEAST_OF_A_FIGURE = 0.55
"""The second of a number: one of its figures may be blurred."""
_LEAST_OF_FEW, FEW = 0.98, 3
"""The first of a word of so few signs: letters of other scripts look like 704 with 0.96."""
_FURTHEST, _OF_LETTERS, _OF_A_WIDE_ONE = 0.75, 0.95, 0.16
"""Between the middles of two signs of a word, as a share of the line's height: figures have 0.3 to
0.6, letters up to 0.84, two of the widest up to 1.16 (measured in eleven fonts; PP-OCR tells places
in sixths of the height). Further apart there is room for something that was not read."""
_WIDE = frozenset("mwMW")
EDGE = 0.3
"""From the middle of a sign to its edge, as a share of the line's height."""


@dataclass(frozen=True)
class SeenWord:
    """What stands between two blanks, or where room for something else begins."""

    signs: tuple[Sign, ...]

    @property
    def text(self) -> str:
        """Its signs."""
        return "".join(sign.text for sign in self.signs)

    @property
    def sure(self) -> float:
        """How sure its signs are in the mean, from 0 to 1."""
        return fmean(sign.sure for sign in self._that_count)

    @property
    def worst(self) -> float:
        """How sure the least sure one is; a word's full stop may be blurred, a number's may not."""
        return min(sign.sure for sign in self._that_count)

    @property
    def _that_count(self) -> list[Sign]:
        is_word = any(sign.text.isalpha() for sign in self.signs)
        return [sign for sign in self.signs if sign.text.isalnum() or not is_word]

    @property
    def figures(self) -> int:
        """How many of its signs are figures."""
        return sum(sign.text.isdigit() for sign in self.signs)

    @property
    def is_number(self) -> bool:
        """Whether it is a number, a date or a part of one."""
        return self.figures > 0 and IN_NUMBERS.issuperset(self.text)

    @property
    def is_of_few(self) -> bool:
        """Whether it is so short that other letters may look like it."""
        return len(self.signs) <= FEW

    @property
    def is_surely_one(self) -> bool:
        """Whether it is none of the short words that are seen in letters of other scripts."""
        return self.sure >= _LEAST_OF_FEW and self.worst >= _LEAST_SURE and len(self.signs) > 1

    def is_latin(self, high: float) -> bool:
        """Tell whether it is a word in Latin letters that is read for certain."""
        along = self.signs[-1].at - self.signs[0].at + 2 * EDGE * high
        if main_script(self.text) != "Latn" or len(self.signs) * high < LEAST_DENSITY * along:
            return False
        if len(self.signs) < 2 or (self.figures and self.is_of_few):
            return False
        return self.sure >= _LEAST_SURE and self.worst >= _LEAST_OF_A_SIGN


def words_of(found: FoundLine) -> list[SeenWord]:
    """Return the words of a line, divided where there is room for something between two."""
    return list(_words(found)) if found.signs else []


def _words(found: FoundLine) -> Iterator[SeenWord]:
    rest = iter(found.signs)
    for word in found.line.text.split():
        signs = [next(rest) for _ in word]
        start = 0
        for place, (one, other) in enumerate(pairwise(signs), 1):
            if (other.at - one.at) * found.length > _furthest(one.text + other.text):
                yield SeenWord(tuple(signs[start:place]))
                start = place
        yield SeenWord(tuple(signs[start:]))


def _furthest(pair: str) -> float:
    if not pair.isalpha():
        return _FURTHEST
    return _OF_LETTERS + _OF_A_WIDE_ONE * sum(letter in _WIDE for letter in pair)


def which_are_sure(
    words: Sequence[SeenWord], high: float, are_numbers_seen: bool = False
) -> list[bool]:
    """Return which words are read for certain.

    Args:
        words: of a line, from left to right.
        high: its height, as a share of its length.
        are_numbers_seen: that another reader sees the same numbers in the line.
    """
    sure = [word.is_latin(high) for word in words]
    for start, end in _numbers(words):
        # What looks like a short number beside another one may be part of a name.
        while start < end and _may_be_a_name(words[start]):
            start += 1
        while start < end and _may_be_a_name(words[end - 1]):
            end -= 1
        is_one = start < end and _is_sure_number(words[start:end])
        for place in range(start, end):
            sure[place] = is_one or _is_sure_number(words[place : place + 1])
    if are_numbers_seen:
        sure = [each or word.is_number for each, word in zip(sure, words, strict=True)]
    for place, word in enumerate(words):
        if word.is_of_few and not word.is_number and not word.is_surely_one:
            sure[place] = all(sure[max(place - 1, 0) : place + 2])
    return sure


def _numbers(words: Sequence[SeenWord]) -> Iterator[tuple[int, int]]:
    """Return where words begin and end that make a number together."""
    for is_number, group in groupby(range(len(words)), key=lambda place: words[place].is_number):
        places = [*group]
        if is_number:
            yield places[0], places[-1] + 1


def _may_be_a_name(word: SeenWord) -> bool:
    return word.is_of_few and not word.is_surely_one and not word.text.startswith("+")


def _is_sure_number(words: Sequence[SeenWord]) -> bool:
    sure = [sign.sure for word in words for sign in word.signs]
    if len(sure) <= FEW:
        return len(words) == 1 and words[0].is_surely_one
    return fmean(sure) >= _LEAST_SURE and min(sure) >= _LEAST_OF_A_FIGURE
