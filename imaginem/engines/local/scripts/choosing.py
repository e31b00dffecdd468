"""Which script a line is in: that of the reader which is surest of it."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.alphabets import figures_of, script_of, scripts_in, share
from imaginem.engines.local.scripts.data import Data, Reader
from imaginem.engines.local.scripts.tesseract import Reading, ReadWord, sure_by_signs

Array = NDArray[Any]
ReadLine = Callable[[Array, Data], Reading]
"""Reads a line with a model: `Tesseract.read`."""

SURE = 0.75
"""From here on no other reader is asked; a wrong one reaches 0.66 on text in other letters."""
BELIEVED = 0.7
"""The best reader's answer is taken from here on."""
BELIEVED_AGAIN = 0.5
"""The same where the photo has lines in that script already."""
BELIEVED_TWICE = 0.67
"""The mean of two readings with the same letters, of a line with a number and without it."""
_FEW_LETTERS = 3
"""A reading of fewer says nothing about the script: patterns give one or two."""
_BELIEVED_OF_FEW = ((4, 0.85), (6, 0.78))
"""Letters at most, and from where on they are believed: a wrong reader is as sure as 0.8 of 4."""
_DISCOUNTS = {"Thai": 0.8}
"""Its data is as sure of any other script's letters: 0.63 to 0.81."""
_NUMBER = re.compile(r"[\d.,:;/()+\-]*\d{3}[\d.,:;/()+\-]*", re.ASCII)
"""A word that is a number, a date or a part of a telephone number: all readers know figures."""
_LEAST_FIGURES = 3
"""Of a word that is a number with some sign beside it, as a stroke that was read for 1."""
_LEAST_LETTERS = 0.5
"""Share of a line's signs that are letters of its script; a line with a date has fewer."""


def _likeness(text: str, script: str) -> float:
    """Return how much a reading looks like text of a script, from 0 to 1.

    What is in other letters comes back as a mixture of them with figures and signs.
    """
    own = scripts_in(text)[script]
    signs = sum(not letter.isspace() for letter in text)
    return share(text, script) * min(1.0, own / max(signs, 1) / _LEAST_LETTERS)


def _without_numbers(reading: Reading) -> tuple[str, float]:
    """Return the words of a reading and how sure they are; numbers tell nothing of its script."""
    words = [word for word in reading.words if not _is_number(word.text)]
    if len(words) == len(reading.words) or not any(map(_has_letters, words)):
        return reading.text, reading.confidence
    return " ".join(word.text for word in words), sure_by_signs(words)


def letters_of(answer: "Answer") -> str:
    """Return the letters of an answer, without the numbers beside them."""
    return "".join(filter(str.isalpha, _without_numbers(answer.reading)[0]))


def _is_number(word: str) -> bool:
    return len(figures_of(word)) >= _LEAST_FIGURES and not any(map(str.isalpha, word))


def _has_letters(word: ReadWord) -> bool:
    return any(map(str.isalpha, word.text))


@dataclass(frozen=True)
class Answer:
    """What a reader read, and how far it can be believed, from 0 to 1."""

    reader: Reader
    reading: Reading
    belief: float

    @property
    def has_number(self) -> bool:
        """Whether there is a number among its words."""
        return any(_NUMBER.fullmatch(word.text) for word in self.reading.words)

    def is_believed(self, known: bool, length: float, least: float = BELIEVED) -> bool:
        """Tell whether a line is read so.

        Args:
            known: that the photo has lines in this script.
            length: of the line, as a multiple of its height; patterns are short.
            least: belief from which it is read so.
        """
        if known:
            return self.belief >= BELIEVED_AGAIN
        words, script = _without_numbers(self.reading)[0], self.reader.script
        letters = sum(script_of(sign) == script and not sign.isnumeric() for sign in words)
        if letters < _FEW_LETTERS:
            return False
        discount = _DISCOUNTS.get(script, 1.0)
        few = (of_few * discount for most, of_few in _BELIEVED_OF_FEW if letters <= most)
        least = max([least, *few])
        return self.belief >= (least if length >= 3 else max(least, SURE))


class ScriptChooser:
    """Tries readers on a line; those that were right before come first.

    Args:
        readers: in the order in which they are tried when nothing is known.
        read: reads a line with a model.
    """

    def __init__(self, readers: Iterable[Reader], read: ReadLine) -> None:
        self._readers, self._read = list(readers), read
        first = {reader.script: reader for reader in reversed(self._readers)}
        self._first = dict(reversed(first.items()))
        self._lately: list[str] = []

    @property
    def scripts(self) -> list[str]:
        """The scripts that can be read, the likeliest first."""
        return [*self._lately, *(script for script in self._first if script not in self._lately)]

    def answer(self, line: Array, reader: Reader) -> Answer:
        """Return what one reader makes of a line."""
        reading = self._read(line, reader.data)
        words, confidence = _without_numbers(reading)
        belief = confidence * _likeness(words, reader.script)
        return Answer(reader, reading, belief * _DISCOUNTS.get(reader.script, 1.0))

    def best(
        self, line: Array, scripts: Sequence[str], known: Collection[str] = ()
    ) -> Answer | None:
        """Return the answer that is believed most; None where nobody reads anything.

        Args:
            line: as `cut_line` returns it.
            scripts: to try, in this order, until a reader is sure.
            known: those that other lines of the photo are in; less is enough of their readers.
        """
        best: Answer | None = None
        for script in scripts:
            answer = self.answer(line, self._first[script])
            if best is None or answer.belief > best.belief:
                best = answer
            is_known = best.reader.script in known
            # Beside a number there are few letters to be sure of: others may be surer.
            is_enough = not best.has_number or is_known
            if best.belief >= (BELIEVED if is_known else SURE) and is_enough:
                break
        return best if best is not None and best.belief > 0 else None

    def surest(self, lines: Iterable[Array]) -> tuple[float, str]:
        """Return how far the best reading of some lines can be believed, and its script.

        Args:
            lines: as `cut_line` returns them; read until one is believed.
        """
        belief, script = 0.0, ""
        for line in lines:
            best = self.best(line, self.scripts)
            if best is not None and best.belief > belief:
                belief, script = best.belief, best.reader.script
            if belief >= BELIEVED:
                self.remember(script)
                break
        return belief, script

    def remember(self, script: str) -> None:
        """Try this script first from now on: the photos of a batch are often in the same."""
        self._lately = [script, *(other for other in self._lately if other != script)]

    def of_script(self, script: str) -> list[Reader]:
        """Return the readers of a script: one a language, if their data differs."""
        return [reader for reader in self._readers if reader.script == script]
