"""Objects by CenterNet (Zhou et al. 2019), trained on COCO's 80 classes."""

import re
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.models import RuntimeSetting, shared_model
from imaginem.engines.local.suppression import suppress
from imaginem.outputs import Box, FoundObject

Array = NDArray[Any]

_SIDE = 512
_MIN_SCORE = 0.4
_OVERLAP = 0.5  # of the union: above it, the box with the lower score is dropped
_TINY = 0.02  # of the photo's side; smaller boxes are noise


class ObjectDetector:
    """Finds things and people.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._model = shared_model(store, "centernet.onnx", runtime)
        self._label_file = store.path("coco-labels.ts")

    @cached_property
    def _labels(self) -> list[str]:
        """The 80 classes, read from the list in the model's own package."""
        return re.findall(r"label: '([^']+)'", self._label_file.read_text("utf-8"))

    def objects(self, rgb: Array) -> list[FoundObject]:
        """Return the things in a photo, best first."""
        height, width = rgb.shape[:2]
        shrinks = max(height, width) > _SIDE
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(rgb, (_SIDE, _SIDE), interpolation=method).astype(np.float32)
        rows = self._model.run({"tower_0/images": small[None]}, "detections")[0][0]
        rows = rows[rows[:, 4] >= _MIN_SCORE]
        boxes = np.clip(rows[:, :4], 0, _SIDE)
        large = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) >= _TINY * _SIDE
        rows, boxes = rows[large], boxes[large]
        kept: list[int] = []
        for label in np.unique(rows[:, 5]):
            same = np.where(rows[:, 5] == label)[0]
            kept += [int(same[i]) for i in suppress(boxes[same], rows[same, 4], _OVERLAP)]
        kept.sort(key=lambda index: -rows[index, 4])
        scale = np.array([width, height, width, height]) / _SIDE
        return [_object(self._labels[int(rows[i, 5])], rows[i, 4], boxes[i] * scale) for i in kept]


def _object(label: str, score: float, box: Array) -> FoundObject:
    left, top, right, bottom = (round(float(value)) for value in box)
    return FoundObject(
        object=label,
        confidence=round(float(score), 4),
        rectangle=Box(x=left, y=top, w=right - left, h=bottom - top),
    )
