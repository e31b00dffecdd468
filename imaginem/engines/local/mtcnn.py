"""MTCNN face detection (Zhang et al. 2016): three networks, each stricter than the one before."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.models import Model, RuntimeSetting, shared_model

Array = NDArray[Any]

_SMALLEST = 24  # pixels of a face in the resized photo; less costs a lot and finds little more
_PROPOSAL, _REFINED, _FINAL = 0.6, 0.7, 0.95  # scores that pass each network
_SHRINK = 0.709  # sides of the pyramid's next level: half the area
_CELL, _STRIDE = 12, 2  # what the first network sees, and how it moves
_BATCH = 256
_COMPARED = 128  # boxes that are compared with all others at once: bounds memory
# What the networks get for each value of a channel.
_SCALED = ((np.arange(256) - 127.5) / 128).astype(np.float32)
_FIRST_SIDE, _SECOND_SIDE = 1024, 2048
# A second pass at a higher resolution pays only where small faces are likely; see docs/models.md.
_LARGE_PHOTO, _CROWD, _SMALL_FACE = 1400, 6, 0.06


@dataclass(frozen=True)
class Detection:
    """Faces of a photo, in its pixels.

    Attributes:
        boxes: n x 4: left, top, right, bottom.
        scores: n, 0 to 1.
        points: n x 5 x 2: eye, eye, nose, mouth corner, mouth corner; left in the photo first.
    """

    boxes: Array
    scores: Array
    points: Array

    def __len__(self) -> int:
        """Return how many faces there are."""
        return len(self.boxes)

    def only(self, keep: Array) -> "Detection":
        """Return the faces of these indices."""
        return Detection(self.boxes[keep], self.scores[keep], self.points[keep])


def _nothing() -> Detection:
    return Detection(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))


def _overlaps(some: Array, boxes: Array, *, by_smaller: bool) -> Array:
    """Return the overlap of each of some boxes (rows) with each box (columns)."""
    left, top, right, bottom = boxes.T
    some_left, some_top, some_right, some_bottom = some.T[:, :, None]
    width = np.minimum(some_right, right) - np.maximum(some_left, left) + 1
    height = np.minimum(some_bottom, bottom) - np.maximum(some_top, top) + 1
    shared = np.maximum(0, width) * np.maximum(0, height)
    areas = (right - left + 1) * (bottom - top + 1)
    some_areas = (some_right - some_left + 1) * (some_bottom - some_top + 1)
    if by_smaller:
        return np.asarray(shared / np.minimum(some_areas, areas))
    return np.asarray(shared / (some_areas + areas - shared))


def suppress(boxes: Array, scores: Array, limit: float, *, by_smaller: bool = False) -> Array:
    """Return the indices that non-maximum suppression keeps, best first.

    Args:
        boxes: n x 4: left, top, right, bottom.
        scores: n.
        limit: overlap, 0 to 1, above which the box with the lower score is dropped.
        by_smaller: measure the overlap by the smaller box instead of the union.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        # The best ones are compared with all at once: few large calculations instead of many small.
        best = order[:_COMPARED]
        apart = _overlaps(boxes[best], boxes[order], by_smaller=by_smaller) <= limit
        alive = np.ones(len(order), bool)
        for row, index in enumerate(best):
            if alive[row]:
                kept.append(int(index))
                alive &= apart[row]
        order = order[_COMPARED:][alive[_COMPARED:]]
    return np.array(kept, int)


def _squares(boxes: Array) -> Array:
    """Return the boxes as squares around the same centres."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size / 2 - side / 2
    return np.concatenate([corner, corner + side], axis=1)


def _moved(boxes: Array, offsets: Array) -> Array:
    """Return boxes corrected by a network's offsets, which are shares of the box."""
    moved: Array = boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return moved


