"""What is in the photo: tags, categories, objects, colours."""

from imaginem import JobContext, step
from imaginem.outputs import ImageAnalysis


@step()
def generalclassification(job: JobContext) -> ImageAnalysis:
    """Say what is in the photo: tags, categories, a caption, objects, colours."""
    return job.vision.analyze(job.image, job.call)
