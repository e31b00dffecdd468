"""The lines of one photo: who reads each, and what is doubted once all are read."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.alphabets import main_script
from imaginem.engines.local.scripts.apart import LIKE_LATIN, apart
from imaginem.engines.local.scripts.beside import may_be_a_word
from imaginem.engines.local.scripts.choosing import (
    BELIEVED,
    SURE,
    Answer,
    ScriptChooser,
)
from imaginem.engines.local.scripts.cutting import cut_line, has_letters, is_ink_on_ground
from imaginem.engines.local.scripts.data import Reader
from imaginem.engines.local.scripts.doubts import (
    believed,
    doubted_scripts,
    is_beyond_doubt,
    is_blurred,
    is_round_number,
    shaky_scripts,
)
from imaginem.engines.local.scripts.figures import HEBREW, may_be_hebrew
from imaginem.engines.local.scripts.gate import is_read
from imaginem.engines.local.scripts.joining import joined
from imaginem.engines.local.scripts.languages import in_one_language
from imaginem.engines.local.scripts.lines import (
    FoundLine,
    as_line,
    script_seen,
    unreadable_line,
    with_script,
)
from imaginem.engines.local.scripts.parting import Part, parts_of
from imaginem.engines.local.scripts.second_look import KNOWN_TO_PP_OCR, LATIN, SecondLook
from imaginem.engines.local.scripts.seen_twice import SeenTwice
from imaginem.outputs import TextLine

Array = NDArray[Any]

_MOST_OF_A_WORD = 10
"""Letters of a photo's text that PP-OCR may see in one word of another script."""
_MOST_SEARCHES = 3
"""Lines of a photo for which every reader is asked, and none is sure: more are patterns."""


