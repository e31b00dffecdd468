"""Faces of other photos that look like the faces in this photo."""

from imaginem import JobContext, StepOutput, step
from imaginem.outputs import FaceMatch
from steps.faceprint import faceprint


class FaceMatches(StepOutput):
    """Faces of other photos that look alike; suggestions, which a person confirms."""

    matches: list[FaceMatch]


@step(requires=(faceprint,))
def facematch(job: JobContext) -> FaceMatches:
    """Find faces of other photos that look like the ones in this photo."""
    pages = {face.face_id: face.page for face in job.output(faceprint).faces}
    matches = job.recognizer.match(job.key, list(pages), lambda: job.image, job.call)
    return FaceMatches(
        matches=[each.model_copy(update={"page": pages.get(each.face_id)}) for each in matches]
    )
