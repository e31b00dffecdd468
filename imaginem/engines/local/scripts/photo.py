"""Reads a photo's lines by script: PP-OCR's answer where it is sure, else that of Tesseract."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.local.scripts.choosing import ReadLine, ScriptChooser
from imaginem.engines.local.scripts.cutting import cut_line
from imaginem.engines.local.scripts.data import Reader
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo_lines import PhotoLines
from imaginem.engines.local.scripts.second_look import LATIN
from imaginem.outputs import TextLine

Array = NDArray[Any]

_MOST_OVER = 2


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
        return PhotoLines(bgr, found, self._chooser, self._latin).lines()

    def over(self, bgr: Array, polygons: Sequence[Sequence[int]]) -> tuple[float, str]:
        """Return how far the best reading of lines upside down can be believed, and its script.

        Args:
            bgr: the photo.
            polygons: of the lines; two are read at most, since every reader is asked.
        """
        cuts = (cut_line(bgr, polygon)[::-1, ::-1] for polygon in polygons[:_MOST_OVER])
        return self._chooser.surest(map(np.ascontiguousarray, cuts))
