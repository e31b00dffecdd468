"""Reads a photo's lines by script: PP-OCR's answer where it is sure, else that of Tesseract."""

from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.local.scripts.alphabets import (
    NAMES,
    main_script,
    scripts_in,
)
from imaginem.engines.local.scripts.choosing import (
    BELIEVED,
    BELIEVED_AGAIN,
    SURE,
    Answer,
    ReadLine,
    ScriptChooser,
)
from imaginem.engines.local.scripts.cutting import cut_line
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
from imaginem.engines.local.scripts.vietnamese import alike, is_fuller, looks_cut
from imaginem.outputs import TextLine

Array = NDArray[Any]

_LATIN = "Latn"
_KNOWN_TO_PP_OCR = (_LATIN, *CHINESE, "")
"""Scripts whose letters it knows all; it has some of Greek and loses those with marks."""
_MOST_SEARCHES = 3
"""Lines of a photo for which every reader is asked, and none is sure: more are patterns."""
_COMPARED = 4
"""Lines by which the language of a script is found; the longest ones."""
_LEAST_SEEN = 0.75
"""Score of PP-OCR from which a line is kept if another reader sees the same letters."""
_LEAST_LIKELY = 0.85
"""The same where it does not, but nobody reads another script in them: handwriting, for one."""
_FEW_LETTERS = 3
"""A reading of fewer says nothing about the script: patterns give one or two."""


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
        self._doubt_latin([number for number in self._read if number not in doubtful])
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
        """Read Latin lines again, if one of them lacks letters of Vietnamese."""
        if self._latin is None:
            return
        latin = [n for n, line in self._read.items() if line.script == _LATIN]
        suspected = [n for n in latin if looks_cut(self._read[n].text)]
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

    def _doubt_latin(self, numbers: Sequence[int]) -> None:
        """Ask once more about Latin letters beside lines in another script.

        PP-OCR is at times sure of Latin letters that it sees in those of others.
        """
        if self._latin is None or not self._scripts:
            return
        for number in numbers:
            line = self._read[number]
            if line.script != _LATIN:
                continue
            cut = self._cut(number)
            if alike(self._chooser.answer(cut, self._latin).reading.text, line.text):
                continue
            best = self._chooser.best(cut, self._scripts)
            if best is not None and best.belief >= BELIEVED:
                self._answers[number] = best

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
        if _is_likely(found.line):
            self._read[number] = with_script(found.line)
            return
        self._searches += found.is_worth_a_search
        if found.is_text:
            likeliest = best.reader.script if best is not None else ""
            self._read[number] = unreadable_line(
                found.line, self._known_script(found.line, likeliest)
            )

    def _is_believed(self, best: Answer, found: FoundLine) -> bool:
        script = best.reader.script
        if script in self._scripts:
            return best.belief >= BELIEVED_AGAIN
        if scripts_in(best.reading.text)[script] < _FEW_LETTERS:
            return False
        return best.belief >= (BELIEVED if found.length >= 3 else SURE)

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


def _is_likely(line: TextLine) -> bool:
    """Tell whether Latin letters of PP-OCR are rather there than not."""
    return (
        line.confidence >= _LEAST_LIKELY
        and main_script(line.text) in (_LATIN, "")
        and is_dense(line.text, line.polygon)
    )
