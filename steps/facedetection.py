"""The faces in the photo."""

from imaginem import JobContext, StepOutput, step
from imaginem.outputs import Face, name_face


class DetectedFaces(StepOutput):
    """The faces, each with an id that stays the same if the job is delivered again.

    Attributes:
        erased_faces: how many more were left out, since they were erased; None for none.
        ends_early: the file lacks its end, so that a part of the photo is missing; None if not.
    """

    faces: list[Face]
    erased_faces: int | None = None
    ends_early: bool | None = None


@step()
def facedetection(job: JobContext) -> DetectedFaces:
    """Find the faces: rectangle, landmarks, head pose."""
    photo, engine = job.image, job.faces
    faces_by_id = {}
    will_be_recognized = "faceprint" in job.pipeline
    for face in engine.detect(photo, job.call, for_recognition=will_be_recognized):
        face_id = name_face(job.key, photo.sha256, engine.name, face.face_rectangle)
        faces_by_id[face_id] = face.model_copy(update={"face_id": face_id})
    return DetectedFaces(faces=list(faces_by_id.values()), ends_early=photo.ends_early or None)
