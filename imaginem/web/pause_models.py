"""Models of the API's requests on batches that wait."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from imaginem.usecases.pausing import REASON_LIMIT


class PauseAsked(BaseModel):
    """Why a batch is paused, for the people who see it."""

    model_config = ConfigDict(extra="forbid")

    because: Annotated[
        str, Field(max_length=REASON_LIMIT, examples=["the quota of this month is used up"])
    ] = ""
