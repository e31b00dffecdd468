"""Models of the API's requests and answers on jobs that are run again from a step."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imaginem.web.models import Answer, BatchId, JobId

_Name = Annotated[str, Field(min_length=1, max_length=63)]


class RerunAsked(BaseModel):
    """Where to begin, and which engines to use for this run only."""

    model_config = ConfigDict(extra="forbid")

    from_step: Annotated[_Name, Field(examples=["ocr"])]
    engines: Annotated[
        dict[_Name, _Name], Field(max_length=20, description="By kind.", examples=[{}])
    ] = Field(default_factory=dict)


class Change(Answer):
    """One thing that is not as it was: `+` is new, `-` is gone, `~` has another value."""

    sign: Literal["+", "-", "~"]
    what: str = Field(examples=["tag"])
    name: str = Field(examples=["dog"])
    before: float | str | None
    after: float | str | None


class StepChanges(Answer):
    """What changed in a step's output."""

    step: str = Field(examples=["generalclassification"])
    changes: list[Change]


class Comparison(Answer):
    """A job's output from before its last rerun, compared with that of now."""

    batch_id: BatchId
    job_id: JobId
    before: datetime
    after: datetime
    from_step: str = Field(examples=["ocr"])
    engines: dict[str, str] = Field(examples=[{"ocr": "azure"}])
    steps: list[StepChanges]
