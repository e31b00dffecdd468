"""Reads a photo's lines by script: PP-OCR's answer where it is sure, else that of Tesseract."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.alphabets import NAMES, main_script
from imaginem.engines.local.scripts.apart import LIKE_LATIN, apart
from imaginem.engines.local.scripts.choosing import (
    BELIEVED,
    BELIEVED_TWICE,
    SURE,
    Answer,
    ReadLine,
    ScriptChooser,
    letters_of,
)
from imaginem.engines.local.scripts.cutting import cut_line, has_letters, is_ink_on_ground
from imaginem.engines.local.scripts.data import Reader
from imaginem.engines.local.scripts.figures import with_figures
from imaginem.engines.local.scripts.gate import is_read
from imaginem.engines.local.scripts.joining import joined
from imaginem.engines.local.scripts.languages import suited
from imaginem.engines.local.scripts.lines import FoundLine, as_line, unreadable_line, with_script
from imaginem.engines.local.scripts.parting import Part, parts_of
from imaginem.engines.local.scripts.second_look import KNOWN_TO_PP_OCR, LATIN, SecondLook
from imaginem.engines.local.scripts.vietnamese import alike
from imaginem.outputs import TextLine

Array = NDArray[Any]

_MOST_SEARCHES = 3
"""Lines of a photo for which every reader is asked, and none is sure: more are patterns."""
_MOST_OVER = 2
_COMPARED = 4
"""Lines by which the language of a script is found; the longest ones."""
_TAKEN_FOR = ("Thai",)
"""Scripts that lines in one without data look like, Lao in Thai: some of these lines are as sure,
but not all of them."""


class ScriptReader:
    """Reads lines in the scripts that PP-OCR does not know; for one thread at a time.

    Args:
        readers: those that there is data for, in the order in which they are tried first.
        read: reads a line with a model.
    """

    def __init__(self, readers: Iterable[Reader], read: ReadLine) -> None:
        readers = list(readers)
        others = [reader for reader in readers if reader.script != LATIN]
        self._chooser = ScriptChooser(others, read)
        self._latin = next((reader for reader in readers if reader.script == LATIN), None)

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
        self._bgr, self._chooser = bgr, chooser
        read = partial(chooser.answer, reader=latin) if latin is not None else None
        self._look = SecondLook(bgr, read)
        self._found = [piece for each in found for piece in apart(each, bgr, self._look, chooser)]
        has_ink = partial(has_letters, bgr)
        self._parts = [parts_of(each, has_ink) for each in self._found]
        self._unread = [[each for each in parts if not each.is_read] for parts in self._parts]
        self._read: dict[int, TextLine] = {}
        self._parted: dict[int, list[TextLine]] = {}
        self._answers: dict[int, Answer] = {}
        self._scripts: list[str] = []
        self._languages: dict[str, str] = {}
        self._searches = 0

    def lines(self) -> list[TextLine]:
        doubtful = []
        for number, each in enumerate(self._found):
            line = each.line
            if (
                main_script(line.text) in KNOWN_TO_PP_OCR
                and is_read(line.text, line.confidence, line.polygon)
                and not self._parts[number]
            ):
                self._read[number] = with_script(line)
            else:
                doubtful.append(number)
        # The longest first: they tell best which script the photo is in.
        for number in sorted(doubtful, key=self._length, reverse=True):
            self._decide(number)
        self._read |= self._look.vietnamese(
            {n: line for n, line in self._read.items() if self._parts[n] or n not in doubtful}
        )
        self._ask_again()
        self._doubt_other_scripts()
        self._doubt_taken_for()
        if self._scripts:
            self._doubt_latin(doubtful)
        self._choose_languages()
        for number, answer in self._answers.items():
            polygon = self._found[number].line.polygon
            language = self._languages.get(answer.reader.script, "")
            told = with_figures(answer, self._parts[number], polygon)
            self._read[number] = as_line(told, polygon, language)
        pieces = self._parted | {number: [line] for number, line in self._read.items()}
        lines = [line for number in sorted(pieces) for line in pieces[number]]
        return joined(lines, frozenset(self._scripts))

    def _length(self, number: int) -> float:
        return self._found[number].length

    def _cut(self, number: int) -> Array:
        return cut_line(self._bgr, self._found[number].line.polygon)

    def _doubt_latin(self, doubtful: Collection[int]) -> None:
        """Ask once more about Latin letters beside lines in another script.

        PP-OCR is at times sure of Latin letters that it sees in those of others. A second reader
        of Latin letters sees them as well in Greek and Cyrillic ones.

        Args:
            doubtful: lines of which PP-OCR was less sure.
        """
        alike_scripts = [script for script in self._scripts if script in LIKE_LATIN]
        for number in [n for n, line in self._read.items() if line.script == LATIN]:
            cut = self._cut(number)
            is_sure = number not in doubtful and self._look.sees(self._read[number])
            best = self._chooser.best(cut, alike_scripts if is_sure else self._scripts)
            least = SURE if is_sure else BELIEVED
            if self._found[number].is_beside:
                least = max(least, self._look.belief(self._read[number]))
            if best is not None and best.belief >= least:
                self._answers[number] = best

    def _decide(self, number: int) -> None:
        """Find out who can read a line that PP-OCR did not."""
        found = self._found[number]
        if self._look.keeps(found, self._unread[number]):
            self._read[number] = with_script(found.line)
            return
        scripts = self._to_try(found)
        best = self._chooser.best(self._cut(number), scripts, self._scripts) if scripts else None
        if best is not None and self._is_believed(best, number):
            self._answers[number] = best
            script = best.reader.script
            if best.belief >= SURE:
                self._chooser.remember(script)
            if script not in self._scripts:
                self._scripts.append(script)
            return
        if found.is_likely and not self._parts[number]:
            self._read[number] = with_script(found.line)
            return
        self._searches += found.is_worth_a_search
        is_short_text = found.may_be_text and is_ink_on_ground(self._bgr, found.line.polygon)
        if found.is_text or is_short_text or self._parts[number]:
            self._give_up(number, best.reader.script if best is not None else "")

    def _part_alone(self, part: Part) -> TextLine:
        """Return a piece of a line that nobody read whole: a number, or what is beside it."""
        if part.is_read or self._look.keeps_part(part):
            return with_script(part.found.line)
        return unreadable_line(part.found.line, self._known_script(part.found.line, ""))

    def _ask_again(self) -> None:
        """Read what was unreadable before lines told the photo's scripts: less is asked of it then.

        The longest line comes first, and with a year or a number in it is often not sure enough.
        """
        unread = [number for number, line in self._read.items() if line.unreadable]
        for number in [*unread, *self._parted] if self._scripts else ():
            best = self._chooser.best(self._cut(number), self._scripts)
            if best is not None and self._is_believed(best, number):
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

    def _doubt_taken_for(self) -> None:
        """Leave out lines that are in the mean less sure than one of their script must be."""
        for script in _TAKEN_FOR:
            answers = {n: a for n, a in self._answers.items() if a.reader.script == script}
            if answers and fmean(answer.belief for answer in answers.values()) < BELIEVED:
                for number in answers:
                    del self._answers[number]
                    self._give_up(number)
                self._scripts.remove(script)

    def _give_up(self, number: int, likeliest: str = "") -> None:
        """Say that a line can't be read, or what of it can't be."""
        if self._parts[number]:
            self._parted[number] = [self._part_alone(part) for part in self._parts[number]]
        else:
            line = self._found[number].line
            self._read[number] = unreadable_line(line, self._known_script(line, likeliest))

    def _is_believed(self, best: Answer, number: int) -> bool:
        known = best.reader.script in self._scripts
        length, unread = self._found[number].length, self._unread[number]
        if unread and not (known and best.belief >= SURE):
            again = self._again_alone(best, [part.found.line.polygon for part in unread])
            return again is not None and again.is_believed(known, length, BELIEVED_TWICE)
        return best.is_believed(known, length)

    def _again_alone(self, best: Answer, polygons: Sequence[Sequence[int]]) -> Answer | None:
        """Return an answer as it is believed once its reader saw the line without the number.

        What a reader sees in letters of another script is by chance, and differs: None.
        """
        again = [self._chooser.answer(cut_line(self._bgr, each), best.reader) for each in polygons]
        if not alike(letters_of(best), "".join(map(letters_of, again))):
            return None
        return replace(best, belief=fmean((best.belief, min(each.belief for each in again))))

    def _to_try(self, found: FoundLine) -> list[str]:
        """Return the scripts of the photo, then those to look among if the line is long enough."""
        seen = main_script(found.line.text)
        first = [*self._scripts, *([seen] if seen in self._chooser.scripts else [])]
        is_text = found.is_surely_text or is_ink_on_ground(self._bgr, found.line.polygon)
        if is_text and found.is_worth_a_search and self._searches < _MOST_SEARCHES:
            first += self._chooser.scripts
        return list(dict.fromkeys(first))

    def _known_script(self, line: TextLine, likeliest: str) -> str:
        """Return the script of a line that nobody can read; empty where nobody knows.

        That a reader is surer than the others does not tell it: one always is.
        """
        seen = main_script(line.text)
        if seen in NAMES and seen != LATIN:
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
