"""Smaller copies of photos for people to look at: made once, kept as blobs."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaginem.errors import NotFound
from imaginem.images.decoding import BYTE_LIMIT, decode_photo, opened_photo
from imaginem.names import job_prefix
from imaginem.pipeline.source import photo_containers
from imaginem.ports import JobResult, Services

if TYPE_CHECKING:
    from PIL import Image

CONTAINER = "thumbnails"
SIZES = {"thumbnail": 320, "view": 1600}
"""Pixels of the longer side, at most."""
_ORIENTATION = 0x0112  # Exif 2.32: 5 to 8 lie on their side
_QUALITY = {"thumbnail": 78, "view": 88}
MEDIA_TYPE = "image/jpeg"


@dataclass(frozen=True)
class Rendition:
    """A picture in a file, and what tells it from an earlier one of the same photo."""

    data: bytes
    version: str


def version_of(result: JobResult) -> str:
    """Return what changes when the job is run again."""
    at = result.timestamp
    return f"{at.timestamp() * 1000:.0f}" if at else "0"


def original(services: Services, result: JobResult) -> bytes:
    """Return the photo's file as it was sent.

    Raises:
        NotFound: it could never be had, or is gone.
    """
    blobs = services.blobs
    place = blobs.locate(result.photo_url) if result.photo_url else None
    if place is None or place[0] not in photo_containers(services):
        raise NotFound(f"the photo of job {result.id} is not kept here")
    return blobs.get(*place, BYTE_LIMIT)


def size_of(services: Services, result: JobResult) -> tuple[int, int]:
    """Return width and height of the upright photo, in which coordinates are told.

    Raises:
        NotFound: there is no photo.
        PermanentError: it can't be read.
    """
    with opened_photo(original(services, result)) as opened:
        width, height = opened.size
        turned = opened.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def rendition(services: Services, result: JobResult, size: str) -> Rendition:
    """Return a smaller copy, upright and without what the file tells besides its pixels.

    Args:
        services: where photos and copies are.
        result: of the photo's job.
        size: a name of `SIZES`.

    Raises:
        NotFound: there is no photo.
        PermanentError: it can't be decoded.
    """
    version = version_of(result)
    blobs = services.blobs
    name = f"{job_prefix(result.batch_id, result.id)}{size}-{version}.jpg"
    try:
        return Rendition(blobs.get(CONTAINER, name, BYTE_LIMIT), version)
    except NotFound:
        made = _made(decode_photo(original(services, result)).pil, size)
    blobs.put(CONTAINER, name, made, MEDIA_TYPE)
    if services.results.read((result.batch_id, result.id)) is None:  # erased meanwhile
        blobs.delete(CONTAINER, name)
        raise NotFound(f"the photo of job {result.id} is gone")
    return Rendition(made, version)


def _made(picture: "Image.Image", size: str) -> bytes:
    from PIL import Image

    longest = SIZES[size]
    small = picture.copy()
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY[size], optimize=True, progressive=True)
    return out.getvalue()
