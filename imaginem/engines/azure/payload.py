"""Photos as the services accept them: JPEG, upright, within their limits of bytes and pixels.

A JPEG file that fits is sent as it is, but without its metadata: that costs neither quality nor
time. Anything else is encoded anew.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from imaginem.engines.azure.limits import ServiceLimits
from imaginem.errors import PermanentError
from imaginem.images.bare_jpeg import NotBare, bare_jpeg
from imaginem.images.decoding import Photo
from imaginem.images.limits import BYTE_LIMIT
from imaginem.outputs import Rectangle

if TYPE_CHECKING:
    from PIL import Image

_MOST_SENT = BYTE_LIMIT
"""Most bytes of a file that we send, though Read takes 500 MB: as many as a photo of ours may have.
So each fits as it is, two of them fill no worker, and an upload takes seconds."""
_CORNER_NUMBERS = 8  # x and y of four corners
_BEST, _QUALITIES = 95, (92, 85)
_SHRINK_AT_MOST = 0.9  # each further try is this much smaller, or smaller still


class PhotoScale(Protocol):
    """Tells where a place in a file that was sent is in the photo."""

    def x(self, value: float) -> float:
        """Return an x of the file as an x of the photo."""

    def y(self, value: float) -> float:
        """Return a y of the file as a y of the photo."""


@dataclass(frozen=True)
class Payload:
    """A file to send, and how its pixels relate to the photo's.

    Attributes:
        data: the JPEG file.
        width: of the file, in pixels.
        height: of the file, in pixels.
        across: the photo's pixels for one pixel of the file, from left to right.
        down: the same, from top to bottom.
        left: the photo's x where the file begins.
        top: the photo's y where the file begins.
    """

    data: bytes
    width: int
    height: int
    across: float = 1.0
    down: float = 1.0
    left: int = 0
    top: int = 0

    def x(self, value: float) -> float:
        """Return an x of the file as an x of the photo."""
        return self.left + value * self.across

    def y(self, value: float) -> float:
        """Return a y of the file as a y of the photo."""
        return self.top + value * self.down

    def corners(self, told: Sequence[float]) -> list[int]:
        """Return four corners in the photo's pixels; none unless all of them are told.

        Args:
            told: x and y of each corner in turn, in the file's pixels.
        """
        if len(told) != _CORNER_NUMBERS:
            return []
        return [
            round(self.y(value) if index % 2 else self.x(value)) for index, value in enumerate(told)
        ]

    def in_file(self, where: Rectangle) -> Rectangle:
        """Return a rectangle of the photo in the file's pixels, cut off at the file's edges."""
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
    """Return a photo, or a part of it, as a file within a service's limits.

    Raises:
        PermanentError: it is too long and narrow for any scale to fit.
    """
    if part is None and (data := _as_it_is(photo, limits)):
        return Payload(data=data, width=photo.width, height=photo.height)
    left, top = (part.left, part.top) if part else (0, 0)
    whole = photo.crop((left, top, left + part.width, top + part.height)) if part else photo.pil
    return as_payload(whole, limits, left, top)


def as_payload(whole: "Image.Image", limits: ServiceLimits, left: int = 0, top: int = 0) -> Payload:
    """Return a picture as a file within a service's limits.

    Args:
        whole: the picture.
        limits: of the service.
        left: the photo's x where the picture begins.
        top: the photo's y where the picture begins.

    Raises:
        PermanentError: it is too long and narrow for any scale to fit.
    """
    picture = sized(whole, _scale(whole.width, whole.height, limits))
    most = _most_bytes(limits)
    data = _encoded(picture, most)
    while len(data) > most:
        shrink = min(_SHRINK_AT_MOST, math.sqrt(most / len(data)) * 0.95)
        if min(picture.size) * shrink < limits.min_side:
            raise PermanentError(
                f"a photo of {whole.width}x{whole.height} pixels does not fit into "
                f"{most // 1024 // 1024} MB, which the service takes: cut it into parts"
            )
        picture = sized(picture, shrink)
        data = _encoded(picture, most)
    return Payload(
        data=data,
        width=picture.width,
        height=picture.height,
        across=whole.width / picture.width,
        down=whole.height / picture.height,
        left=left,
        top=top,
    )


def _most_bytes(limits: ServiceLimits) -> int:
    return min(limits.max_bytes, _MOST_SENT)


def _as_it_is(photo: Photo, limits: ServiceLimits) -> bytes:
    """Return the photo's own file without its metadata; empty if it can't be sent."""
    sides = (photo.width, photo.height)
    if not photo.same_file or min(sides) < limits.min_side or max(sides) > limits.max_side:
        return b""
    try:
        data = bare_jpeg(photo.same_file)
    except NotBare:
        return b""
    return data if len(data) <= _most_bytes(limits) else b""


def _scale(width: int, height: int, limits: ServiceLimits) -> float:
    """Return the factor that brings both sides within the limits."""
    shorter, longer = min(width, height), max(width, height)
    scale = min(1.0, limits.max_side / longer)
    if shorter * scale < limits.min_side:
        scale = math.ceil(limits.min_side / shorter * 1000) / 1000
    if longer * scale > limits.max_side:
        raise PermanentError(
            f"the photo has {width}x{height} pixels: the service takes sides of "
            f"{limits.min_side} to {limits.max_side} pixels; cut it into parts"
        )
    return scale


def sized(picture: "Image.Image", scale: float) -> "Image.Image":
    """Return a picture at another scale: 0.5 halves its sides."""
    if scale == 1:
        return picture
    from PIL import Image

    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _encoded(picture: "Image.Image", most: int) -> bytes:
    """Return a JPEG file, of `most` bytes at most if one of the qualities allows."""
    # The best quality takes a third of a byte a pixel or more: with less room it is not tried.
    roomy = picture.width * picture.height <= most * 3
    data = b""
    for quality in (_BEST, *_QUALITIES) if roomy else _QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, comment=b"")  # else Pillow keeps the photo's
        data = out.getvalue()
        if len(data) <= most:
            break
    return data
