"""Lines of text on their way: as they are found, as they are read, and as nobody can read them."""

from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.engines.alphabets import (
    NAMES,
    language_by_letters,
    main_script,
    scripts_in,
    unreadable,
)
from imaginem.engines.local.located import Sign
from imaginem.engines.local.scripts.choosing import Answer
from imaginem.engines.local.scripts.cutting import place_of
from imaginem.engines.local.scripts.gate import is_full, sides
from imaginem.engines.local.scripts.tesseract import ReadWord, sure_by_signs
from imaginem.outputs import TextLine, Word

_ARABIC_FIGURES = frozenset("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹")
_MOST_FOR_FIGURES = 0.5
"""Confidence of a word with such figures, at most: a year or an age may be another one."""
_LEAST_LIKELY = 0.85
"""Score of PP-OCR from which Latin letters are kept that no other reader sees: handwriting, say."""

_LEAST_OF_A_FIGURE = 0.6
"""The same of each figure: what is read as figures where other letters stand has 0.2 to 0.9."""

_LEAST_LETTERS, _LEAST_OF_A_LETTER = 4, 0.9
"""So many letters, each so sure, are seen in no letters but Latin."""
_LEAST_SEEN = 5
"""Letters of a script that tell that a line is in it: round ones of Burmese look Greek."""


@dataclass(frozen=True)
class FoundLine:
    """A line that PP-OCR found.

    Attributes:
        line: as it read it; its text may be empty.
        located: how sure it is that there is text, from 0 to 1.
        signs: of its text, blanks left out; none where the reader doesn't tell them.
        is_beside: that it is a piece of a line in two scripts, and so no pattern.
    """

    line: TextLine
    located: float
    signs: tuple[Sign, ...] = ()
    is_beside: bool = False

    @property
    def length(self) -> float:
        """Its length, as a multiple of its height."""
        along, across = sides(self.line.polygon)
        return along / across

    @property
    def is_worth_a_search(self) -> bool:
        """Whether every reader is asked: patterns in photos are short, or located at 0.72."""
        is_short = self.length >= 2 and self.located >= 0.75
        return self.is_beside or self.length >= 3 or is_short

    @property
    def worst_figure(self) -> float:
        """How sure the least sure figure is, from 0 to 1; 1 without any."""
        return min((sign.sure for sign in self.signs if sign.text.isdigit()), default=1.0)

    @property
    def is_likely(self) -> bool:
        """Whether Latin letters that only PP-OCR sees are rather there than not."""
        return (
            self.line.confidence >= _LEAST_LIKELY
            and (self.worst_figure >= _LEAST_OF_A_FIGURE)
            and main_script(self.line.text) in ("Latn", "")
            and is_full(self.line.text, self.line.polygon)
        )

    @property
    def is_plainly_latin(self) -> bool:
        """Whether PP-OCR read it whole in Latin letters, some surely: of Cyrillic it loses most."""
        letters = [sign for sign in self.signs if sign.text.isalpha()]
        sure = sum(letter.sure >= _LEAST_OF_A_LETTER for letter in letters)
        return (
            self.line.confidence >= _LEAST_LIKELY
            and len(letters) * 2 > len(self.signs)
            and sure >= _LEAST_LETTERS
            and set(scripts_in(self.line.text)) == {"Latn"}
            and is_full(self.line.text, self.line.polygon)
        )

    @property
    def is_text(self) -> bool:
        """Whether it is said to be text though nobody can read it, and no pattern."""
        return self.is_beside or self.length >= 5

    @property
    def is_surely_text(self) -> bool:
        """Whether it is text though it may be in many colours: ribbons are located at 0.82."""
        return self.is_text or self.located >= 0.85

    @property
    def may_be_text(self) -> bool:
        """The same for a shorter one, if it is in two colours: ribbons and tiles are as long."""
        return self.length >= 3 and self.located >= 0.7

    @property
    def may_be_short_text(self) -> bool:
        """The same for a word alone: patterns in two colours are located at 0.72 at most."""
        return self.length >= 1 and self.located >= 0.75

    @property
    def may_be_a_cell(self) -> bool:
        """The same for a word beside lines that were read, and are as high."""
        return self.length >= 1 and self.located >= 0.65


def with_script(line: TextLine) -> TextLine:
    """Return a line of PP-OCR with the script and language that its letters tell."""
    script = main_script(line.text)
    language = language_by_letters(line.text, script)
    return line.model_copy(update={"script": script or None, "language": language or None})


def as_line(answer: Answer, polygon: list[int], language: str) -> TextLine:
    """Return a reader's answer as a line.

    Args:
        answer: of the reader.
        polygon: where the line is.
        language: of the photo's lines in this script; empty where it isn't known.
    """
    text, script = answer.reading.text, answer.reader.script
    words = [
        Word(text=word.text, confidence=_doubted(word), polygon=place_of(word, polygon))
        for word in answer.reading.words
    ]
    return TextLine(
        text=text,
        confidence=round(_in_the_mean(words, answer.reading.confidence), 4),
        polygon=polygon,
        words=words,
        script=script,
        language=language or language_by_letters(text, script),
    )


def _in_the_mean(words: Sequence[Word], sure: float) -> float:
    """Return the confidence of a line: no more than that of its words, by their signs."""
    return min(sure, sure_by_signs(words)) if words else sure


def _doubted(word: ReadWord) -> float:
    """Return a word's confidence; figures of Arabic script are often wrong, however sure."""
    has_figures = any(letter in _ARABIC_FIGURES for letter in word.text)
    return min(word.confidence, _MOST_FOR_FIGURES) if has_figures else word.confidence


def script_seen(text: str) -> str:
    """Return the script of a line that nobody can read; empty where its letters don't tell.

    That a reader is surer than the others does not tell it: one always is.

    Args:
        text: what PP-OCR saw, which writes Latin letters for those that it does not know.
    """
    seen = main_script(text)
    is_told = seen in NAMES and seen != "Latn" and scripts_in(text)[seen] >= _LEAST_SEEN
    return seen if is_told else ""


def unreadable_line(line: TextLine, script: str) -> TextLine:
    """Return a line whose text can't be read; its script is empty where nobody knows it."""
    return TextLine(
        text="",
        confidence=0.0,
        polygon=line.polygon,
        script=script or None,
        unreadable=unreadable(script),
    )
