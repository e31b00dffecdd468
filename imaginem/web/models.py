"""Models of the API's requests and answers."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

BatchId = Annotated[str, Field(examples=["spring-2026"])]
JobId = Annotated[str, Field(examples=["photo.jpg-1a2b3c4d"])]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(from_attributes=True)


class Health(Answer):
    """The app is running; its version."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])


class Me(Answer):
    """Who is calling."""

    name: str = Field(examples=["local user"])
    role: str = Field(examples=["operator"])


class Accepted(Answer):
    """The job of a photo.

    Attributes:
        run: id of the queue message that started it.
        url: where its progress is.
        sent: whether it was sent now; false for a photo that was there already.
        state: how it stands.
        note: what the sender should know of the steps; empty if there is nothing.
    """

    batch_id: BatchId
    job_id: JobId
    run: str
    url: str = Field(examples=["/api/jobs/spring-2026/photo.jpg-1a2b3c4d"])
    sent: bool = True
    state: str = Field("queued", examples=["queued"])
    note: str = ""


class Batch(Answer):
    """A batch; counts are of results in SQL, so jobs that are at work are not counted yet."""

    batch_id: BatchId
    group: str
    created: datetime
    submitted: int
    done: int
    unfinished: int
    faces: int


class Batches(Answer):
    """Some batches; `cursor` leads to the next ones, and is empty at the end."""

    batches: list[Batch]
    cursor: str


class JobProblem(Answer):
    """A step that failed or was skipped, and why."""

    job: str
    step: str
    reason: str


class Paused(Answer):
    """Why a batch waits; `by` is empty where its budget paused it."""

    since: datetime
    by: str = ""
    because: str = Field("", examples=["the quota of this month is used up"])


class Budget(Answer):
    """How many US dollars a batch may spend, by the price list, and has spent."""

    usd: float = Field(examples=[5.0])
    spent: float = Field(examples=[2.41])


class Progress(Answer):
    """A batch's progress, from `pipelinelogs`.

    Attributes:
        paused: its jobs wait before their next step; null if they don't.
        note: what is to be known of its budget; empty if that is nothing.
        submitted: photos that were sent; those without a job in `jobs` wait on a queue.
        ended: jobs that have ended.
        jobs: state of each.
        steps: counts of states by step.
    """

    batch_id: BatchId
    cancelled: bool
    submitted: int
    ended: int
    jobs: dict[str, str]
    steps: dict[str, dict[str, int]]
    problems: list[JobProblem]
    paused: Paused | None = None
    budget: Budget | None = None
    note: str = ""


class StepState(Answer):
    """The state of a step; `reason` says why it failed or was skipped, or that it was reused."""

    name: str = Field(examples=["ocr"])
    state: str = Field(examples=["success"])
    reason: str = ""


class FaceCopy(Answer):
    """The same face in a copy of its photo."""

    face_id: uuid.UUID
    batch_id: BatchId
    job_id: JobId


class Match(Answer):
    """Two faces that look alike: a suggestion, on which a person decides.

    Attributes:
        band: `match` or `possible`.
        verdict: `confirmed` or `rejected` by a person; empty when nobody has decided. It holds for
            copies, too.
        same_photo: the matched face is in the same photo, which was sent more than once.
        copies: the matched face in copies of its photo, which are no matches of their own.
        may_have_more_copies: so many are known that more may not have been kept.
        page: of the file that the matched face is in.
        file: `batch/job` of the first match in the same file: the same for all its pages and
            copies, which count as one of `FACE_MATCH_LIMIT`.
    """

    face_id: uuid.UUID | None = None
    matched_face_id: uuid.UUID
    confidence: float = Field(examples=[0.81])
    band: str = Field(examples=["match"])
    batch_id: BatchId
    job_id: JobId
    verdict: str = ""
    judged_by: str = ""
    judged_at: datetime | None = None
    same_photo: bool = False
    copies: list[FaceCopy] = []
    may_have_more_copies: bool = False
    page: int = 1
    file: str = Field("", examples=["spring-2026/scan.tif-1a2b3c4d"])


class Finding(Answer):
    """What is told of a part of a photo.

    Attributes:
        how: `found`; `nothing`, `no_face`, `erased`, `nothing_to_compare`, `not_compared` or
            `nobody` if it was looked for in vain; `nobody_comparable` if so, and faces of another
            model were not compared; anything else, such as `failed` or `no_step`, if it is not
            known.
        step: that looks for it.
        told: the same as a sentence.
    """

    how: str = Field(examples=["nobody"])
    step: str = Field(examples=["facematch"])
    reason: str = ""
    told: str = Field(examples=["Nobody in the gallery looks like these faces."])


class Job(Answer):
    """A job: its progress, and what was found.

    Where `job_output` lacks a step, nobody has looked: `looked` tells why, for `tags`, `text`,
    `faces` and `matches`. `matches` are complete once `facematch` has succeeded.
    """

    batch_id: BatchId
    job_id: JobId
    state: str = Field(examples=["succeeded"])
    image_url: str
    image_parameters: Any = None
    processing_pipeline: list[str]
    steps: list[StepState]
    job_output: Mapping[str, Any] | None = None
    matches: list[Match] = []
    matches_may_have_more: bool = Field(
        False, description="a face has as many matches as are kept (`FACE_MATCH_LIMIT`)"
    )
    looked: dict[str, Finding] = {}
    unreadable: list[str] = Field(
        [],
        description="text that was seen and can't be read, by its script",
        examples=[["text in Khmer, not readable here"]],
    )
    not_seen: list[str] = Field(
        [],
        description="which part of the photo's file nobody has looked at",
        examples=[["Only the first 100 of 300 pages were looked at."]],
    )
    source: str = Field(
        "",
        description="the blob that was dropped; empty if the photo was sent",
        examples=["inputimages/spring-2026/photo.jpg"],
    )
    replaced: str = Field("", description="when another photo was found in that blob's place")


class Photo(Answer):
    """A photo in a list; `thumbnail` is empty if the photo could not be fetched.

    `faces` is 0 and `tags` are empty also where nobody looked: `unfinished` names steps that
    failed or were skipped. `sureness` tells of a photo that was found by words how sure it is that
    they are in it; it is empty where no words were searched for.
    """

    batch_id: BatchId
    job_id: JobId
    name: str = Field(examples=["photo.jpg"])
    timestamp: datetime
    faces: int
    tags: list[str]
    unfinished: list[str]
    thumbnail: str = Field(examples=["/api/images/spring-2026/photo.jpg-1a2b3c4d/thumbnail"])
    sureness: Literal["", "exact", "beginning", "similar", "other_script"] = ""


class Photos(Answer):
    """Photos, the surest first, then the newest; `cursor` leads to the next, empty at the end.

    `not_searched` tells, in the answer without a cursor in its address, which photos could not be
    found: those that are still being looked at, and, where nothing is found in a batch, those that
    have no result or not of all steps. For a search by text it tells, too, what text of the other
    photos can't be read.
    """

    images: list[Photo]
    cursor: str
    not_searched: list[str] = Field(
        [], examples=[["Still being looked at: 6 of 6 photos in batch spring-2026."]]
    )


class LabelCount(Answer):
    """A label, and how many photos have it."""

    name: str = Field(examples=["person"])
    count: int
