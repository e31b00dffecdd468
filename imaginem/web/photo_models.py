"""What the API answers about a photo that is erased, or barred, by its file."""

from pydantic import Field

from imaginem.web.models import Answer
from imaginem.web.receipt_models import Forgotten


class JobNamed(Answer):
    """A job, by its ids."""

    batch_id: str = Field(examples=["spring"])
    job_id: str = Field(examples=["photo.jpg-1a2b3c4d"])


class ForgottenPhoto(Forgotten):
    """What was erased: of all jobs together, as of one.

    `barred` names the groups in which the photo is barred from now on; an empty name stands for
    batches of no group.
    """

    erased: list[JobNamed]
    barred: list[str] = Field(default=[])


class Lifted(Answer):
    """The groups in which a photo was barred until now; an empty one: batches of no group."""

    lifted: list[str]
