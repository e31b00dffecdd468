"""What the properties of a job's row in `pipelinelogs` are called.

`progress_row` alone writes and reads them; those of a step are called after its queue.
"""

from imaginem.names import property_name

IMAGE_URL = "image_url"
PIPELINE = "processing_pipeline"
JOB_STATE = "job_state"
JOB_OUTPUT = "job_output"
RUN = "imaginem_run"
DELIVERY = "imaginem_delivery"
PUT = "imaginem_put"
PREVIOUS_RUNS = "imaginem_previous_runs"
MESSAGE = "imaginem_message"
PHOTO = "imaginem_photo"
REUSED = "imaginem_reused"
NOT_BEFORE = "not_before"
SOURCE = "photo_source"
ETAG = "photo_etag"
SHA256 = "photo_sha256"
REPLACED = "photo_replaced"
PHOTO_PROPERTIES = (IMAGE_URL, PHOTO, SOURCE, ETAG, SHA256)
"""The properties to ask for when only a job's photo is wanted."""
PROGRESS_PROPERTIES = (JOB_STATE, PIPELINE, RUN, PREVIOUS_RUNS, NOT_BEFORE)
"""Those that tell of a job's progress, without its steps' own."""


def reason_property(queue: str) -> str:
    """Return the property that says why a step stands as it does."""
    return f"{property_name(queue)}_exception"


def output_property(queue: str) -> str:
    """Return the property that has a step's output."""
    return f"{property_name(queue)}_output"