class PhotoLines:
    """One photo's lines while they are read.

    Args:
        bgr: the photo.
        found: its lines, in reading order.
        chooser: asks the readers of scripts other than Latin.
        latin: reads Latin letters; None where there is no data for it.
    """

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
        self._parts = [parts_of(each, has_ink, self._look.sees_numbers) for each in self._found]
        self._unread = [[each for each in parts if not each.is_read] for parts in self._parts]
        self._twice = SeenTwice(bgr, chooser, self._unread)
        self._read: dict[int, TextLine] = {}
        self._parted: dict[int, list[TextLine]] = {}
        self._answers: dict[int, Answer] = {}
        self._scripts: list[str] = []
        self._languages: dict[str, str] = {}
        self._left_out: list[int] = []
        self._searches = 0
        self._suspected: list[str] = []

    def lines(self) -> list[TextLine]:
        """Return them with their scripts, those that nobody can read marked so."""
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
        self._doubt_figures()
        self._doubt_a_lone_word()
        self._doubt_other_scripts()
        self._doubt_shaky_scripts()
        if self._scripts:
            self._doubt_latin(doubtful)
        self._say_short_ones()
        self._choose_languages()
        for number, answer in self._answers.items():
            polygon = self._found[number].line.polygon
            language = self._languages.get(answer.reader.script, "")
            told = self._look.with_numbers(answer, self._found[number].line, self._parts[number])
            self._read[number] = as_line(told, polygon, language)
        pieces = self._parted | {number: [line] for number, line in self._read.items()}
        return joined([*self._doubt_pp_ocr(pieces)], frozenset(self._scripts))

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
            if best.belief >= SURE:
                self._chooser.remember(best.reader.script)
            self._take(number, best)
            return
        if (found.is_likely or found.is_plainly_latin) and not self._parts[number]:
            self._read[number] = with_script(found.line)
            return
        if best is not None and self._twice.is_suspected(best, number):
            self._suspected.append(best.reader.script)
        self._searches += found.is_worth_a_search
        is_short_text = found.may_be_text and is_ink_on_ground(self._bgr, found.line.polygon)
        if found.is_text or is_short_text or self._parts[number]:
            self._give_up(number, best.reader.script if best is not None else "")
        else:
            self._left_out.append(number)

    def _take(self, number: int, answer: Answer) -> None:
        self._answers[number] = answer
        if answer.reader.script not in self._scripts:
            self._scripts.append(answer.reader.script)

    def _part_alone(self, part: Part) -> TextLine:
        """Return a piece of a line that nobody read whole: a number, or what is beside it."""
        if part.is_read or self._look.keeps_part(part):
            return with_script(part.found.line)
        return unreadable_line(part.found.line, script_seen(part.found.line.text))

    def _ask_again(self) -> None:
        """Read what was unreadable before lines told the photo's scripts: less is asked of it then.

        The longest line comes first, and with a year or a number in it is often not sure enough.
        """
        unread = [number for number, line in self._read.items() if line.unreadable]
        for number in [*unread, *self._parted] if self._scripts else ():
            best = self._chooser.best(self._cut(number), self._scripts)
            if best is not None and self._is_believed(best, number):
                self._answers[number] = best

    def _doubt_figures(self) -> None:
        """Ask about figures that PP-OCR sees in Hebrew letters, and is sure of."""
        scripts = [script for script in self._chooser.scripts if script == HEBREW]
        for number in [n for n, line in self._read.items() if scripts and may_be_hebrew(line.text)]:
            best = self._chooser.best(self._cut(number), scripts)
            if best is not None and self._is_believed(best, number):
                self._take(number, best)

    def _doubt_a_lone_word(self) -> None:
        """Ask about a photo's only word: PP-OCR is at times sure of Latin letters in other ones."""
        letters = sum(map(str.isalpha, "".join(line.text for line in self._read.values())))
        if letters > _MOST_OF_A_WORD or self._answers:
            return
        for number in [n for n, line in self._read.items() if line.script == LATIN]:
            if is_beyond_doubt(self._found[number]) or self._look.sees(self._read[number]):
                continue
            best = self._chooser.best(self._cut(number), self._chooser.scripts)
            if best is not None and best.is_believed(False, self._found[number].length):
                self._take(number, best)

    def _doubt_other_scripts(self) -> None:
        """Ask the reader of most lines about those in another script: one may be wrong and sure."""
        beside = {number for number, unread in enumerate(self._unread) if unread}
        for number, main, least in doubted_scripts(self._answers, beside):
            other = self._chooser.best(self._cut(number), [main])
            if other is not None and other.belief >= least:
                self._answers[number] = other

    def _doubt_shaky_scripts(self) -> None:
        """Leave out scripts whose lines are too few and not sure: the photo may be in another."""
        while shaky := shaky_scripts(self._answers.values(), self._count_unread()):
            for number, answer in [*self._answers.items()]:
                if answer.reader.script in shaky:
                    del self._answers[number]
                    self._give_up(number)
            self._scripts = [script for script in self._scripts if script not in shaky]

    def _count_unread(self) -> int:
        """Return how many lines nobody read, whole or in part."""
        unread = {number for number, line in self._read.items() if line.unreadable}
        return len((unread | self._parted.keys()) - self._answers.keys())

    def _doubt_pp_ocr(self, pieces: dict[int, list[TextLine]]) -> Iterator[TextLine]:
        """Yield the photo's lines, in a photo with unreadable ones only what two readers see."""
        has_unread = any(line.unreadable for lines in pieces.values() for line in lines)
        for number, lines in sorted(pieces.items()):
            whole = self._found[number]
            is_doubtful = has_unread or is_round_number(whole.line.text) or is_blurred(whole)
            if number in self._answers or not is_doubtful:
                yield from lines
                continue
            parts = self._parts[number] if number in self._parted else ()
            found = [part.found for part in parts] or [whole]
            told = zip(lines, found, strict=True)
            yield from believed(told, whole, self._look, is_strict=has_unread)

    def _say_short_ones(self) -> None:
        """Say of short places too that they are unreadable: words alone, or beside other text."""
        told = [line.polygon for line in self._read.values() if not line.unreadable]
        told += [self._found[number].line.polygon for number in self._answers]
        for number in self._left_out:
            found = self._found[number]
            if may_be_a_word(found, told) and is_ink_on_ground(self._bgr, found.line.polygon):
                self._give_up(number)

    def _give_up(self, number: int, likeliest: str = "") -> None:
        """Say that a line can't be read, or what of it can't be."""
        if self._parts[number]:
            self._parted[number] = [self._part_alone(part) for part in self._parts[number]]
        else:
            line = self._found[number].line
            known = likeliest if likeliest in self._scripts else ""
            self._read[number] = unreadable_line(line, script_seen(line.text) or known)

    def _is_believed(self, best: Answer, number: int) -> bool:
        known = best.reader.script in self._scripts
        if not known and best.reader.script in LIKE_LATIN and self._found[number].is_plainly_latin:
            return False
        return self._twice.is_believed(best, number, self._found[number].length, known)

    def _to_try(self, found: FoundLine) -> list[str]:
        """Return the scripts of the photo, then those to look among if the line is long enough."""
        seen = main_script(found.line.text)
        likely = [seen] if seen in self._chooser.scripts else []
        first = [*self._scripts, *likely, *self._suspected]
        is_text = found.is_surely_text or is_ink_on_ground(self._bgr, found.line.polygon)
        if is_text and found.is_worth_a_search and self._searches < _MOST_SEARCHES:
            first += self._chooser.scripts
        return list(dict.fromkeys(first))

    def _choose_languages(self) -> None:
        """Read lines again with the data of the photo's language, where a script has several."""
        for script in self._scripts:
            readers = self._chooser.of_script(script)
            numbers = [n for n, answer in self._answers.items() if answer.reader.script == script]
            if len(readers) > 1:
                numbers.sort(key=self._length, reverse=True)
                language, answers = in_one_language(readers, numbers, self._again)
                self._languages[script] = language
                self._answers |= answers

    def _again(self, number: int, reader: Reader) -> Answer:
        answer = self._answers[number]
        if answer.reader == reader:
            return answer
        return self._chooser.answer(self._cut(number), reader)
