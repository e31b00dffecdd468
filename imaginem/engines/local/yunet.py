"""YuNet (Wu et al. 2023): one network that finds the faces of a picture."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.models import RuntimeSetting, shared_model

Array = NDArray[Any]

_STRIDES = (8, 16, 32)
"""Pixels between the places of each of the network's three grids."""
_MULTIPLE = 32  # of which the sides of its input must be


class Yunet:
    """Finds faces of about 20 to 600 pixels; smaller and larger ones need another size.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._model = shared_model(store, "yunet.onnx", runtime)

    def find(self, picture: Array, least: float) -> tuple[Array, Array]:
        """Return the boxes of faces, of which several may be of one face, and their scores.

        Args:
            picture: height x width x 3, RGB, 8 bits.
            least: the lowest score that is returned.

        Returns:
            n x 4 (left, top, right, bottom in pixels; may reach out of the picture), and n scores
            from 0 to 1.
        """
        names = [f"{kind}_{stride}" for stride in _STRIDES for kind in ("cls", "obj", "bbox")]
        batch = _batch(picture)
        values = self._model.run({"input": batch}, *names)
        boxes, scores = [], []
        for number, stride in enumerate(_STRIDES):
            kind, there, sides = (part[0] for part in values[3 * number : 3 * number + 3])
            # How sure the network is that it is a face, and that something is there at all.
            both = np.sqrt(np.clip(kind[:, 0], 0, 1) * np.clip(there[:, 0], 0, 1))
            found = np.flatnonzero(both >= least)
            rows, columns = np.divmod(found, batch.shape[3] // stride)
            centre = (np.stack([columns, rows], 1) + sides[found, :2]) * stride
            half = np.exp(sides[found, 2:]) * stride / 2
            boxes.append(np.concatenate([centre - half, centre + half], 1))
            scores.append(both[found])
        return np.concatenate(boxes), np.concatenate(scores)


def _batch(picture: Array) -> Array:
    """Return a picture as the network's input, filled up with black to the right and below."""
    height, width = picture.shape[:2]
    below, right = -height % _MULTIPLE, -width % _MULTIPLE
    if below or right:
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT)
    planes = [picture[:, :, channel] for channel in (2, 1, 0)]  # it was trained on BGR
    batch = np.empty((1, 3, *picture.shape[:2]), np.float32)
    np.copyto(batch[0], planes)
    return batch
