"""The local OCR engine: PP-OCRv6 through RapidOCR."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.config.ocr_languages import CODES
from imaginem.config.settings import Settings
from imaginem.engines.alphabets import main_language
from imaginem.engines.local.located import Located, LocatedLines, Sign
from imaginem.engines.local.long_pictures import cuts, part, row_by_row
from imaginem.engines.local.models import RuntimeSetting, shared_model
from imaginem.engines.local.orientation import OrientationFinder
from imaginem.engines.local.photo_faults import photo_faults
from imaginem.engines.local.scripts.gate import OF_PP_OCR, is_read
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.ready import script_reader
from imaginem.engines.local.text_reader import make_reader, padded, read_crops
from imaginem.engines.local.upright_text import TextReader, read_upright, readability
from imaginem.engines.logs import logger_for
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import OcrText, TextLine, Word
from imaginem.ports import CallContext, OcrEngine

Array = NDArray[Any]

_SMALL = 800  # photos with a shorter longest side are doubled: their letters are tiny
_logger = logging.getLogger("imaginem.engines.local")


class LocalOcr:
    """Reads text, one photo at a time in a process, since RapidOCR keeps state.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
        languages: the setting OCR_LANGUAGES.
    """

    name = "pp-ocrv6"

    def __init__(
        self,
        store: AssetStore,
        runtime: RuntimeSetting = "auto",
        languages: Sequence[str] = CODES,
    ) -> None:
        self._detection = shared_model(store, "ocr-detection.onnx", runtime)
        self._recognition = shared_model(store, "ocr-recognition.onnx", runtime)
        self._orientation = OrientationFinder(store, runtime)
        self._store, self._languages = store, languages
        self._lock = threading.Lock()

    @cached_property
    def _reader(self) -> Any:
        return make_reader(self._detection, self._recognition)

    @cached_property
    def _located(self) -> LocatedLines:
        return LocatedLines(self._reader)

    @cached_property
    def _scripts(self) -> ScriptReader:
        return script_reader(self._store, self._languages)

    @photo_faults("read its text")
    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return the text in reading order; polygons are in the photo's pixels."""
        orientation = self._orientation.of(photo)
        with self._lock:
            reader = TextReader(self._lines_of, self._over)
            lines, degrees = read_upright(photo.array, orientation, reader)
        kept = [line for line in lines if _worth_keeping(line)]
        logger_for(_logger, call).debug("%s: %d lines of text", self.name, len(kept))
        return OcrText(
            full_text="\n".join(line.text for line in kept if not line.unreadable),
            lines=kept,
            language=main_language(kept),
            turn=orientation.told(degrees),
        )

    def _lines_of(self, rgb: Array) -> list[TextLine]:
        """Return the lines of a picture, in its pixels."""
        bgr: Array = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        scale = 2 if max(bgr.shape[:2]) < _SMALL else 1
        if scale > 1:
            bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        bgr = padded(bgr)
        found = self.located_lines(bgr)
        sides = rgb.shape[1], rgb.shape[0]
        return [_scaled(line, scale, sides) for line in self._scripts.read(bgr, found)]

    def _over(self, rgb: Array, lines: Sequence[TextLine]) -> float:
        """Return how well lines read upside down; locating them anew would cost most."""
        bgr: Array = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        boxes = [np.array(line.polygon, np.float32).reshape(4, 2) for line in lines]
        crops = self._reader.crop_text_regions(bgr, boxes)
        over = [np.ascontiguousarray(crop[::-1, ::-1]) for crop in crops]
        scores, others = [], []
        for line, (text, score) in zip(lines, read_crops(self._reader, over), strict=True):
            latin = line.script in OF_PP_OCR and not line.unreadable
            if latin or is_read(text, score, line.polygon):
                scores.append(score)
            else:
                others.append(line.polygon)
        if others:
            scores.append(readability(*self._scripts.over(bgr, others)))
        return sum(scores) / len(scores)

    def located_lines(self, bgr: Array) -> list[FoundLine]:
        """Return every line that was located, in reading order; the text of some is empty."""
        places = cuts(bgr)
        found = []
        for start, end in pairwise(places):
            piece, corner = part(bgr, start, end)
            found += [_moved(each, corner) for each in self._located_in(piece)]
        if len(places) == 2 or bgr.shape[0] >= bgr.shape[1]:
            return found
        boxes = [np.array(each.line.polygon).reshape(4, 2) for each in found]
        centres = [(float(box[:, 0].mean()), float(box[:, 1].mean())) for box in boxes]
        order = row_by_row(centres, [float(np.ptp(box[:, 1])) for box in boxes])
        return [found[number] for number in order]

    def _located_in(self, bgr: Array) -> list[FoundLine]:
        located = self._located
        result = self._reader(bgr, return_word_box=True, use_cls=False)
        is_read = [
            bool(each.text.strip()) and each.score >= self._reader.text_score
            for each in located.lines
        ]
        words = result.word_results or ()
        rest = iter(words if len(words) == sum(is_read) else ())
        return [
            FoundLine(
                _line(each, next(rest, ()) if read else ()),
                each.located,
                each.signs,
            )
            for each, read in zip(located.lines, is_read, strict=True)
        ]


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return LocalOcr.name


