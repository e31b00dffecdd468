"""Each face enrolled in the gallery, with its embedding."""

from imaginem import JobContext, StepOutput, step
from imaginem.outputs import FacePrint
from steps.facedetection import facedetection


class FacePrints(StepOutput):
    """The faces that were enrolled in the gallery; their embeddings are no part of the output."""

    faces: list[FacePrint]


@step(requires=(facedetection,))
def faceprint(job: JobContext) -> FacePrints:
    """Enrol each face in the gallery, so that other photos' faces can match it."""
    faces = job.output(facedetection).faces
    prints = job.recognizer.enrol(job.key, job.image, faces, job.call)
    pages = {face.face_id: face.page for face in faces}
    return FacePrints(
        faces=[each.model_copy(update={"page": pages.get(each.face_id)}) for each in prints]
    )
