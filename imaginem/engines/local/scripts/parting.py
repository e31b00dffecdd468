"""Parts a line of which PP-OCR read a number, or Latin words, and not what stands beside it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import fmean

from imaginem.engines.alphabets import main_script
from imaginem.engines.local.scripts.cutting import part_of
from imaginem.engines.local.scripts.gate import CHINESE, is_dense
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.seen_words import (
    EDGE,
    FEW,
    IN_NUMBERS,
    SeenWord,
    which_are_sure,
    words_of,
)
from imaginem.outputs import TextLine

_AT_WORDS = ".,:;'()"
_LEAST_OF_CHINESE = 0.9
"""One such letter."""
_MARGIN = 0.08
"""Between a piece and what stands beside it, whose stems are read as | else."""
_LEAST_ROOM = 0.7
"""Room for something that was not read, as a share of the line's height."""

_LEAST_OF_A_WORD = 1.0
"""Length of a word in another script beside Latin ones, as a multiple of its height."""
_LEAST_OF_BLURRED = 0.75
"""Score from which Latin letters that are not sure may be blurred ones."""

SeesNumbers = Callable[[FoundLine], bool]
"""Tells whether another reader sees the same numbers in a line."""
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
        return len(self.found.signs) > FEW


def is_whole(parts: Sequence[Part]) -> bool:
    """Tell whether no figures are among what was not read: they may be of the same number."""
    unread = " ".join(part.found.line.text for part in parts if not part.is_read)
    return not any(len(word) > 1 and IN_NUMBERS.issuperset(word) for word in unread.split())


def parts_of(found: FoundLine, has_ink: HasInk, sees_numbers: SeesNumbers) -> list[Part]:
    """Return the pieces of a line with a number that is sure, from left to right.

    Args:
        found: the line.
        has_ink: looks at a place where nothing was read, or nothing sure.
        sees_numbers: asks another reader, if a number is not sure.

    Returns:
        The pieces; none if there is no such number, or nothing else that was not read.
    """
    if sum(sign.text.isdigit() for sign in found.signs) < 2 or _has_chinese(found):
        return []
    words = words_of(found)
    sure = _which_are_sure(found, words, sees_numbers)
    if not any(each and word.is_number for each, word in zip(sure, words, strict=True)):
        return []
    return _parted(found, words, sure, has_ink)


def scripts_apart(found: FoundLine, has_ink: HasInk, sees_numbers: SeesNumbers) -> list[FoundLine]:
    """Return the pieces of a line in two scripts, such as a form's; else the line.

    Args:
        found: the line.
        has_ink: looks at a place where nothing was read, or nothing sure.
        sees_numbers: asks another reader, if a number is not sure.
    """
    if not found.signs or _has_chinese(found):
        return [found]
    high = 1 / found.length
    words = words_of(found)
    sure = _which_are_sure(found, words, sees_numbers)
    latin = [word for word, each in zip(words, sure, strict=True) if each and not word.is_number]
    if sum(len(word.signs) for word in latin) <= FEW:
        return [found]
    parts = _parted(found, words, sure, has_ink)
    if not parts or not all(part.is_read or _is_of_other_letters(part) for part in parts):
        return [found]
    return [_apart(part, found.line.polygon, high) for part in parts]


def _which_are_sure(
    found: FoundLine, words: Sequence[SeenWord], sees_numbers: SeesNumbers
) -> list[bool]:
    high = 1 / found.length
    sure = which_are_sure(words, high)
    doubted = (not each and word.is_number for each, word in zip(sure, words, strict=True))
    if not any(doubted) or not sees_numbers(found):
        return sure
    return which_are_sure(words, high, are_numbers_seen=True)


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
    found: FoundLine, words: Sequence[SeenWord], sure: Sequence[bool], has_ink: HasInk
) -> list[Part]:
    high = 1 / found.length
    parts: list[Part] = []
    end, before = 0.0, list[SeenWord]()
    for is_sure, group in groupby(zip(sure, words, strict=True), key=lambda pair: pair[0]):
        some = [word for _, word in group]
        if not is_sure:
            before = some
            continue
        for run in _runs(some, high):
            left = max(run[0].signs[0].at - EDGE * high, end)
            parts += _rest(found, (end, left), before, has_ink)
            before, start = [], left
            end = min(run[-1].signs[-1].at + EDGE * high, 1.0)
            parts.append(Part(_piece(found, (start, end), run), True, start, end))
    parts += _rest(found, (end, 1.0), before, has_ink)
    return parts if any(not part.is_read for part in parts) else []


def _has_chinese(found: FoundLine) -> bool:
    """Tell whether there are Chinese or Japanese letters: they stand beside numbers unparted."""
    letters = [sign for sign in found.signs if main_script(sign.text) in CHINESE]
    sure = sum(sign.sure >= _LEAST_OF_CHINESE for sign in letters)
    return sure > 1 or (sure == 1 and len(found.line.text.split()) == 1)


def _runs(words: Sequence[SeenWord], high: float) -> Iterator[list[SeenWord]]:
    """Return words that follow each other, divided where something may stand between two."""
    run = [words[0]]
    for one, other in pairwise(words):
        if other.signs[0].at - one.signs[-1].at > (2 * EDGE + _LEAST_ROOM) * high:
            yield run
            run = []
        run.append(other)
    yield run


def _rest(
    found: FoundLine, span: tuple[float, float], words: Sequence[SeenWord], has_ink: HasInk
) -> list[Part]:
    """Return the piece between two that are read, if something stands there."""
    if (span[1] - span[0]) * found.length < _LEAST_ROOM:
        return []
    piece = _piece(found, span, words)
    return [Part(piece, False, *span)] if has_ink(piece.line.polygon) else []


def _piece(found: FoundLine, span: tuple[float, float], words: Sequence[SeenWord]) -> FoundLine:
    signs = tuple(sign for word in words for sign in word.signs)
    line = TextLine(
        text=" ".join(word.text for word in words),
        confidence=round(fmean(sign.sure for sign in signs), 4) if signs else 0.0,
        polygon=part_of(found.line.polygon, *span),
    )
    return FoundLine(line, found.located, signs)
