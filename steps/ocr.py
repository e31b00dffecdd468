"""The text in the photo."""

from imaginem import JobContext, step
from imaginem.outputs import OcrText


@step()
def ocr(job: JobContext) -> OcrText:
    """Read the text in the photo, in reading order."""
    found = job.ocr.read(job.image, job.call)
    return found.model_copy(update={"ends_early": job.image.ends_early or None})
