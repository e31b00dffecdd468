"""Smaller copies of photos for the pages, each made once and kept as a blob."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaginem.errors import NotFound
from imaginem.images.decoding import decode_photo
from imaginem.images.exif import read_exif
from imaginem.images.limits import BYTE_LIMIT
from imaginem.images.opening import opened_photo
from imaginem.images.survey import opened_apart
from imaginem.names import job_prefix
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.source import photo_containers, photo_file
from imaginem.ports import AuditDeed, AuditSubject, JobResult, Services
from imaginem.usecases.audit.acting import note

if TYPE_CHECKING:
    from PIL import Image

CONTAINER = "thumbnails"
SIZES = {"thumbnail": 320, "view": 1600}
"""Most pixels of the longer side, by name of the size."""
_ORIENTATION = 0x0112  # Exif 2.32, 4.6.4
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_QUALITY = {"thumbnail": 78, "view": 88}
MEDIA_TYPE = "image/jpeg"


@dataclass(frozen=True)
class Rendition:
    """A smaller copy: its JPEG file, and its version as of `version_of`."""

    data: bytes
    version: str


def version_of(result: JobResult) -> str:
    """Return a text that changes when the job is run again."""
    saved = result.timestamp
    return f"{saved.timestamp() * 1000:.0f}" if saved else "0"


def original(services: Services, result: JobResult) -> bytes:
    """Return the photo's file as it was sent.

    Raises:
        NotFound: the photo is not in our storage, or no longer.
        PermanentError: another photo was put in its place.
    """
    blobs = services.blobs
    blob = blobs.locate(result.photo_url) if result.photo_url else None
    if blob is None or blob[0] not in photo_containers(services):
        raise NotFound(f"the photo of job {result.id} is not kept here")
    row = read_row(services.log, (result.batch_id, result.id))
    return photo_file(blobs, blob, row.dropped if row else None)


def download(services: Services, result: JobResult) -> bytes:
    """Return the photo's file to somebody who takes it away.

    Raises:
        NotFound, PermanentError: as `original`.
    """
    note(services, AuditDeed.DOWNLOADED, AuditSubject.JOB, result.batch_id, result.id)
    return original(services, result)


def facts_of(services: Services, result: JobResult, *, gps: bool) -> dict[str, str]:
    """Return what the photo's file says about camera and time, and with `gps` the place.

    Raises:
        NotFound, PermanentError: as `original`.
    """
    note(services, AuditDeed.VIEWED, AuditSubject.JOB, result.batch_id, result.id)
    return read_exif(original(services, result), gps=gps)


def size_of(services: Services, result: JobResult, page: int = 1) -> tuple[int, int]:
    """Return width and height of the upright photo in pixels, which coordinates refer to.

    Args:
        services: where the photo is.
        result: of the photo's job.
        page: of its file, from 1 on.

    Raises:
        NotFound: the photo is not in our storage.
        PermanentError: it can't be decoded, or has no such page.
    """
    data = original(services, result)
    if page > 1 or opened_apart(data):
        photo = decode_photo(data, page)
        return photo.width, photo.height
    with opened_photo(data) as opened:
        width, height = opened.size
        # Pillow tells the size of an upright TIFF itself.
        turned = opened.format != "TIFF" and opened.getexif().get(_ORIENTATION, 1) in _TURNED
    return (height, width) if turned else (width, height)


def kept_rendition(
    services: Services, result: JobResult, size: str, page: int = 1
) -> Rendition | None:
    """Return a smaller copy of a photo if it was made before; asked first, it records the view.

    Args:
        services: where copies are.
        result: of the photo's job.
        size: a name of `SIZES`.
        page: of the photo's file, from 1 on.
    """
    note(services, AuditDeed.VIEWED, AuditSubject.JOB, result.batch_id, result.id)
    try:
        data = services.blobs.get(CONTAINER, _name(result, size, page), BYTE_LIMIT)
    except NotFound:
        return None
    return Rendition(data, version_of(result))


def make_rendition(services: Services, result: JobResult, size: str, page: int = 1) -> Rendition:
    """Make a smaller copy of a photo, upright and without metadata, and keep it.

    Args:
        services: where photos and copies are.
        result: of the photo's job.
        size: a name of `SIZES`.
        page: of the photo's file, from 1 on.

    Raises:
        NotFound: the photo is not in our storage.
        PermanentError: it can't be decoded, or has no such page.
    """
    data = _shrink(decode_photo(original(services, result), page).pil, size)
    name = _name(result, size, page)
    services.blobs.put(CONTAINER, name, data, MEDIA_TYPE)
    if services.results.read((result.batch_id, result.id)) is None:  # erased meanwhile
        services.blobs.delete(CONTAINER, name)
        raise NotFound(f"the photo of job {result.id} was erased")
    return Rendition(data, version_of(result))


def _name(result: JobResult, size: str, page: int) -> str:
    later = f"-{page}" if page > 1 else ""
    return f"{job_prefix(result.batch_id, result.id)}{size}-{version_of(result)}{later}.jpg"


def _shrink(picture: "Image.Image", size: str) -> bytes:
    """Shrink a picture, and return it as a JPEG file of a size."""
    from PIL import Image

    longer_side = SIZES[size]
    picture.thumbnail((longer_side, longer_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY[size], optimize=True, progressive=True)
    return out.getvalue()