def _crops(picture: Array, boxes: Array, side: int) -> Array:
    """Return square crops for a network: n x side x side x 3, x before y, -1 to 1."""
    height, width = picture.shape[:2]
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    for index, (x1, y1, x2, y2) in enumerate(boxes.round().astype(int)):
        x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
        inner = picture[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
        if inner.shape[0] != y2 - y1 or inner.shape[1] != x2 - x1:
            padded = np.zeros((y2 - y1, x2 - x1, 3), np.uint8)
            if inner.size:
                row, column = max(-y1, 0), max(-x1, 0)
                padded[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
            inner = padded
        cv2.resize(inner, (side, side), dst=crops[index], interpolation=cv2.INTER_AREA)
    return _scaled(np.ascontiguousarray(crops.transpose(0, 2, 1, 3)))


def _scaled(pixels: Array) -> Array:
    """Return bytes of any shape as the networks expect them, -1 to 1."""
    flat = cv2.LUT(pixels.reshape(1, -1), _SCALED)
    return np.asarray(flat).reshape(pixels.shape)


class Mtcnn:
    """The detector.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._proposal = shared_model(store, "mtcnn-pnet.onnx", runtime)
        self._refine = shared_model(store, "mtcnn-rnet.onnx", runtime)
        self._output = shared_model(store, "mtcnn-onet.onnx", runtime)

    def detect(self, rgb: Array) -> Detection:
        """Return the faces of a photo, largest first.

        Args:
            rgb: height x width x 3, 8 bits.
        """
        faces = self._pass(rgb, _FIRST_SIDE)
        longest = max(rgb.shape[:2])
        if longest > _LARGE_PHOTO and _may_hold_small_faces(faces, longest):
            faces = _merged(faces, self._pass(rgb, _SECOND_SIDE))
        heights = faces.boxes[:, 3] - faces.boxes[:, 1]
        return faces.only(np.argsort(-heights, kind="stable"))

    def _pass(self, rgb: Array, longest: int) -> Detection:
        """Run the three networks on the photo shrunk to this longest side."""
        scale = min(1.0, longest / max(rgb.shape[:2]))
        picture = rgb
        if scale < 1:
            size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
            picture = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        boxes = self._propose(picture)
        if len(boxes):
            boxes = self._refined(picture, boxes)
        if not len(boxes):
            return _nothing()
        faces = self._final(picture, boxes)
        return Detection(faces.boxes / scale, faces.scores, faces.points / scale)

    def _propose(self, picture: Array) -> Array:
        """Run the first network over a pyramid of ever smaller pictures; return boxes."""
        height, width = picture.shape[:2]
        scale = _CELL / _SMALLEST
        boxes, scores, offsets = [], [], []
        while min(height, width) * scale >= _CELL:
            size = (int(np.ceil(width * scale)), int(np.ceil(height * scale)))
            # Of the picture itself: levels made of halves of it, which is quicker, moved boxes
            # enough to change which faces match.
            level = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            offset, probability = self._proposal.run(
                {"input_1": _scaled(cv2.transpose(level))[None]}
            )
            face = probability[0, :, :, 1]
            xs, ys = np.where(face >= _PROPOSAL)
            if len(xs):
                corner = np.stack([xs, ys], 1) * _STRIDE
                level_boxes = np.concatenate([corner + 1, corner + _CELL], 1) / scale
                level_scores = face[xs, ys]
                keep = suppress(level_boxes, level_scores, 0.5)
                boxes.append(level_boxes[keep])
                scores.append(level_scores[keep])
                offsets.append(offset[0][xs, ys][keep])
            scale *= _SHRINK
        if not boxes:
            return np.zeros((0, 4))
        all_boxes = np.concatenate(boxes)
        keep = suppress(all_boxes, np.concatenate(scores), 0.7)
        return _squares(_moved(all_boxes[keep], np.concatenate(offsets)[keep]))

    def _refined(self, picture: Array, boxes: Array) -> Array:
        """Return the boxes that the second network accepts, corrected."""
        offsets, probability = _in_batches(self._refine, "input_2", _crops(picture, boxes, 24))
        passed = np.where(probability[:, 1] > _REFINED)[0]
        if not len(passed):
            return np.zeros((0, 4))
        boxes, scores, offsets = boxes[passed], probability[passed, 1], offsets[passed]
        keep = suppress(boxes, scores, 0.7)
        return _squares(_moved(boxes[keep], offsets[keep]))

    def _final(self, picture: Array, boxes: Array) -> Detection:
        """Return the faces that the third network accepts, in pixels of the picture."""
        crops = _crops(picture, boxes, 48)
        offsets, marks, probability = _in_batches(self._output, "input_3", crops)
        passed = np.where(probability[:, 1] > _FINAL)[0]
        if not len(passed):
            return _nothing()
        boxes, marks = boxes[passed], marks[passed]
        size = boxes[:, 2:] - boxes[:, :2]
        xs = boxes[:, :1] + size[:, :1] * marks[:, :5]
        ys = boxes[:, 1:2] + size[:, 1:] * marks[:, 5:]
        faces = Detection(
            _moved(boxes, offsets[passed]), probability[passed, 1], np.stack([xs, ys], 2)
        )
        return faces.only(suppress(faces.boxes, faces.scores, 0.7, by_smaller=True))


def _in_batches(model: Model, name: str, crops: Array) -> list[Array]:
    """Run a network on many crops, `_BATCH` at a time."""
    parts = [
        model.run({name: crops[start : start + _BATCH]}) for start in range(0, len(crops), _BATCH)
    ]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _may_hold_small_faces(faces: Detection, longest: int) -> bool:
    if not len(faces) or len(faces) >= _CROWD:
        return True
    heights = faces.boxes[:, 3] - faces.boxes[:, 1]
    return bool(heights.min() < _SMALL_FACE * longest)


def _merged(one: Detection, other: Detection) -> Detection:
    """Return the faces of both passes, each face once."""
    both = Detection(
        np.concatenate([one.boxes, other.boxes]),
        np.concatenate([one.scores, other.scores]),
        np.concatenate([one.points, other.points]),
    )
    if not len(both):
        return both
    both = both.only(suppress(both.boxes, both.scores, 0.4))
    return both.only(suppress(both.boxes, both.scores, 0.6, by_smaller=True))