def make_engine(parts: EngineParts) -> OcrEngine:
    """Return the engine of `ocr`."""
    settings = parts.settings
    return LocalOcr(AssetStore(settings.assets), settings.local_runtime, settings.ocr_languages)


def _line(located: Located, words: Any) -> TextLine:
    sure = sure_of_words(located.signs, [word[0] for word in words])
    return TextLine(
        text=located.text,
        confidence=round(located.score, 4),
        polygon=_polygon(located.box),
        words=[
            Word(text=word[0], confidence=round(confidence, 4), polygon=_polygon(word[2]))
            for word, confidence in zip(words, sure, strict=True)
            if word[0] and word[2] is not None
        ],
    )


def sure_of_words(signs: Sequence[Sign], words: Sequence[str]) -> list[float]:
    """Return the mean confidence of each word's signs; RapidOCR gives that of one sign."""
    if sum(map(len, words)) != len(signs):
        return [0.0] * len(words)
    rest = iter(signs)
    return [fmean(next(rest).sure for _ in word) if word else 0.0 for word in words]


def _polygon(corners: Any) -> list[int]:
    return [round(float(value)) for value in np.asarray(corners, float).reshape(-1)[:8]]


def _worth_keeping(line: TextLine) -> bool:
    """Tell text from patterns, which give single letters, no letters or a low score."""
    if line.unreadable:
        return True
    return sum(c.isalnum() for c in line.text) > 1


def _moved(found: FoundLine, corner: tuple[int, int]) -> FoundLine:
    """Return a line of a piece of a picture, in the picture's pixels."""
    if not any(corner):
        return found

    def change(index: int, value: int) -> int:
        return value + corner[index % 2]

    words = [_mapped(word, change) for word in found.line.words]
    line = _mapped(found.line, change).model_copy(update={"words": words})
    return replace(found, line=line)


def _mapped(word: Any, change: Any) -> Any:
    """Return a word or line whose coordinates are changed; even indices are x, odd ones y."""
    polygon = [change(index, value) for index, value in enumerate(word.polygon)]
    return word.model_copy(update={"polygon": polygon})


def _scaled(line: TextLine, scale: int, sides: tuple[int, int]) -> TextLine:
    """Return a line in pixels of the photo, which was enlarged and padded before it was read."""

    def change(index: int, value: int) -> int:
        return min(round(value / scale), sides[index % 2])

    words = [_mapped(word, change) for word in line.words]
    scaled: TextLine = _mapped(line, change)
    return scaled.model_copy(update={"words": words})
