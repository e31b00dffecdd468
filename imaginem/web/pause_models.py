"""Models of the API's requests on batches that wait, and on their budgets."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from imaginem.usecases.pausing import REASON_LIMIT

GIVE_BUDGET = "PUT /api/batches/{batch_id}/budget gives it another"
WAITS_FOR_BUDGET = (
    "its budget is used up: raise it with PUT /api/batches/{batch_id}/budget, or let the batch go "
    "on without one with POST /api/batches/{batch_id}/resume"
)


class PauseAsked(BaseModel):
    """Why a batch is paused, for the people who see it."""

    model_config = ConfigDict(extra="forbid")

    because: Annotated[
        str, Field(max_length=REASON_LIMIT, examples=["the quota of this month is used up"])
    ] = ""


class BudgetAsked(BaseModel):
    """How many US dollars a batch may spend; null takes its budget away."""

    model_config = ConfigDict(extra="forbid")

    usd: Annotated[float | None, Field(gt=0, le=1e9, examples=[5.0])]
