"""Reads a photo's lines by script: PP-OCR's answer where it is sure, else that of Tesseract."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.alphabets import (
    NAMES,
    main_script,
)
from imaginem.engines.local.scripts.choosing import (
    BELIEVED,
    BELIEVED_AGAIN,
    SURE,
    Answer,
    ReadLine,
    ScriptChooser,
)
from imaginem.engines.local.scripts.cutting import cut_line, is_ink_on_ground
from imaginem.engines.local.scripts.data import Reader
from imaginem.engines.local.scripts.gate import CHINESE, is_dense, is_mostly_number, is_read
from imaginem.engines.local.scripts.joining import joined
from imaginem.engines.local.scripts.languages import suited
from imaginem.engines.local.scripts.lines import (
    FoundLine,
    as_line,
    unreadable_line,
    with_script,
)
from imaginem.engines.local.scripts.vietnamese import alike, is_fuller, looks_cut, may_be_vietnamese
from imaginem.outputs import TextLine

Array = NDArray[Any]

_LATIN = "Latn"
_KNOWN_TO_PP_OCR = (_LATIN, *CHINESE, "")
"""Scripts whose letters it knows all; it has some of Greek and loses those with marks."""
_MOST_SEARCHES = 3
"""Lines of a photo for which every reader is asked, and none is sure: more are patterns."""
_MOST_OVER = 2
_LIKE_LATIN = ("Cyrl", "Grek")
_COMPARED = 4
"""Lines by which the language of a script is found; the longest ones."""
_LEAST_SEEN = 0.75
"""Score of PP-OCR from which a line is kept if another reader sees the same letters."""


class ScriptReader:
    """Reads lines in the scripts that PP-OCR does not know; for one thread at a time.

    Args:
        readers: those that there is data for, in the order in which they are tried first.
        read: reads a line with a model.
    """

    def __init__(self, readers: Iterable[Reader], read: ReadLine) -> None:
        readers = list(readers)
        others = [reader for reader in readers if reader.script != _LATIN]
        self._chooser = ScriptChooser(others, read)
        self._latin = next((reader for reader in readers if reader.script == _LATIN), None)

    def read(self, bgr: Array, found: Sequence[FoundLine]) -> list[TextLine]:
        """Return the lines with their scripts, those that nobody can read marked so.

        Args:
            bgr: the photo.
            found: its lines, in reading order; patterns among them are left out.
        """
        photo = _Photo(bgr, found, self._chooser, self._latin)
        return photo.lines()

    def over(self, bgr: Array, polygons: Sequence[Sequence[int]]) -> tuple[float, str]:
        """Return how far the best reading of lines upside down can be believed, and its script.

        Args:
            bgr: the photo.
            polygons: of the lines; two are read at most, since every reader is asked.
        """
        cuts = (cut_line(bgr, polygon)[::-1, ::-1] for polygon in polygons[:_MOST_OVER])
        return self._chooser.surest(map(np.ascontiguousarray, cuts))


class _Photo:
    """One photo's lines while they are read."""

    def __init__(
        self,
        bgr: Array,
        found: Sequence[FoundLine],
        chooser: ScriptChooser,
        latin: Reader | None,
    ) -> None:
        self._bgr, self._found = bgr, found
        self._chooser, self._latin = chooser, latin
        self._read: dict[int, TextLine] = {}
        self._answers: dict[int, Answer] = {}
        self._scripts: list[str] = []
        self._languages: dict[str, str] = {}
        self._searches = 0

    def lines(self) -> list[TextLine]:
        doubtful = []
        for number, each in enumerate(self._found):
            line = each.line
            if main_script(line.text) in _KNOWN_TO_PP_OCR and is_read(
                line.text, line.confidence, line.polygon
            ):
                self._read[number] = with_script(line)
            else:
                doubtful.append(number)
        self._mend_vietnamese()
        # The longest first: they tell best which script the photo is in.
        for number in sorted(doubtful, key=self._length, reverse=True):
            self._decide(number)
        self._ask_again()
        self._doubt_other_scripts()
        if self._scripts:
            self._doubt_latin(doubtful)
        self._choose_languages()
        for number, answer in self._answers.items():
            language = self._languages.get(answer.reader.script, "")
            self._read[number] = as_line(answer, self._found[number].line.polygon, language)
        lines = [self._read[number] for number in sorted(self._read)]
        return joined(lines, frozenset(self._scripts))

    def _length(self, number: int) -> float:
        return self._found[number].length

    def _cut(self, number: int) -> Array:
        return cut_line(self._bgr, self._found[number].line.polygon)

    def _mend_vietnamese(self) -> None:
        """Read Latin lines again, if one lacks letters of Vietnamese, or all look like it."""
        if self._latin is None:
            return
        latin = [n for n, line in self._read.items() if line.script == _LATIN]
        texts = [self._read[number].text for number in latin]
        every = may_be_vietnamese(texts)
        suspected = [n for n, text in zip(latin, texts, strict=True) if every or looks_cut(text)]
        if any([self._mend(number) for number in suspected]):
            for number in latin:
                if number not in suspected:
                    self._mend(number)

    def _mend(self, number: int) -> bool:
        assert self._latin is not None  # noqa: S101 - the caller looked
        answer = self._chooser.answer(self._cut(number), self._latin)
        line = self._read[number]
        if answer.belief < SURE or not is_fuller(answer.reading.text, line.text):
            return False
        self._read[number] = as_line(answer, line.polygon, "vi")
        return True

    def _doubt_latin(self, doubtful: Collection[int]) -> None:
        """Ask once more about Latin letters beside lines in another script.

        PP-OCR is at times sure of Latin letters that it sees in those of others. A second reader
        of Latin letters sees them as well in Greek and Cyrillic ones.

        Args:
            doubtful: lines of which PP-OCR was less sure.
        """
        alike_scripts = [script for script in self._scripts if script in _LIKE_LATIN]
        for number in [n for n, line in self._read.items() if line.script == _LATIN]:
            cut = self._cut(number)
            is_sure = number not in doubtful and self._looks_latin(number, cut)
            best = self._chooser.best(cut, alike_scripts if is_sure else self._scripts)
            if best is not None and best.belief >= (SURE if is_sure else BELIEVED):
                self._answers[number] = best

    def _looks_latin(self, number: int, cut: Array) -> bool:
        """Tell whether another reader sees the same Latin letters, if there is one."""
        if self._latin is None:
            return True
        reading = self._chooser.answer(cut, self._latin).reading
        return alike(reading.text, self._read[number].text)

    def _decide(self, number: int) -> None:
        """Find out who can read a line that PP-OCR did not."""
        found = self._found[number]
        if self._is_seen(number):
            self._read[number] = with_script(found.line)
            return
        scripts = self._to_try(found)
        best = self._chooser.best(self._cut(number), scripts, self._scripts) if scripts else None
        if best is not None and self._is_believed(best, found):
            self._answers[number] = best
            script = best.reader.script
            if best.belief >= SURE:
                self._chooser.remember(script)
            if script not in self._scripts:
                self._scripts.append(script)
            return
        if found.is_likely:
            self._read[number] = with_script(found.line)
            return
        self._searches += found.is_worth_a_search
        if found.is_text or (found.may_be_text and is_ink_on_ground(self._bgr, found.line.polygon)):
            likeliest = best.reader.script if best is not None else ""
            self._read[number] = unreadable_line(
                found.line, self._known_script(found.line, likeliest)
            )

    def _ask_again(self) -> None:
        """Read what was unreadable before lines told the photo's scripts: less is asked of it then.

        The longest line comes first, and with a year or a number in it is often not sure enough.
        """
        unread = [number for number, line in self._read.items() if line.unreadable]
        for number in unread if self._scripts else ():
            best = self._chooser.best(self._cut(number), self._scripts)
            if best is not None and self._is_believed(best, self._found[number]):
                self._answers[number] = best

    def _doubt_other_scripts(self) -> None:
        """Ask the reader of most lines about those in another script: one may be wrong and sure.

        A wrong one hardly reaches 0.7, so lines that are in another script stay.
        """
        counts = Counter(answer.reader.script for answer in self._answers.values())
        if len(counts) < 2:
            return
        main = counts.most_common(1)[0][0]
        for number, answer in self._answers.items():
            if answer.reader.script != main and counts[answer.reader.script] < counts[main]:
                other = self._chooser.best(self._cut(number), [main])
                if other is not None and other.belief >= BELIEVED:
                    self._answers[number] = other

    def _is_believed(self, best: Answer, found: FoundLine) -> bool:
        return best.is_believed(best.reader.script in self._scripts, found.length)

    def _is_seen(self, number: int) -> bool:
        """Tell whether the letters that PP-OCR is less sure of are there.

        It writes Latin ones for other scripts too, so these need a second reader.
        """
        line = self._found[number].line
        script = main_script(line.text)
        if line.confidence < _LEAST_SEEN or script not in _KNOWN_TO_PP_OCR:
            return False
        if script in CHINESE:
            return is_dense(line.text, line.polygon)
        if self._latin is None or sum(map(str.isalnum, line.text)) < 2:
            return False
        reading = self._chooser.answer(self._cut(number), self._latin).reading
        seen, read = reading.text, line.text
        if is_mostly_number(read):  # the same number is not the same name before it
            seen, read = ("".join(filter(str.isalpha, text)) for text in (seen, read))
        return reading.confidence >= BELIEVED_AGAIN and alike(seen, read)

    def _to_try(self, found: FoundLine) -> list[str]:
        """Return the scripts of the photo, then those to look among if the line is long enough."""
        seen = main_script(found.line.text)
        first = [*self._scripts, *([seen] if seen in self._chooser.scripts else [])]
        if found.is_worth_a_search and self._searches < _MOST_SEARCHES:
            first += self._chooser.scripts
        return list(dict.fromkeys(first))

    def _known_script(self, line: TextLine, likeliest: str) -> str:
        """Return the script of a line that nobody can read; empty where nobody knows.

        That a reader is surer than the others does not tell it: one always is.
        """
        seen = main_script(line.text)
        if seen in NAMES and seen != _LATIN:
            return seen
        return likeliest if likeliest in self._scripts else ""

    def _choose_languages(self) -> None:
        """Read lines again with the data of the photo's language, where a script has several."""
        for script in self._scripts:
            readers = self._chooser.of_script(script)
            numbers = [n for n, answer in self._answers.items() if answer.reader.script == script]
            if len(readers) < 2:
                continue
            numbers.sort(key=self._length, reverse=True)
            compared = numbers[:_COMPARED]
            answers = {one: [self._again(n, one) for n in compared] for one in readers}
            choice = suited(answers)
            self._languages[script] = choice.language
            for place, number in enumerate(numbers):
                self._answers[number] = (
                    answers[choice.reader][place]
                    if place < _COMPARED
                    else self._again(number, choice.reader)
                )

    def _again(self, number: int, reader: Reader) -> Answer:
        answer = self._answers[number]
        if answer.reader == reader:
            return answer
        return self._chooser.answer(self._cut(number), reader)
