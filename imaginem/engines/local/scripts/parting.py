"""Parts a line of which PP-OCR read a number, or Latin words, and not what stands beside it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import fmean

from imaginem.engines.alphabets import main_script
from imaginem.engines.local.located import Sign
from imaginem.engines.local.scripts.cutting import part_of
from imaginem.engines.local.scripts.gate import CHINESE, LEAST_DENSITY, is_dense
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.outputs import TextLine

_IN_NUMBERS = frozenset("0123456789+-./:,()#\u2013")
_AT_WORDS = ".,:;'()"
_LEAST_SURE, _LEAST_OF_A_SIGN = 0.93, 0.7
"""Of a word in the mean, and of each of its signs. Figures in photos have 0.67 at times, and their
number 0.95; of what is read where other letters stand some sign has 0.2 to 0.6."""
_LEAST_OF_A_FIGURE = 0.55
"""The second of a number: one of its figures may be blurred."""
_LEAST_OF_FEW, _FEW = 0.98, 3
"""The first of a word of so few signs: letters of other scripts look like 704 with 0.96."""
_LEAST_OF_CHINESE = 0.9
_FURTHEST = 0.75
"""Between the middles of two signs of a word, as a share of the line's height: figures have 0.3 to
0.6. Further apart there is room for something that was not read."""
_EDGE = 0.3
"""From the middle of a sign to its edge, as a share of the line's height."""
_MARGIN = 0.08
"""Between a piece and what stands beside it, whose stems are read as | else."""
_LEAST_ROOM = 0.7
"""Room for something that was not read, as a share of the line's height."""

_LEAST_OF_A_WORD = 1.0
"""Length of a word in another script beside Latin ones, as a multiple of its height."""
_LEAST_OF_BLURRED = 0.75
"""Score from which Latin letters that are not sure may be blurred ones."""

HasInk = Callable[[Sequence[int]], bool]
"""Tells whether there are letters, or something like them, in a place of the photo."""


@dataclass(frozen=True)
class Part:
    """A piece of a line.

    Attributes:
        found: it, as a line of its own.
        is_read: whether PP-OCR read it surely: numbers, and Latin words beside them.
        start: where it begins along the line, from 0 to 1.
        end: where it ends.
    """

    found: FoundLine
    is_read: bool
    start: float
    end: float

    @property
    def is_latin(self) -> bool:
        """Whether PP-OCR saw words in Latin letters alone, which fill it."""
        line = self.found.line
        words = [word.strip(_AT_WORDS) for word in line.text.replace("-", "").split()]
        return (
            main_script(line.text) == "Latn"
            and all(map(str.isalpha, words))
            and is_dense(line.text, line.polygon)
        )

    @property
    def is_longer(self) -> bool:
        """Whether it has more letters than are seen where other ones stand."""
        return len(self.found.signs) > _FEW


@dataclass(frozen=True)
class _Word:
    """What stands between two blanks, or where room for something else begins."""

    signs: tuple[Sign, ...]

    @property
    def text(self) -> str:
        return "".join(sign.text for sign in self.signs)

    @property
    def sure(self) -> float:
        return fmean(sign.sure for sign in self.signs)

    @property
    def worst(self) -> float:
        return min(sign.sure for sign in self.signs)

    @property
    def figures(self) -> int:
        return sum(sign.text.isdigit() for sign in self.signs)

    @property
    def is_number(self) -> bool:
        return self.figures > 0 and _IN_NUMBERS.issuperset(self.text)

    @property
    def is_of_few(self) -> bool:
        return len(self.signs) <= _FEW

    @property
    def is_surely_one(self) -> bool:
        """Whether it is none of the short words that are seen in letters of other scripts."""
        return self.sure >= _LEAST_OF_FEW and self.worst >= _LEAST_SURE and len(self.signs) > 1

    def is_latin(self, high: float) -> bool:
        """Tell whether it is a word in Latin letters that is read for certain."""
        along = self.signs[-1].at - self.signs[0].at + 2 * _EDGE * high
        if main_script(self.text) != "Latn" or len(self.signs) * high < LEAST_DENSITY * along:
            return False
        if len(self.signs) < 2 or (self.figures and self.is_of_few):
            return False
        return self.sure >= _LEAST_SURE and self.worst >= _LEAST_OF_A_SIGN


def is_whole(parts: Sequence[Part]) -> bool:
    """Tell whether no figures are among what was not read: they may be of the same number."""
    unread = " ".join(part.found.line.text for part in parts if not part.is_read)
    return not any(len(word) > 1 and _IN_NUMBERS.issuperset(word) for word in unread.split())


def parts_of(found: FoundLine, has_ink: HasInk) -> list[Part]:
    """Return the pieces of a line with a number that is sure, from left to right.

    Args:
        found: the line.
        has_ink: looks at a place where nothing was read, or nothing sure.

    Returns:
        The pieces; none if there is no such number, or nothing else that was not read.
    """
    if sum(sign.text.isdigit() for sign in found.signs) < 2 or _has_chinese(found):
        return []
    high = 1 / found.length
    words = list(_words(found, _FURTHEST * high))
    sure = _which_are_sure(words, high)
    if not any(each and word.is_number for each, word in zip(sure, words, strict=True)):
        return []
    return _parted(found, words, sure, has_ink)


