"""A second look at Latin letters: PP-OCR writes them where other letters stand, and loses marks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.alphabets import RIGHT_TO_LEFT, main_script
from imaginem.engines.local.scripts.both_readers import is_same_number
from imaginem.engines.local.scripts.choosing import BELIEVED_AGAIN, SURE, Answer, letters_of
from imaginem.engines.local.scripts.cutting import cut_line
from imaginem.engines.local.scripts.figures import has_all_numbers, with_figures
from imaginem.engines.local.scripts.gate import CHINESE, LEAST_SCORE, is_dense, is_mostly_number
from imaginem.engines.local.scripts.lines import FoundLine, as_line
from imaginem.engines.local.scripts.numbers_again import may_lack_figures, with_numbers_again
from imaginem.engines.local.scripts.parting import Part
from imaginem.engines.local.scripts.tesseract import Reading, ReadWord
from imaginem.engines.local.scripts.vietnamese import (
    alike,
    is_fuller,
    is_vietnamese,
    looks_cut,
    may_be_vietnamese,
)
from imaginem.outputs import TextLine

Array = NDArray[Any]

LATIN = "Latn"
KNOWN_TO_PP_OCR = (LATIN, *CHINESE, "")
"""Scripts whose letters it knows all; it has some of Greek and loses those with marks."""
_LEAST_SEEN = 0.75
"""Score of PP-OCR from which a line is kept if another reader sees the same letters."""
_LEAST_LETTERS = 4
"""Beside a number: fewer are seen by both readers where other letters stand."""

_LEAST_FULLER = 0.67
"""Belief of a line from which letters are taken that PP-OCR lacks, if the others are the same."""
_SPECKS = "\u201c\u2018'\"_\u2014- "
"""What is read of the ground before a line."""

ReadLatin = Callable[[Array], Answer]


class SecondLook:
    """Looks at a photo's Latin lines with another reader.

    Args:
        bgr: the photo.
        read: reads a cut line as Latin letters; None where there is no data for it.
    """

    def __init__(self, bgr: Array, read: ReadLatin | None) -> None:
        self._bgr, self._read = bgr, read
        self._answers: dict[tuple[int, ...], Answer] = {}

    def _answer(self, line: TextLine) -> Answer | None:
        """Return what it makes of a line, which is asked for more than once; None without it."""
        if self._read is None:
            return None
        place = tuple(line.polygon)
        if place not in self._answers:
            self._answers[place] = self._read(cut_line(self._bgr, line.polygon))
        return self._answers[place]

    def sees(self, line: TextLine) -> bool:
        """Tell whether it sees the same letters; true without a reader."""
        answer = self._answer(line)
        return answer is None or alike(answer.reading.text, line.text)

    def sees_numbers(self, found: FoundLine) -> bool:
        """Tell whether it sees the same figures in a line."""
        answer = self._answer(found.line)
        return answer is not None and is_same_number(found, answer.reading.text)

    def text(self, lines: Iterable[TextLine]) -> str | None:
        """Return what it reads in places of the photo, one after the other; None without it."""
        answers = [answer for each in lines if (answer := self._answer(each))]
        return " ".join(answer.reading.text for answer in answers) if answers else None

    def reading(self, line: TextLine) -> Reading | None:
        """Return what it reads in the place of a line; None without a reader."""
        answer = self._answer(line)
        return answer.reading if answer else None

    def with_numbers(self, answer: Answer, line: TextLine, parts: Sequence[Part]) -> Answer:
        """Return another reader's answer with its numbers as most readers see them.

        Args:
            answer: whose reader may lose figures.
            line: as PP-OCR read it.
            parts: of the line, from left to right.
        """
        if has_all_numbers(answer, line.text):
            return answer
        answer = with_figures(answer, parts, line.polygon)
        runs_left = answer.reader.script in RIGHT_TO_LEFT
        latin = self.reading(line) if may_lack_figures(answer.reading, runs_left) else None
        if latin is None:
            return answer
        told = with_numbers_again(answer.reading, latin, line.text, runs_left)
        return replace(answer, reading=told)

    def belief(self, line: TextLine) -> float:
        """Return how far its own reading can be believed, from 0 to 1."""
        answer = self._answer(line)
        return answer.belief if answer else 0.0

    def is_vietnamese(self, line: TextLine) -> bool:
        """Tell whether it is sure of a line, and sees letters of Vietnamese in it."""
        answer = self._answer(line)
        return (
            answer is not None
            and answer.belief >= SURE
            and any(map(is_vietnamese, answer.reading.text))
        )

    def _reads_all(self, line: TextLine) -> bool:
        """Tell whether it is sure of the whole line, and sees about the same: Vietnamese, say."""
        answer = self._answer(line) if main_script(line.text) == LATIN else None
        if answer is None:
            return False
        letters = letters_of(answer)
        return (
            answer.belief >= SURE
            and len(letters) >= _LEAST_LETTERS
            and alike(letters, _only(str.isalpha, line.text))
        )

    def keeps(self, found: FoundLine, unread: Sequence[Part]) -> bool:
        """Tell whether what PP-OCR read of a line is there though it was not sure.

        Args:
            found: the line.
            unread: its parts that were not read surely, where it has any.
        """
        if not unread:
            return self._is_seen(found)
        return all(map(self.keeps_part, unread)) or self._reads_all(found.line)

    def keeps_part(self, part: Part) -> bool:
        """Tell whether the Latin letters that PP-OCR saw beside a number are there."""
        if not part.is_latin:
            return False
        is_likely = part.is_longer and (part.found.is_likely or self._is_seen(part.found))
        return is_likely or part.found.line.confidence >= LEAST_SCORE

    def vietnamese(self, lines: Mapping[int, TextLine]) -> dict[int, TextLine]:
        """Return Latin lines read again, if one lacks letters of Vietnamese, or all look like it.

        Args:
            lines: of PP-OCR, by their numbers.
        """
        if self._read is None:
            return {}
        latin = {number: line for number, line in lines.items() if line.script == LATIN}
        every = may_be_vietnamese(line.text for line in latin.values())
        suspected = [n for n, line in latin.items() if every or looks_cut(line.text)]
        mended = {n: line for n in suspected if (line := self._fuller(latin[n]))}
        others = [number for number in latin if number not in suspected] if mended else []
        return mended | {n: line for n in others if (line := self._fuller(latin[n]))}

    def _fuller(self, line: TextLine) -> TextLine | None:
        answer = self._answer(line)
        if answer is None or answer.belief < _LEAST_FULLER:
            return None
        if not is_fuller(answer.reading.text, line.text):
            return None
        return as_line(_without_specks(answer, line.text), line.polygon, "vi")

    def _is_seen(self, found: FoundLine) -> bool:
        line = found.line
        script = main_script(line.text)
        if line.confidence < _LEAST_SEEN or script not in KNOWN_TO_PP_OCR:
            return False
        if script in CHINESE:
            return is_dense(line.text, line.polygon)
        if sum(map(str.isalnum, line.text)) < 2 or (reading := self.reading(line)) is None:
            return False
        seen, read = reading.text, line.text
        if is_mostly_number(read):  # the same number is not the same name before it
            if not alike(_only(str.isdigit, seen), _only(str.isdigit, read)):
                return False
            seen, read = _only(str.isalpha, seen), _only(str.isalpha, read)
        return reading.confidence >= BELIEVED_AGAIN and alike(seen, read)


def _only(kind: Callable[[str], bool], text: str) -> str:
    return "".join(filter(kind, text))


def _without_specks(answer: Answer, seen: str) -> Answer:
    """Return an answer without signs before its first letter that PP-OCR does not see."""
    text = answer.reading.text.lstrip(_SPECKS)
    if seen[:1] in _SPECKS or text == answer.reading.text:
        return answer
    dropped = len(answer.reading.text) - len(text)
    words: list[ReadWord] = []
    for word in answer.reading.words:
        kept = word.text[dropped:]
        dropped = max(dropped - len(word.text) - 1, 0)
        if kept:
            words.append(replace(word, text=kept))
    return replace(answer, reading=replace(answer.reading, text=text, words=tuple(words)))
