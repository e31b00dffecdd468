"""The faces in the photo."""

from imaginem import JobContext, StepOutput, step
from imaginem.outputs import Face, name_face


class DetectedFaces(StepOutput):
    """The faces, each with an id that stays the same if the job is delivered again.

    Attributes:
        erased_faces: how many more were left out, since they were erased; None for none.
        ends_early: the file lacks its end, so that a part of the photo is missing; None if not.
        pages: how many pages the file has, if it has several.
        unread_pages: numbers of those that can't be decoded; None for none.
    """

    faces: list[Face]
    erased_faces: int | None = None
    ends_early: bool | None = None
    pages: int | None = None
    unread_pages: list[int] | None = None


@step()
def facedetection(job: JobContext) -> DetectedFaces:
    """Find the faces: rectangle, landmarks, head pose."""
    engine = job.faces
    faces_by_id = {}
    will_be_recognized = "faceprint" in job.pipeline
    for photo in job.image.pages():
        call = job.call_for(photo)
        for face in engine.detect(photo, call, for_recognition=will_be_recognized):
            where = face.face_rectangle
            face_id = name_face(job.key, photo.sha256, engine.name, where, photo.page)
            faces_by_id[face_id] = face.model_copy(update={"face_id": face_id, "page": photo.page})
    return DetectedFaces(
        faces=list(faces_by_id.values()),
        ends_early=job.image.ends_early or None,
        pages=job.image.page_count if job.image.page_count > 1 else None,
        unread_pages=sorted(job.image.unread_pages) or None,
    )