def scripts_apart(found: FoundLine, has_ink: HasInk) -> list[FoundLine]:
    """Return the pieces of a line in two scripts, such as a form's; else the line.

    Args:
        found: the line.
        has_ink: looks at a place where nothing was read, or nothing sure.
    """
    if not found.signs or _has_chinese(found):
        return [found]
    high = 1 / found.length
    words = list(_words(found, _FURTHEST * high))
    sure = _which_are_sure(words, high)
    latin = [word for word, each in zip(words, sure, strict=True) if each and not word.is_number]
    if sum(len(word.signs) for word in latin) <= _FEW:
        return [found]
    parts = _parted(found, words, sure, has_ink)
    if not parts or not all(part.is_read or _is_of_other_letters(part) for part in parts):
        return [found]
    return [_apart(part, found.line.polygon, high) for part in parts]


def _apart(part: Part, polygon: Sequence[int], high: float) -> FoundLine:
    if part.is_read:
        return replace(part.found, is_beside=True)
    margin = _MARGIN * high
    start, end = part.start + margin * (part.start > 0), part.end - margin * (part.end < 1)
    line = part.found.line.model_copy(update={"polygon": part_of(polygon, start, end)})
    return replace(part.found, line=line, is_beside=True)


def _is_of_other_letters(part: Part) -> bool:
    """Tell whether what was read of a piece is no Latin word that is only blurred."""
    line = part.found.line
    return part.found.length >= _LEAST_OF_A_WORD and (
        line.confidence < _LEAST_OF_BLURRED or not part.is_latin
    )


def _parted(
    found: FoundLine, words: Sequence[_Word], sure: Sequence[bool], has_ink: HasInk
) -> list[Part]:
    high = 1 / found.length
    parts: list[Part] = []
    end, before = 0.0, list[_Word]()
    for is_sure, group in groupby(zip(sure, words, strict=True), key=lambda pair: pair[0]):
        some = [word for _, word in group]
        if not is_sure:
            before = some
            continue
        for run in _runs(some, high):
            left = max(run[0].signs[0].at - _EDGE * high, end)
            parts += _rest(found, (end, left), before, has_ink)
            before, start = [], left
            end = min(run[-1].signs[-1].at + _EDGE * high, 1.0)
            parts.append(Part(_piece(found, (start, end), run), True, start, end))
    parts += _rest(found, (end, 1.0), before, has_ink)
    return parts if any(not part.is_read for part in parts) else []


def _has_chinese(found: FoundLine) -> bool:
    """Tell whether there are Chinese or Japanese letters: they stand beside numbers unparted."""
    letters = [sign for sign in found.signs if main_script(sign.text) in CHINESE]
    sure = sum(sign.sure >= _LEAST_OF_CHINESE for sign in letters)
    return sure > 1 or (sure == 1 and len(found.line.text.split()) == 1)


def _words(found: FoundLine, furthest: float) -> Iterator[_Word]:
    rest = iter(found.signs)
    for word in found.line.text.split():
        signs = [next(rest) for _ in word]
        start = 0
        for place, (one, other) in enumerate(pairwise(signs), 1):
            if other.at - one.at > furthest:
                yield _Word(tuple(signs[start:place]))
                start = place
        yield _Word(tuple(signs[start:]))


def _which_are_sure(words: Sequence[_Word], high: float) -> list[bool]:
    """Return which words are read for certain."""
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
    for place, word in enumerate(words):
        if word.is_of_few and not word.is_number and not word.is_surely_one:
            sure[place] = all(sure[max(place - 1, 0) : place + 2])
    return sure


def _numbers(words: Sequence[_Word]) -> Iterator[tuple[int, int]]:
    """Return where words begin and end that make a number together."""
    for is_number, group in groupby(range(len(words)), key=lambda place: words[place].is_number):
        places = [*group]
        if is_number:
            yield places[0], places[-1] + 1


def _may_be_a_name(word: _Word) -> bool:
    return word.is_of_few and not word.is_surely_one and not word.text.startswith("+")


def _is_sure_number(words: Sequence[_Word]) -> bool:
    sure = [sign.sure for word in words for sign in word.signs]
    if len(sure) <= _FEW:
        return len(words) == 1 and words[0].is_surely_one
    return fmean(sure) >= _LEAST_SURE and min(sure) >= _LEAST_OF_A_FIGURE


def _runs(words: Sequence[_Word], high: float) -> Iterator[list[_Word]]:
    """Return words that follow each other, divided where something may stand between two."""
    run = [words[0]]
    for one, other in pairwise(words):
        if other.signs[0].at - one.signs[-1].at > (2 * _EDGE + _LEAST_ROOM) * high:
            yield run
            run = []
        run.append(other)
    yield run


def _rest(
    found: FoundLine, span: tuple[float, float], words: Sequence[_Word], has_ink: HasInk
) -> list[Part]:
    """Return the piece between two that are read, if something stands there."""
    if (span[1] - span[0]) * found.length < _LEAST_ROOM:
        return []
    piece = _piece(found, span, words)
    return [Part(piece, False, *span)] if has_ink(piece.line.polygon) else []


def _piece(found: FoundLine, span: tuple[float, float], words: Sequence[_Word]) -> FoundLine:
    signs = tuple(sign for word in words for sign in word.signs)
    line = TextLine(
        text=" ".join(word.text for word in words),
        confidence=round(fmean(sign.sure for sign in signs), 4) if signs else 0.0,
        polygon=part_of(found.line.polygon, *span),
    )
    return FoundLine(line, found.located, signs)
