"""The faces of a photo: YuNet finds them at several sizes, MTCNN's third network their points."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.face_points import FacePoints
from imaginem.engines.local.models import RuntimeSetting
from imaginem.engines.local.suppression import suppress
from imaginem.engines.local.yunet import Yunet

Array = NDArray[Any]

_SIDES = (1024, 256)
"""Longest sides in which every photo is looked at: the smaller one shows the largest faces."""
_ANOTHER_SIDE = 2560
# A look at a higher resolution pays only where small faces are likely; see docs/models.md.
_LARGE_PHOTO, _CROWD, _SMALL_FACE = 1400, 6, 0.06
_ALONE = 0.8
"""Score from which YuNet decides alone, as on a face with a mask, which MTCNN is unsure of."""
_SECONDED, _SECOND = 0.65, 0.6
"""Scores of YuNet and of MTCNN with which a face counts, too; see docs/models.md."""
_UPRIGHT = (0.87, 0.9)
"""Scores that no face on its side and none upside down has both of, in the sample photos."""
_SMALLEST = 16  # pixels of a face's height; what is lower can't be recognized


@dataclass(frozen=True)
class Detection:
    """Faces of a photo, in its pixels.

    Attributes:
        boxes: n x 4: left, top, right, bottom.
        scores: n, 0 to 1.
        points: n x 5 x 2: eye, eye, nose, mouth corner, mouth corner; left in the photo first.
        seconded: n, 0 to 1: how sure MTCNN is, which knows upright, bare faces only.
    """

    boxes: Array
    scores: Array
    points: Array
    seconded: Array

    def __len__(self) -> int:
        """Return how many faces there are."""
        return len(self.boxes)

    def only(self, keep: Array) -> "Detection":
        """Return the faces of these indices."""
        return Detection(
            self.boxes[keep], self.scores[keep], self.points[keep], self.seconded[keep]
        )

    @property
    def has_upright(self) -> bool:
        """Whether a face is surely upright; YuNet finds those that lie on a side, too."""
        least, second = _UPRIGHT
        return bool(((self.scores >= least) & (self.seconded >= second)).any())


class FaceFinder:
    """The detector.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._yunet = Yunet(store, runtime)
        self._points = FacePoints(store, runtime)

    def detect(self, rgb: Array) -> Detection:
        """Return the faces of a photo, highest first.

        Args:
            rgb: height x width x 3, 8 bits.
        """
        longest = max(rgb.shape[:2])
        looks: list[tuple[Array, Array]] = []
        looked_at = rgb
        for side in _SIDES:
            if not looks or longest > side:
                looked_at = _shrunk(looked_at, side)  # each of the one before: less to read
                looks.append(self._look(looked_at, longest))
        boxes, scores = _each_once(looks)
        if longest > _LARGE_PHOTO and _may_hold_small_faces(boxes, longest):
            looks.append(self._look(_shrunk(rgb, _ANOTHER_SIDE), longest))
            boxes, scores = _each_once(looks)
        return self._checked(rgb, boxes, scores)

    def _look(self, picture: Array, longest: int) -> tuple[Array, Array]:
        """Return what YuNet finds in a shrunk photo, in pixels of the photo."""
        boxes, scores = self._yunet.find(picture, _SECONDED)
        return boxes * (longest / max(picture.shape[:2])), scores

    def _checked(self, rgb: Array, boxes: Array, scores: Array) -> Detection:
        """Return the faces that both networks together are sure of."""
        heights = boxes[:, 3] - boxes[:, 1]
        order = np.argsort(-heights, kind="stable")
        order = order[heights[order] >= _SMALLEST]
        boxes, scores = boxes[order], scores[order]
        points, seconded = self._points.find(rgb, boxes)
        sure = (scores >= _ALONE) | (seconded >= _SECOND)
        return Detection(boxes, scores, points, seconded).only(np.flatnonzero(sure))


def _shrunk(picture: Array, longest: int) -> Array:
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(round(side * scale), 1) for side in (picture.shape[1], picture.shape[0])]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _each_once(looks: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the boxes and scores of all looks, each face once."""
    boxes = np.concatenate([boxes for boxes, _ in looks])
    scores = np.concatenate([scores for _, scores in looks])
    keep = suppress(boxes, scores, 0.3)
    keep = keep[suppress(boxes[keep], scores[keep], 0.6, by_smaller=True)]
    return boxes[keep], scores[keep]


def _may_hold_small_faces(boxes: Array, longest: int) -> bool:
    if not len(boxes) or len(boxes) >= _CROWD:
        return True
    heights = boxes[:, 3] - boxes[:, 1]
    return bool(heights.min() < _SMALL_FACE * longest)
