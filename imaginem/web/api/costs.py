"""What work has cost, and what it would cost."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from imaginem.errors import InvalidMessage
from imaginem.usecases.costs import batch_costs, cost_by_month, cost_of_all
from imaginem.usecases.forecast import forecast
from imaginem.usecases.intake import no_such_step
from imaginem.web.cost_models import (
    AllCosts,
    Costs,
    Forecast,
    present_all,
    present_costs,
    present_forecast,
)
from imaginem.web.dependencies import (
    Caseworker,
    Operator,
    ServicesDep,
    Viewer,
    VisibleBatch,
    WebDep,
)
from imaginem.web.problems import responses

router = APIRouter(prefix="/api", tags=["operations"])
_MOST_PHOTOS = 100_000_000


@router.get("/batches/{batch_id}/costs", responses=responses(404, 422))
def costs_of_batch(caller: Viewer, services: ServicesDep, batch_id: VisibleBatch) -> Costs:
    """Return what a batch has used so far, and what that costs; some seconds late."""
    return present_costs(batch_costs(services, batch_id), services.prices)


@router.get("/costs", responses=responses())
def costs(caller: Operator, services: ServicesDep) -> AllCosts:
    """Return what everything has used since the ledger was begun; erased batches are in it."""
    return present_all(cost_of_all(services), cost_by_month(services), services.prices)


@router.get("/forecast", responses=responses(400, 422))
def tell_forecast(
    caller: Caseworker,
    web: WebDep,
    services: ServicesDep,
    photos: Annotated[int, Query(ge=0, le=_MOST_PHOTOS, description="Their number.")],
    pipeline: Annotated[
        str, Query(max_length=2000, description="Steps, separated by commas; as for sending.")
    ] = "",
    faces: Annotated[
        float | None, Query(ge=0, le=1000, description="Faces of a photo, on average.")
    ] = None,
) -> Forecast:
    """Return what photos would use and cost, before they are sent."""
    wanted = [name for part in pipeline.split(",") if (name := part.strip())]
    for name in wanted:
        if name not in web.registry:
            raise HTTPException(422, f"pipeline: {no_such_step(web.registry, name, 'raw=true')}")
    names = web.registry.resolve(wanted) if wanted else ()
    try:
        found = forecast(services, web.registry, photos, names, faces=faces, groups=caller.groups)
    except InvalidMessage as problem:
        raise HTTPException(422, str(problem)) from None
    return present_forecast(found, services.prices)
