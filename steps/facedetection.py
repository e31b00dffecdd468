"""The faces in the photo."""

from imaginem import (
    FacesOfFile,
    JobContext,
    StepOutput,
    detect_faces,
    detect_faces_together,
    step,
)
from imaginem.outputs import Face, name_face


class DetectedFaces(StepOutput):
    """The faces, each with an id that stays the same if the job is delivered again.

    Attributes:
        erased_faces: how many more were left out, since they were erased; None for none.
        ends_early: the file lacks its end, so that a part of the photo is missing; None if not.
        pages: how many pages the file has, if it has several.
        unread_pages: numbers of those that can't be decoded; None for none.
        smallest_face: pixels of the smallest face that was looked for, where that is larger than
            usual, since several photos were looked at in one call; None if not.
    """

    faces: list[Face]
    erased_faces: int | None = None
    ends_early: bool | None = None
    pages: int | None = None
    unread_pages: list[int] | None = None
    smallest_face: int | None = None


def _as_own(job: JobContext, found: DetectedFaces) -> DetectedFaces:
    """Return the faces of another job of the same photo with the ids that they have in this one.

    The service's own ids of them are the other job's, and expire; `faceprint` gets new ones.
    """
    engine, digest = job.faces, job.photo_digest
    faces = [
        face.model_copy(
            update={
                "face_id": name_face(job.key, digest, engine.name, face.face_rectangle, face.page),
                "service_face_id": None,
                "service_face_until": None,
            }
        )
        for face in found.faces
    ]
    return found.model_copy(update={"faces": faces})


@step(pure=True, adopt=_as_own)
def facedetection(job: JobContext) -> DetectedFaces:
    """Find the faces: rectangle, landmarks, head pose."""
    return _named(job, detect_faces(job))


@facedetection.over_several(
    size=lambda settings: settings.face_grid.cells,
    within=lambda settings: settings.face_grid_seconds,
)
def facedetection_of_several(jobs: list[JobContext]) -> list[DetectedFaces | Exception]:
    """Find the faces of several photos in one call, where FACE_GRID says so."""
    return [
        found if isinstance(found, Exception) else _named(job, found)
        for job, found in zip(jobs, detect_faces_together(jobs), strict=True)
    ]


def _named(job: JobContext, found: FacesOfFile) -> DetectedFaces:
    """Return the faces with their ids."""
    faces_by_id = {}
    for face in found.faces:
        where = face.face_rectangle
        face_id = name_face(job.key, found.photo_sha256, found.detector, where, face.page)
        faces_by_id[face_id] = face.model_copy(update={"face_id": face_id})
    return DetectedFaces(
        faces=list(faces_by_id.values()),
        ends_early=found.ends_early or None,
        pages=found.page_count if found.page_count > 1 else None,
        unread_pages=sorted(found.unread_pages) or None,
        smallest_face=found.smallest,
    )
