"""Each face enrolled in the gallery, with its embedding."""

from imaginem import JobContext, StepOutput, step
from imaginem.outputs import FacePrint
from steps.facedetection import facedetection


class FacePrints(StepOutput):
    """The faces that the gallery knows now; their embeddings never leave it."""

    faces: list[FacePrint]


@step(requires=(facedetection,))
def faceprint(job: JobContext) -> FacePrints:
    """Enrol each face in the gallery, so that photos processed later, or now, find it."""
    faces = job.output(facedetection).faces
    return FacePrints(faces=job.recognizer.enrol(job.key, job.image, faces, job.call))
