"""Tesseract, for one line of text at a time."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.engines.local.scripts.alphabets import tidied
from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.open_models import MOST_OPEN, OpenModels

Array = NDArray[Any]
_logger = logging.getLogger("imaginem.engines.local")


@dataclass(frozen=True)
class ReadWord:
    """A word, its confidence from 0 to 1, and its edges left and right in pixels of the crop."""

    text: str
    confidence: float
    left: int
    right: int


@dataclass(frozen=True)
class Reading:
    """What a model reads in a line, in logical order, and its confidence from 0 to 1."""

    text: str
    confidence: float
    words: tuple[ReadWord, ...] = ()


class Tesseract:
    """Reads lines; not for use by several threads at once.

    Args:
        most: models that stay open.
    """

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._models = OpenModels(_open_model, most)

    def read(self, line: Array, data: Data) -> Reading:
        """Return what a model reads.

        Args:
            line: grey, dark letters on bright ground.
            data: of the model.
        """
        api = self._models.get(data)
        if api is None:
            return Reading("", 0.0)
        import tesserocr

        height, width = line.shape
        api.SetImageBytes(np.ascontiguousarray(line).tobytes(), width, height, 1, width)
        text = tidied(api.GetUTF8Text())
        if not text:
            return Reading("", 0.0)
        pieces = []
        for found in tesserocr.iterate_level(api.GetIterator(), tesserocr.RIL.WORD):
            box = found.BoundingBox(tesserocr.RIL.WORD)
            piece = tidied(found.GetUTF8Text(tesserocr.RIL.WORD) or "") if box else ""
            if piece:
                sure = found.Confidence(tesserocr.RIL.WORD) / 100
                pieces.append(ReadWord(piece, round(sure, 4), int(box[0]), int(box[2])))
        return Reading(text, api.MeanTextConf() / 100, words_of(text, pieces))


def _open_model(data: Data) -> Any:
    """Return an open model; None if its file is damaged."""
    # Must be there before the library loads: several threads for one line only cost time.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    import tesserocr

    try:
        api = tesserocr.PyTessBaseAPI(
            path=f"{data.folder}{os.sep}",
            lang="+".join(data.names),
            psm=tesserocr.PSM.RAW_LINE,
            oem=tesserocr.OEM.LSTM_ONLY,
        )
    except RuntimeError:
        _logger.warning(
            "%s in %s can't be opened, so that its lines are only said to be unreadable: "
            "remove it and run `imaginem assets fetch`",
            " and ".join(data.names),
            data.folder,
        )
        return None
    api.SetVariable("debug_file", os.devnull)
    api.SetVariable("invert_threshold", "0")  # the ground is made bright before
    if data.keeps_spaces:
        api.SetVariable("preserve_interword_spaces", "1")
    return api


def words_of(text: str, pieces: Sequence[ReadWord]) -> tuple[ReadWord, ...]:
    """Return the words of a text, put together from pieces of them.

    Where a script has no blanks, each of Tesseract's words is a syllable or a letter.

    Args:
        text: with blanks between words.
        pieces: in the order of the text.

    Returns:
        The words; none if the pieces are not those of the text.
    """
    words, left = [], list(pieces)
    for word in text.split():
        parts: list[ReadWord] = []
        while left and not _same_letters(parts, word):
            parts.append(left.pop(0))
        if not _same_letters(parts, word):
            return ()
        sure = sum(part.confidence for part in parts) / len(parts)
        edges = min(part.left for part in parts), max(part.right for part in parts)
        words.append(ReadWord(word, round(sure, 4), *edges))
    return tuple(words)


def _same_letters(parts: Sequence[ReadWord], word: str) -> bool:
    """Compare without order: Tesseract gives the letters of a right-to-left word backwards."""
    letters = tidied("".join(part.text for part in parts))
    return sorted(letters) == sorted(word)


def dark_on_bright(line: Array) -> Array:
    """Return a grey line with dark letters on bright ground, whichever it had.

    Args:
        line: grey or BGR. Most of it is ground, so that letters draw the mean away from the median.
    """
    grey = cv2.cvtColor(line, cv2.COLOR_BGR2GRAY) if line.ndim == 3 else line
    return np.asarray(255 - grey if np.median(grey) < grey.mean() else grey)
