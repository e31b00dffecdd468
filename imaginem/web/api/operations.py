"""`/api/operations` and `/api/poison`."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from imaginem.usecases.health import operations_of
from imaginem.usecases.poison import replay_job
from imaginem.web.dependencies import Operator, ServicesDep, WebDep
from imaginem.web.models import Operations, Poisoned, Replayed
from imaginem.web.presenters import present_operations, present_poisoned
from imaginem.web.problems import responses
from imaginem.web.requests import PoisonPlace

router = APIRouter(prefix="/api", tags=["operations"])


@router.get("/operations", responses=responses())
def operations(caller: Operator, web: WebDep, services: ServicesDep) -> Operations:
    """Return queue depths, the engines and models in use, and the results of health checks."""
    return present_operations(operations_of(services, web.registry.names()))


@router.get("/poison", responses=responses())
def poison(caller: Operator, services: ServicesDep) -> list[Poisoned]:
    """List the messages that could not be processed, and why."""
    return [present_poisoned(entry) for entry in services.poison.list()]


@router.post("/poison/{poison_id}/replay", status_code=202, responses=responses(404, 422))
def replay(caller: Operator, services: ServicesDep, place: PoisonPlace) -> Replayed:
    """Put a message back on its queue, as a new run of its job."""
    return Replayed(run=replay_job(services, *place))


@router.delete(
    "/poison/{poison_id}",
    status_code=204,
    response_class=Response,
    responses=responses(404, 422),
)
def drop(caller: Operator, services: ServicesDep, place: PoisonPlace) -> Response:
    """Delete a poisoned message without replaying it."""
    if services.poison.read(*place) is None:
        raise HTTPException(404, f"there is no poisoned message {'.'.join(place)}")
    services.poison.drop(*place)
    return Response(status_code=204)
