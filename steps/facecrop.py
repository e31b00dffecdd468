"""Each face cut out of the photo."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from imaginem import JobContext, PermanentError, Photo, StepOutput, step
from imaginem.outputs import Face, Rectangle
from steps.facedetection import facedetection

_UPLOADS_AT_ONCE = 4


class FaceCrop(StepOutput):
    """Where a face's picture lies, and its size in pixels."""

    face_id: uuid.UUID
    url: str
    width: int
    height: int
    page: int | None = None


class FaceCrops(StepOutput):
    """One picture a face."""

    faces: list[FaceCrop]


def _inside(where: Rectangle, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of what lies inside the photo."""
    left, top = max(where.left, 0), max(where.top, 0)
    right = min(where.left + where.width, width)
    bottom = min(where.top + where.height, height)
    if right <= left or bottom <= top:
        raise PermanentError(
            f"face_rectangle {where.left},{where.top} {where.width}x{where.height} lies outside "
            f"the photo of {width}x{height} pixels: detect the faces of this photo again"
        )
    return left, top, right, bottom


@step(requires=(facedetection,))
def facecrop(job: JobContext) -> FaceCrops:
    """Cut each detected face out of the photo, upright, and keep it as a PNG."""
    faces = [face for face in job.output(facedetection).faces if face.face_id is not None]
    if not faces:
        return FaceCrops(faces=[])
    crops: list[FaceCrop] = []
    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
        for page in sorted({face.page or 1 for face in faces}):
            photo = job.image.on_page(page)
            there = [face for face in faces if (face.page or 1) == page]
            crops += pool.map(partial(_cut, job, photo), there)
    return FaceCrops(faces=crops)


def _cut(job: JobContext, photo: Photo, face: Face) -> FaceCrop:
    box = _inside(face.face_rectangle, photo.width, photo.height)
    picture = photo.crop(box, face.turn.degrees if face.turn else 0)
    url = job.save_png(str(face.face_id), picture)
    assert face.face_id is not None
    return FaceCrop(
        face_id=face.face_id,
        url=url,
        width=picture.width,
        height=picture.height,
        page=face.page,
    )
