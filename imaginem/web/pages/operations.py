"""`/operations`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse

from imaginem.ports import DashboardServices
from imaginem.usecases.erasables import still_on_disk
from imaginem.usecases.forget_photo import Reach, forget_photo, lift_photo
from imaginem.usecases.health import operations_of
from imaginem.usecases.poison import MOST_COUNTED
from imaginem.web.context import WebContext
from imaginem.web.dependencies import Operator, ServicesDep, WebDep
from imaginem.web.pages.render import render
from imaginem.web.presenters import present_operations
from imaginem.web.requests import PhotoOrHash, one_file

router = APIRouter(prefix="/operations")
Group = Annotated[str, Form(max_length=200)]


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


@router.post("/photo/erase", dependencies=[Depends(one_file)])
def erase_photo(
    caller: Operator,
    services: ServicesDep,
    request: Request,
    photo: PhotoOrHash,
    group: Group = "",
    never_again: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Erase a photo in every batch, and bar it if that is wished."""
    done = forget_photo(
        services, photo, Reach(caller, group.strip() or None), never_again=never_again
    )
    batches = len({batch_id for batch_id, _ in done.jobs})
    values = {"done": done, "batches": batches, "remains": still_on_disk(services.remains)}
    return render(request, "_photo_erased.html", values)


@router.post("/photo/lift", dependencies=[Depends(one_file)])
def lift(
    caller: Operator, services: ServicesDep, request: Request, photo: PhotoOrHash, group: Group = ""
) -> HTMLResponse:
    """Let a photo be sent again that is barred."""
    lifted = lift_photo(services, photo, Reach(caller, group.strip() or None))
    return render(request, "_photo_erased.html", {"done": None, "lifted": lifted})
