"""Tesseract, for one line of text at a time."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.engines.alphabets import main_script, tidied, with_signs_of
from imaginem.engines.local.models import processors
from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.open_models import MOST_OPEN, OpenModels
from imaginem.outputs import Word

Array = NDArray[Any]
_logger = logging.getLogger("imaginem.engines.local")

_LEAST_OF_NO_INK = {".": 0.4, "'": 0.5, '"': 0.5}
"""Signs that models expect at the ends of a line, and write where there are none: the height of
their boxes from which no ink of theirs is there, as a share of the line's."""
_OF_ARMENIAN = {":": 0.8}
"""The same of its full stop; other scripts have colons, whose box is as high at times."""


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


_RULE, _WITH_STROKES = "|", ("Deva", "Beng")


def sure_by_signs(words: Sequence[ReadWord | Word]) -> float:
    """Return the confidence of words in the mean of their signs, from 0 to 1."""
    signs = sum(len(word.text) for word in words)
    return sum(len(word.text) * word.confidence for word in words) / signs


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
        with processors():
            return self._read(line, data)

    def _read(self, line: Array, data: Data) -> Reading:
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
        reading = Reading(text, api.MeanTextConf() / 100, words_of(text, pieces))
        reading = _with_signs_of_script(_without_expected_signs(reading, api, height))
        return without_rules(reading)


def without_rules(reading: Reading) -> Reading:
    """Return a reading without the rules of a table before and behind it, which are read as |.

    The full stop of Devanagari and Bengali looks like one, and stays.
    """
    words = [*reading.words]
    while words and words[0].text == _RULE:
        del words[0]
    if main_script(reading.text) not in _WITH_STROKES:
        while words and words[-1].text == _RULE:
            del words[-1]
    if len(words) == len(reading.words):
        return reading
    return replace(reading, text=" ".join(word.text for word in words), words=tuple(words))


def _without_expected_signs(reading: Reading, api: Any, height: int) -> Reading:
    """Return a reading without signs at its ends that the model only expects there.

    The box of a sign that is there lies around its ink. That of another is as high as the line, or
    as the letter beside it.

    Args:
        reading: with a text.
        api: has read the line.
        height: of the line, in pixels.
    """
    first, last = reading.text[0], reading.text[-1]
    least = _LEAST_OF_NO_INK
    if main_script(reading.text) == "Armn":
        least = least | _OF_ARMENIAN
    if first not in least and last not in least:
        return reading
    import tesserocr

    heights: dict[str, list[float]] = {first: [], last: []}
    for found in tesserocr.iterate_level(api.GetIterator(), tesserocr.RIL.SYMBOL):
        sign, box = found.GetUTF8Text(tesserocr.RIL.SYMBOL), found.BoundingBox(tesserocr.RIL.SYMBOL)
        if sign in heights and box:
            heights[sign].append((box[3] - box[1]) / height)
    start = int(any(share >= least.get(first, 2.0) for share in heights[first][:1]))
    end = len(reading.text) - any(share >= least.get(last, 2.0) for share in heights[last][-1:])
    words = list(reading.words)
    if words and start:
        words[0] = replace(words[0], text=words[0].text[1:])
    if words and end < len(reading.text):
        words[-1] = replace(words[-1], text=words[-1].text[:-1])
    return replace(
        reading,
        text=reading.text[start:end].strip(),
        words=tuple(word for word in words if word.text),
    )


def _with_signs_of_script(reading: Reading) -> Reading:
    mended = with_signs_of(main_script(reading.text), reading.text)
    if mended == reading.text:
        return reading
    script = main_script(reading.text)
    words = (replace(word, text=with_signs_of(script, word.text)) for word in reading.words)
    return replace(reading, text=mended, words=tuple(words))


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
