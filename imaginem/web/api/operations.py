"""`/api/operations`."""

from fastapi import APIRouter

from imaginem.usecases.health import operations_of
from imaginem.web.dependencies import Operator, ServicesDep, WebDep
from imaginem.web.operations_models import Operations
from imaginem.web.presenters import present_operations
from imaginem.web.problems import responses

router = APIRouter(prefix="/api", tags=["operations"])


@router.get("/operations", responses=responses())
def operations(caller: Operator, web: WebDep, services: ServicesDep) -> Operations:
    """Return queue depths, the engines and models in use, and the results of health checks."""
    return present_operations(operations_of(services, web.registry.names()))
