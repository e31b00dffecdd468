"""Which way a photo lies: decided once, for all engines, where the photo's file does not tell."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.models import RuntimeSetting, shared_model
from imaginem.engines.local.quarter_turns import TURNS
from imaginem.images.decoding import Photo
from imaginem.outputs import Turn

Array = NDArray[Any]

_SURE = 0.85
"""Shares from here on decide alone. The network never says more than 0.95."""
_UPRIGHT = 0.6  # an upright photo needs less: nothing happens to it
_SIDE = 224  # of what the network sees
_SEEN = 0.875  # of the short side, in the middle of the photo: as the network was trained
_SMALLEST = 32  # pixels of a side; in less than that nothing can be told
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class Orientation:
    """How likely each turn is to make a photo upright.

    Attributes:
        shares: of the turns of `TURNS`, together 1; None where the file tells, or nothing can.
    """

    shares: tuple[float, ...] | None

    @property
    def likeliest(self) -> int:
        """The most likely turn, in degrees."""
        return max(TURNS, key=self.share)

    @property
    def is_sure(self) -> bool:
        """Whether the most likely turn can be taken without another proof."""
        return self.certainty >= (_SURE if self.likeliest else _UPRIGHT)

    @property
    def certainty(self) -> float:
        """How likely the most likely turn is, from 0 to 1."""
        return self.share(self.likeliest)

    def share(self, degrees: int) -> float:
        """Return how likely a turn is, from 0 to 1."""
        if self.shares is None:
            return float(degrees == 0)
        return self.shares[degrees // 90]

    def told(self, degrees: int) -> Turn:
        """Return a turn as outputs tell it."""
        sure = None if self.shares is None else round(self.share(degrees), 3)
        return Turn(degrees=degrees, confidence=sure)


AS_IT_LIES = Orientation(None)
"""Of a photo that is taken for upright without looking at it."""


class OrientationFinder:
    """Tells which way photos lie.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._model = shared_model(store, "orientation.onnx", runtime)

    def of(self, photo: Photo) -> Orientation:
        """Return which way a photo lies; it is found out once, and kept with the photo."""
        if photo.told_upright or min(photo.width, photo.height) < _SMALLEST:
            return AS_IT_LIES
        return self.by_looks(photo)

    def by_looks(self, photo: Photo) -> Orientation:
        """Return which way a photo lies, whatever its file tells."""
        return photo.once("orientation", lambda: self._find(photo.array))

    def _find(self, rgb: Array) -> Orientation:
        """Look at the middle of a photo, and unless that is surely upright, at the whole, too."""
        middle = self._shares(_middle(rgb))
        if middle[0] >= _SURE:
            return Orientation(tuple(middle.tolist()))
        return Orientation(tuple(((middle + self._shares(rgb)) / 2).tolist()))

    def _shares(self, rgb: Array) -> Array:
        seen = (_shrunk(rgb).astype(np.float32) / 255 - _MEAN) / _DEVIATION
        batch = np.ascontiguousarray(seen.transpose(2, 0, 1)[None])
        shares = self._model.run({"x": batch})[0][0]
        # The network tells how far a photo is turned; what turns it back is the other way round.
        return np.take(shares, [0, 3, 2, 1])


def _middle(rgb: Array) -> Array:
    height, width = rgb.shape[:2]
    side = max(round(min(height, width) * _SEEN), 1)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]


def _shrunk(rgb: Array) -> Array:
    """Return a picture as the network's square."""
    # Leaving out rows and columns first is much quicker on large photos.
    rows, columns = (max(side // (2 * _SIDE), 1) for side in rgb.shape[:2])
    few = np.ascontiguousarray(rgb[::rows, ::columns])
    shrinks = min(few.shape[:2]) >= _SIDE
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(few, (_SIDE, _SIDE), interpolation=how)
