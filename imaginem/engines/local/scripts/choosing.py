"""Which script a line is in: that of the reader which is surest of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.local.scripts.alphabets import scripts_in, share
from imaginem.engines.local.scripts.data import Data, Reader
from imaginem.engines.local.scripts.tesseract import Reading

Array = NDArray[Any]
ReadLine = Callable[[Array, Data], Reading]
"""Reads a line with a model: `Tesseract.read`."""

SURE = 0.75
"""From here on no other reader is asked; a wrong one reaches 0.66 on text in other letters."""
BELIEVED = 0.7
"""The best reader's answer is taken from here on."""
BELIEVED_AGAIN = 0.5
"""The same where the photo has lines in that script already."""
_DISCOUNTS = {"Thai": 0.8}
"""Its data is as sure of any other script's letters: 0.63 to 0.81."""
_LEAST_LETTERS = 0.5
"""Share of a line's signs that are letters of its script; a line with a date has fewer."""


def _likeness(text: str, script: str) -> float:
    """Return how much a reading looks like text of a script, from 0 to 1.

    What is in other letters comes back as a mixture of them with figures and signs.
    """
    own = scripts_in(text)[script]
    signs = sum(not letter.isspace() for letter in text)
    return share(text, script) * min(1.0, own / max(signs, 1) / _LEAST_LETTERS)


@dataclass(frozen=True)
class Answer:
    """What a reader read, and how far it can be believed, from 0 to 1."""

    reader: Reader
    reading: Reading
    belief: float


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
        belief = reading.confidence * _likeness(reading.text, reader.script)
        return Answer(reader, reading, belief * _DISCOUNTS.get(reader.script, 1.0))

    def best(self, line: Array, scripts: Sequence[str]) -> Answer | None:
        """Return the answer that is believed most; None where nobody reads anything.

        Args:
            line: as `cut_line` returns it.
            scripts: to try, in this order, until a reader is sure.
        """
        best: Answer | None = None
        for script in scripts:
            answer = self.answer(line, self._first[script])
            if best is None or answer.belief > best.belief:
                best = answer
            if best.belief >= SURE:
                break
        return best if best is not None and best.belief > 0 else None

    def remember(self, script: str) -> None:
        """Try this script first from now on: the photos of a batch are often in the same."""
        self._lately = [script, *(other for other in self._lately if other != script)]

    def of_script(self, script: str) -> list[Reader]:
        """Return the readers of a script: one a language, if their data differs."""
        return [reader for reader in self._readers if reader.script == script]
