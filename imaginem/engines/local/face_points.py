"""The five points of a face: the third network of MTCNN (Zhang et al. 2016)."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.models import RuntimeSetting, shared_model

Array = NDArray[Any]

_SIDE = 48  # of what the network sees
_BATCH = 256
# What the network gets for each value of a channel.
_SCALED = ((np.arange(256) - 127.5) / 128).astype(np.float32)


class FacePoints:
    """Finds the points by which faces are aligned.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._model = shared_model(store, "mtcnn-onet.onnx", runtime)

    def find(self, rgb: Array, boxes: Array) -> tuple[Array, Array]:
        """Return the points of faces, and how sure the network is that each is a bare face.

        Args:
            rgb: the photo, height x width x 3, 8 bits.
            boxes: n x 4: left, top, right, bottom.

        Returns:
            n x 5 x 2 (eye, eye, nose, mouth corner, mouth corner; left in the photo first), and n
            scores from 0 to 1.
        """
        squares = _squares(boxes)
        marks, sure = np.zeros((0, 10), np.float32), np.zeros((0, 2), np.float32)
        for start in range(0, len(squares), _BATCH):
            crops = _crops(rgb, squares[start : start + _BATCH])
            _, some_marks, some_sure = self._model.run({"input_3": crops})
            marks, sure = np.concatenate([marks, some_marks]), np.concatenate([sure, some_sure])
        corners, sides = squares[:, :2], squares[:, 2:] - squares[:, :2]
        across, down = marks[:, :5], marks[:, 5:]
        return corners[:, None] + sides[:, None] * np.stack([across, down], 2), sure[:, 1]


def _squares(boxes: Array) -> Array:
    """Return the boxes as squares around the same centres."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size / 2 - side / 2
    return np.concatenate([corner, corner + side], axis=1)


def _crops(picture: Array, boxes: Array) -> Array:
    """Return square crops for the network: n x side x side x 3, x before y, -1 to 1."""
    height, width = picture.shape[:2]
    crops = np.empty((len(boxes), _SIDE, _SIDE, 3), np.uint8)
    for index, (x1, y1, x2, y2) in enumerate(boxes.round().astype(int)):
        x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
        inner = picture[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
        if inner.shape[0] != y2 - y1 or inner.shape[1] != x2 - x1:
            padded = np.zeros((y2 - y1, x2 - x1, 3), np.uint8)
            if inner.size:
                row, column = max(-y1, 0), max(-x1, 0)
                padded[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
            inner = padded
        cv2.resize(inner, (_SIDE, _SIDE), dst=crops[index], interpolation=cv2.INTER_AREA)
    turned = np.ascontiguousarray(crops.transpose(0, 2, 1, 3))
    return np.asarray(cv2.LUT(turned.reshape(1, -1), _SCALED)).reshape(turned.shape)
