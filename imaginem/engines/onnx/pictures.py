"""Photos as networks take them, and boxes back in pixels of the photo."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imaginem.ports.model_card import InputSpec

if TYPE_CHECKING:
    from PIL import Image

Array = NDArray[Any]


@dataclass(frozen=True)
class Fitted:
    """A photo that was made to fit a network's input.

    Attributes:
        picture: height x width x 3, RGB, 8 bits; or height x width, grey.
        scale_x: by which widths of the photo were multiplied.
        scale_y: by which heights were.
        left: pixels of the input that are left of the photo; negative where it was cut.
        top: pixels of the input above it.
    """

    picture: Array
    scale_x: float
    scale_y: float
    left: float
    top: float

    def in_photo(self, boxes: Array) -> Array:
        """Return boxes of the input (n x 4: left, top, right, bottom) in pixels of the photo."""
        offset = np.array([self.left, self.top, self.left, self.top])
        scale = np.array([self.scale_x, self.scale_y, self.scale_x, self.scale_y])
        return np.asarray((boxes - offset) / scale)


def fit(photo: "Image.Image", spec: InputSpec) -> Fitted:
    """Return a photo (RGB) at the size and shape that a card wants."""
    if spec.resize == "letterbox":
        return _letterboxed(photo, spec)
    left, top, width, height = 0.0, 0.0, float(photo.width), float(photo.height)
    if spec.resize == "crop":
        shape = spec.width / spec.height
        width = min(width, height * shape) * spec.crop_share
        height = width / shape
        left, top = (photo.width - width) / 2, (photo.height - height) / 2
    scale_x, scale_y = spec.width / width, spec.height / height
    box = (left, top, left + width, top + height)
    picture = _resized(photo, spec, (spec.width, spec.height), box)
    return Fitted(np.asarray(picture), scale_x, scale_y, -left * scale_x, -top * scale_y)


def _letterboxed(photo: "Image.Image", spec: InputSpec) -> Fitted:
    scale = min(spec.width / photo.width, spec.height / photo.height)
    width = max(1, min(spec.width, round(photo.width * scale)))
    height = max(1, min(spec.height, round(photo.height * scale)))
    small = np.asarray(_resized(photo, spec, (width, height), None))
    left, top = (spec.width - width) // 2, (spec.height - height) // 2
    picture = np.full((spec.height, spec.width, *small.shape[2:]), spec.fill, np.uint8)
    picture[top : top + height, left : left + width] = small
    return Fitted(picture, width / photo.width, height / photo.height, left, top)


def _resized(
    photo: "Image.Image",
    spec: InputSpec,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None,
) -> "Image.Image":
    from PIL.Image import Resampling

    # The gap lets Pillow average whole blocks first: a third of the time for 12 megapixels, and
    # values that differ by a quarter of 255ths on average.
    small = photo.resize(size, Resampling.BILINEAR, box, reducing_gap=3.0)
    return small.convert("L") if spec.colours == "GREY" else small


def tensor(picture: Array, spec: InputSpec, dtype: Any) -> Array:
    """Return a fitted picture as the network's input: one picture, of the card's numbers.

    Args:
        picture: as of `Fitted`.
        spec: the card's.
        dtype: of the input; whole numbers are left as pixels are.
    """
    planes = picture[:, :, None] if picture.ndim == 2 else picture
    if spec.colours == "BGR":
        planes = planes[:, :, ::-1]
    if dtype != np.uint8:
        values = planes.astype(np.float32) / spec.divisor
        mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
        planes = ((values - mean) / std).astype(dtype)
    if spec.layout == "NCHW":
        planes = planes.transpose(2, 0, 1)
    return np.ascontiguousarray(planes[None])
