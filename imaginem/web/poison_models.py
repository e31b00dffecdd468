"""Models of the API's requests and answers on messages that could not be processed."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imaginem.ports import PoisonFilter
from imaginem.web.models import Answer

MOST_AT_ONCE = 100
"""Messages that one request replays or drops at most."""

Kind = Literal["", "invalid", "exhausted", "defect", "lost"]
_Text = Annotated[str, Field(max_length=512)]


class Poisoned(Answer):
    """A message that could not be processed; `kind` is empty for what earlier versions kept."""

    id: str = Field(examples=["ocr.5a1c0e9e-7b0f-4a52-b0d7-2f6a2f0c9a11"])
    queue: str = Field(examples=["ocr"])
    kind: str = Field(examples=["exhausted"])
    reason: str
    batch_id: str
    job_id: str
    attempts: int
    at: datetime | None = None


class PoisonedMessage(Poisoned):
    """The same with its whole body, without secrets, and what a replay would do."""

    body: str
    replay: str = Field(examples=["a new run of the job begins at ocr (step 2 of 7)"])


class Replayed(Answer):
    """The new run of a replayed message's job."""

    run: str


class PoisonSelection(BaseModel):
    """Which messages are meant: those that fit every field; with no field, `all` must be true."""

    model_config = ConfigDict(extra="forbid")

    queue: Annotated[str, Field(max_length=63)] = ""
    batch_id: _Text = ""
    job_id: _Text = ""
    reason: Annotated[_Text, Field(description="A part of the reason.")] = ""
    kind: Kind = ""
    all: bool = False
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="At most so many.")] = 100
    cursor: Annotated[str, Field(max_length=2000, description="`cursor` of the answer before.")] = (
        ""
    )

    @property
    def wanted(self) -> PoisonFilter:
        """The same as a filter."""
        return PoisonFilter(self.queue, self.batch_id, self.job_id, self.reason, self.kind)

    @property
    def means_all(self) -> bool:
        """Whether no field is given."""
        return self.wanted == PoisonFilter()


class ReplaySelection(PoisonSelection):
    """Which messages to replay, and how fast."""

    rate: Annotated[
        float, Field(ge=0, le=1000, description="Messages a second at most; 0 for no limit.")
    ] = 0
    force: Annotated[bool, Field(description="Even if a newer run is replaced.")] = False


class LeftOver(Answer):
    """How many messages were left where they are, and why."""

    reason: str = Field(examples=["a newer run of the job would be replaced"])
    count: int


class Handled(Answer):
    """What became of messages; `cursor` asks for the next ones and is empty at the end.

    Attributes:
        done: messages that were replayed, or dropped.
        already: messages whose replay had begun before; their entries are removed.
    """

    done: int
    already: int
    left: list[LeftOver]
    cursor: str
