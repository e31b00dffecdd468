"""What is in the photo: tags, categories, objects, colours."""

from imaginem import JobContext, step
from imaginem.outputs import ImageAnalysis


@step()
def generalclassification(job: JobContext) -> ImageAnalysis:
    """Say what is in the photo: tags, categories, a caption, objects, colours."""
    found = job.vision.analyze(job.image, job.call)
    told = found.metadata.model_copy(update={"ends_early": job.image.ends_early or None})
    return found.model_copy(update={"metadata": told})
