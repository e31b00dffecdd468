"""Takes figures from PP-OCR: data of other scripts loses some, or reads others."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import groupby

from imaginem.engines.alphabets import RIGHT_TO_LEFT, figures_of
from imaginem.engines.local.scripts.choosing import Answer
from imaginem.engines.local.scripts.cutting import along_cut
from imaginem.engines.local.scripts.parting import Part, is_whole
from imaginem.engines.local.scripts.tesseract import Reading, ReadWord, sure_by_signs

AT_THE_END = ".,:;"
"""Signs behind a number that are not a part of it."""
HEBREW = "Hebr"
_LIKE_HEBREW = re.compile("[01279]{3,}")


def with_figures(answer: Answer, parts: Sequence[Part], polygon: Sequence[int]) -> Answer:
    """Return an answer with the numbers that PP-OCR read, in place of the reader's.

    Args:
        answer: what a reader made of the line.
        parts: of the line, from left to right.
        polygon: of the line.

    Returns:
        The answer; as it was where it has another count of numbers between its words.
    """
    if not is_whole(parts):
        return answer
    reading, backwards = answer.reading, answer.reader.script in RIGHT_TO_LEFT
    words = reading.words or tuple(
        ReadWord(word, reading.confidence, 0, 0) for word in reading.text.split()
    )
    groups = [(is_number, [*group]) for is_number, group in groupby(words, is_mostly_figures)]
    order = parts[::-1] if backwards else parts
    if order and order[0].is_read and groups and not groups[0][0]:
        groups.insert(0, (True, []))
    if order and order[-1].is_read and groups and not groups[-1][0]:
        groups.append((True, []))
    if [is_number for is_number, _ in groups] != [part.is_read for part in order]:
        return answer
    told: list[ReadWord] = []
    for part, (is_number, group) in zip(order, groups, strict=True):
        told += [_number(part, group, backwards, polygon)] if is_number else group
    mended = reading_of(told)
    return replace(answer, reading=mended if reading.words else replace(mended, words=()))


def reading_of(words: Sequence[ReadWord]) -> Reading:
    """Return words as a reading, whose confidence is that of their signs in the mean."""
    return Reading(" ".join(word.text for word in words), sure_by_signs(words), tuple(words))


def is_mostly_figures(word: ReadWord) -> bool:
    """Tell whether a word is a number, or looks like one that was read in part."""
    figures = len(figures_of(word.text))
    return figures > 0 and figures >= sum(map(str.isalpha, word.text))


def may_be_hebrew(text: str) -> bool:
    """Tell whether a number has a group that PP-OCR may have seen in Hebrew letters.

    It takes two words of three letters for 117 717, a word of five for 11970, and is sure of it.
    """
    return not any(map(str.isalpha, text)) and any(map(_LIKE_HEBREW.fullmatch, text.split()))


def has_all_numbers(answer: Answer, text: str) -> bool:
    """Tell whether a Hebrew answer has all that PP-OCR saw but for what may be its letters.

    Args:
        answer: what a reader made of the line.
        text: of the line, in the eyes of PP-OCR.
    """
    if answer.reader.script != HEBREW:
        return False
    seen, own = _numbers_in(text), _numbers_in(answer.reading.text)
    more = seen - own
    return bool(more) and not own - seen and all(map(_LIKE_HEBREW.fullmatch, more))


def _numbers_in(text: str) -> Counter[str]:
    words = [word.rstrip(AT_THE_END) for word in text.split()]
    return Counter(word for word in words if figures_of(word) and not any(map(str.isalpha, word)))


def _number(
    part: Part, replaced: Sequence[ReadWord], backwards: bool, polygon: Sequence[int]
) -> ReadWord:
    """Return a number as a word; its groups run from right to left in some lines that do."""
    line = part.found.line
    ways = [line.text]
    if backwards:
        ways.append(" ".join(reversed(line.text.split())))
    seen = " ".join(word.text for word in replaced)
    text = max(ways, key=lambda way: SequenceMatcher(None, way, seen).ratio())
    if lacks_some(text, seen):
        text = seen
    return ReadWord(text, line.confidence, *along_cut((part.start, part.end), polygon))


def lacks_some(text: str, other: str) -> bool:
    """Tell whether a number lacks figures that another reading of it has."""
    figures, more = ("".join(filter(str.isdigit, each)) for each in (text, other))
    rest = iter(more)
    return len(more) > len(figures) and all(figure in rest for figure in figures)
