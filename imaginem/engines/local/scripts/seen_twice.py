"""Letters beside a number are few to be sure of: they must be the same without the number."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.local.scripts.choosing import (
    BELIEVED_TWICE,
    SURE,
    Answer,
    ScriptChooser,
    letters_of,
)
from imaginem.engines.local.scripts.cutting import cut_line
from imaginem.engines.local.scripts.data import Reader
from imaginem.engines.local.scripts.parting import Part
from imaginem.engines.local.scripts.vietnamese import alike

Array = NDArray[Any]

_SUSPECTED = 0.6
"""From here on the other lines of a photo are asked, too, whether they are in that script."""


class SeenTwice:
    """Tells how far an answer is believed, and looks again where a number stands in the line.

    Args:
        bgr: the photo.
        chooser: asks the readers of scripts other than Latin.
        unread: of each line the parts beside its numbers.
    """

    def __init__(
        self, bgr: Array, chooser: ScriptChooser, unread: Sequence[Sequence[Part]]
    ) -> None:
        self._bgr, self._chooser, self._unread = bgr, chooser, unread
        self._alone: dict[tuple[int, Reader], list[Answer]] = {}

    def is_believed(self, answer: Answer, number: int, length: float, known: bool) -> bool:
        """Tell whether a line is read so.

        Args:
            answer: what was read.
            number: of the line.
            length: of the line, as a multiple of its height.
            known: that the photo has lines in this script.
        """
        if not self._unread[number] or (known and answer.belief >= SURE):
            return answer.is_believed(known, length)
        again = self._again(answer, number)
        return again is not None and again.is_believed(known, length, BELIEVED_TWICE)

    def is_suspected(self, answer: Answer, number: int) -> bool:
        """Tell whether a line that is not believed makes the script of its answer likely."""
        again = self._again(answer, number) if self._unread[number] else answer
        return again is not None and again.belief >= _SUSPECTED

    def _again(self, answer: Answer, number: int) -> Answer | None:
        """Return an answer as it is believed once its reader saw the line without the number.

        What a reader sees in letters of another script is by chance, and differs: None.
        """
        if (number, answer.reader) not in self._alone:
            self._alone[number, answer.reader] = [
                self._chooser.answer(cut_line(self._bgr, part.found.line.polygon), answer.reader)
                for part in self._unread[number]
            ]
        alone = self._alone[number, answer.reader]
        if not alike(letters_of(answer), "".join(map(letters_of, alone))):
            return None
        return replace(answer, belief=fmean((answer.belief, min(each.belief for each in alone))))
