"""Photos as the services take them: JPEG, upright, within their limits of bytes and pixels."""

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo
from imaginem.outputs import Rectangle

if TYPE_CHECKING:
    from PIL import Image

_QUALITIES = (92, 85)
_SHRINK_AT_MOST = 0.9  # each further try is this much smaller, or smaller still


@dataclass(frozen=True)
class ServiceLimits:
    """What a service takes.

    Attributes:
        bytes: of the file, at most.
        least, most: pixels of a side.
    """

    bytes: int
    least: int
    most: int


# Computer Vision 3.2, "Analyze Image" and "Read": 4 MB, 50 to 10,000 pixels a side.
VISION_LIMITS = ServiceLimits(4 * 1024 * 1024, 50, 10_000)
# Face 1.2, "Detect": 6 MB; smaller than 36 pixels there can be no face.
FACE_LIMITS = ServiceLimits(6 * 1024 * 1024, 36, 10_000)


@dataclass(frozen=True)
class Payload:
    """A file to send, and how its pixels relate to the photo's.

    Attributes:
        across, down: the photo's pixels for one pixel of the file.
        left, top: where the file begins in the photo, in the photo's pixels.
    """

    data: bytes
    width: int
    height: int
    across: float = 1.0
    down: float = 1.0
    left: int = 0
    top: int = 0

    def x(self, value: float) -> float:
        """Return the photo's x of a file's."""
        return self.left + value * self.across

    def y(self, value: float) -> float:
        """Return the photo's y of a file's."""
        return self.top + value * self.down

    def rectangle_there(self, where: Rectangle) -> Rectangle:
        """Return a rectangle of the photo in the file's pixels."""
        left = round((where.left - self.left) / self.across)
        top = round((where.top - self.top) / self.down)
        right = round((where.left + where.width - self.left) / self.across)
        bottom = round((where.top + where.height - self.top) / self.down)
        left, top = max(left, 0), max(top, 0)
        return Rectangle(
            left=left,
            top=top,
            width=max(min(right, self.width) - left, 1),
            height=max(min(bottom, self.height) - top, 1),
        )


def payload(photo: Photo, limits: ServiceLimits, part: Rectangle | None = None) -> Payload:
    """Return a photo, or a part of it, as a file that keeps a service's limits.

    Raises:
        PermanentError: it is too narrow to be made to fit.
    """
    left, top = (part.left, part.top) if part else (0, 0)
    whole = photo.pil
    if part:
        whole = whole.crop((left, top, left + part.width, top + part.height))
    picture = _sized(whole, _scale(whole.width, whole.height, limits))
    data = _encoded(picture, limits)
    while len(data) > limits.bytes:
        shrink = min(_SHRINK_AT_MOST, math.sqrt(limits.bytes / len(data)) * 0.95)
        if min(picture.size) * shrink < limits.least:
            raise PermanentError(
                f"a photo of {photo.width}x{photo.height} pixels does not fit into "
                f"{limits.bytes // 1024 // 1024} MB, which the service takes: cut it into parts"
            )
        picture = _sized(picture, shrink)
        data = _encoded(picture, limits)
    return Payload(
        data=data,
        width=picture.width,
        height=picture.height,
        across=whole.width / picture.width,
        down=whole.height / picture.height,
        left=left,
        top=top,
    )


def _scale(width: int, height: int, limits: ServiceLimits) -> float:
    """Return the factor that brings both sides within the limits."""
    shorter, longer = min(width, height), max(width, height)
    scale = min(1.0, limits.most / longer)
    if shorter * scale < limits.least:
        scale = math.ceil(limits.least / shorter * 1000) / 1000
    if longer * scale > limits.most:
        raise PermanentError(
            f"the photo has {width}x{height} pixels: the service takes sides of {limits.least} to "
            f"{limits.most} pixels; cut it into parts"
        )
    return scale


def _sized(picture: "Image.Image", scale: float) -> "Image.Image":
    if scale == 1:
        return picture
    from PIL import Image

    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _encoded(picture: "Image.Image", limits: ServiceLimits) -> bytes:
    data = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        data = out.getvalue()
        if len(data) <= limits.bytes:
            break
    return data
