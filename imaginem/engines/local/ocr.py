"""The local OCR engine: PP-OCRv6 through RapidOCR."""

import logging
import statistics
import threading
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.config.settings import Settings
from imaginem.engines.local.models import RuntimeSetting, shared_model
from imaginem.engines.local.text_reader import make_reader, read_scores
from imaginem.engines.logs import logger_for
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import OcrText, TextLine, Word
from imaginem.ports import CallContext, OcrEngine

Array = NDArray[Any]

_SMALL = 800  # photos with a shorter longest side are doubled: their letters are tiny
_MIN_SCORE = 0.75
_UPSIDE_DOWN = 0.7  # if the median score is lower, the photo is read upside down too
_logger = logging.getLogger("imaginem.engines.local")
_SCRIPTS = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "HANGUL": "ko",
    "LATIN": "und-Latn",
    "CYRILLIC": "und-Cyrl",
    "ARABIC": "und-Arab",
    "GREEK": "el",
}


class LocalOcr:
    """Reads text, one photo at a time in a process, since RapidOCR keeps state.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    name = "pp-ocrv6"

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._detection = shared_model(store, "ocr-detection.onnx", runtime)
        self._recognition = shared_model(store, "ocr-recognition.onnx", runtime)
        self._lock = threading.Lock()

    @cached_property
    def _reader(self) -> Any:
        return make_reader(self._detection, self._recognition)

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return the text in reading order; polygons are in the photo's pixels."""
        bgr: Array = cv2.cvtColor(photo.array, cv2.COLOR_RGB2BGR)
        scale = 2 if max(photo.width, photo.height) < _SMALL else 1
        if scale > 1:
            bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        with self._lock:
            lines = self._lines(bgr)
            if (
                lines
                and _median_score(lines) < _UPSIDE_DOWN
                and self._reads_better_turned(bgr, lines)
            ):
                turned = self._lines(np.ascontiguousarray(bgr[::-1, ::-1]))
                lines = max(lines, _turned(turned, bgr.shape[1], bgr.shape[0]), key=_median_score)
        kept = [_scaled(line, scale) for line in lines if _worth_keeping(line)]
        logger_for(_logger, call).debug("%s: %d lines of text", self.name, len(kept))
        text = "\n".join(line.text for line in kept)
        return OcrText(full_text=text, lines=kept, language=language(text))

    def _reads_better_turned(self, bgr: Array, lines: Sequence[TextLine]) -> bool:
        """Tell whether the lines read better upside down; locating them anew would cost most."""
        boxes = [np.array(line.polygon, np.float32).reshape(4, 2) for line in lines]
        crops = self._reader.crop_text_regions(bgr, boxes)
        scores = read_scores(
            self._reader, [np.ascontiguousarray(crop[::-1, ::-1]) for crop in crops]
        )
        return bool(scores) and statistics.median(scores) > _median_score(lines)

    def _lines(self, bgr: Array) -> list[TextLine]:
        result = self._reader(bgr, return_word_box=True, use_cls=False)
        if result.txts is None or result.boxes is None:
            return []
        words = result.word_results or [()] * len(result.txts)
        return [
            TextLine(
                text=text,
                confidence=round(float(score), 4),
                polygon=_polygon(box),
                words=[
                    Word(
                        text=word[0], confidence=round(float(word[1]), 4), polygon=_polygon(word[2])
                    )
                    for word in in_line
                    if word and word[0] and word[2] is not None
                ],
            )
            for text, score, box, in_line in zip(
                result.txts, result.scores, result.boxes, words, strict=True
            )
        ]


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return LocalOcr.name


def make_engine(parts: EngineParts) -> OcrEngine:
    """Return the engine of `ocr`."""
    return LocalOcr(AssetStore(parts.settings.assets), parts.settings.local_runtime)


def _polygon(corners: Any) -> list[int]:
    return [round(float(value)) for value in np.asarray(corners, float).reshape(-1)[:8]]


def _median_score(lines: Sequence[TextLine]) -> float:
    return statistics.median(line.confidence for line in lines) if lines else 0.0


def _worth_keeping(line: TextLine) -> bool:
    """Tell text from patterns, which give single letters, no letters or a low score."""
    return line.confidence >= _MIN_SCORE and sum(c.isalnum() for c in line.text) > 1


def _mapped(word: Any, change: Any) -> Any:
    """Return a word or line whose coordinates are changed; even indices are x, odd ones y."""
    polygon = [change(index, value) for index, value in enumerate(word.polygon)]
    return word.model_copy(update={"polygon": polygon})


def _scaled(line: TextLine, scale: int) -> TextLine:
    """Return a line in pixels of the photo, which was enlarged before it was read."""
    words = [_mapped(word, lambda _, value: round(value / scale)) for word in line.words]
    scaled: TextLine = _mapped(line, lambda _, value: round(value / scale))
    return scaled.model_copy(update={"words": words})


def _turned(lines: Sequence[TextLine], width: int, height: int) -> list[TextLine]:
    """Return lines that were read upside down, in the upright photo's pixels."""

    def change(index: int, value: int) -> int:
        return (width if index % 2 == 0 else height) - 1 - value

    return [
        _mapped(line, change).model_copy(
            update={"words": [_mapped(word, change) for word in line.words]}
        )
        for line in lines
    ]


def language(text: str) -> str:
    """Return the language as a BCP 47 tag, or the script where it doesn't give the language."""
    letters = (unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha())
    counts = Counter(_SCRIPTS.get(script, "und") for script in letters)
    if counts.get("ja"):
        return "ja"  # only Japanese has kana; its other letters are counted as Chinese
    return counts.most_common(1)[0][0] if counts else ""
