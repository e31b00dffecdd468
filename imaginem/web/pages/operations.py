"""`/operations`."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.ports import DashboardServices
from imaginem.usecases.health import operations_of
from imaginem.usecases.poison import MOST_COUNTED
from imaginem.web.context import WebContext
from imaginem.web.dependencies import Operator, ServicesDep, WebDep
from imaginem.web.pages.render import render
from imaginem.web.presenters import present_operations

router = APIRouter(prefix="/operations")


def _show(
    request: Request, web: WebContext, services: DashboardServices, template: str
) -> HTMLResponse:
    names = web.registry.names()
    operations = operations_of(services, names)
    depths = operations.queues
    values = {
        "operations": present_operations(operations),
        "most": MOST_COUNTED,
        "queues": [(name, depths[name], depths[f"{name}-poison"]) for name in names],
    }
    return render(request, template, values)


@router.get("")
def operations(
    caller: Operator, web: WebDep, services: ServicesDep, request: Request
) -> HTMLResponse:
    """Show what runs, and its health."""
    return _show(request, web, services, "operations.html")


@router.get("/now")
def now(caller: Operator, web: WebDep, services: ServicesDep, request: Request) -> HTMLResponse:
    """Show the same again: a part of the page."""
    return _show(request, web, services, "_operations.html")
