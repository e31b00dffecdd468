"""`/operations`."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.errors import StorageUnavailable
from imaginem.usecases.submit import replay_job
from imaginem.web.access import Caller
from imaginem.web.api.operations import operations_of, place_of, poisoned_of
from imaginem.web.context import Site
from imaginem.web.pages.render import render


def operations_pages(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/operations")
    operator: Any = site.access.needs("operator")

    def values() -> dict[str, Any]:
        services = site.services()
        told = operations_of(services, site.registry)
        depths = {queue.name: queue.messages for queue in told.queues}
        queues = [(name, depths[name], depths[f"{name}-poison"]) for name in site.registry.names()]
        try:
            poisoned = [poisoned_of(entry) for entry in services.poison.list()]
        except StorageUnavailable:
            poisoned = []  # the checks say so
        return {"told": told, "queues": queues, "poisoned": poisoned}

    @router.get("")
    def operations(caller: Annotated[Caller, operator], request: Request) -> HTMLResponse:
        return render(request, "operations.html", values())

    @router.get("/now")
    def now(caller: Annotated[Caller, operator], request: Request) -> HTMLResponse:
        return render(request, "_operations.html", values())

    @router.post("/poison/{poison_id}/replay")
    def replay(
        caller: Annotated[Caller, operator], request: Request, poison_id: str
    ) -> HTMLResponse:
        replay_job(site.services(), *place_of(poison_id))
        return render(request, "_operations.html", values())

    @router.post("/poison/{poison_id}/drop")
    def drop(caller: Annotated[Caller, operator], request: Request, poison_id: str) -> HTMLResponse:
        site.services().poison.drop(*place_of(poison_id))
        return render(request, "_operations.html", values())

    _ = (operations, now, replay, drop)
    return router
