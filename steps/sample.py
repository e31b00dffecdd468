"""The template to start a step from; `imaginem new-step NAME` writes one like it."""

from imaginem import JobContext, StepOutput, step


class SampleOutput(StepOutput):
    """Size and format of the photo."""

    width: int
    height: int
    format: str


@step()
def sample(job: JobContext) -> SampleOutput:
    """Tell the photo's size and format."""
    photo = job.image
    job.log.info("a photo of %d x %d pixels", photo.width, photo.height)
    return SampleOutput(width=photo.width, height=photo.height, format=photo.format)
