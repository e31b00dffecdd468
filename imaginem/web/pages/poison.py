"""`/operations/poison`: messages that could not be processed."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse

from imaginem.errors import InvalidMessage
from imaginem.ports import DashboardServices, PoisonFilter
from imaginem.usecases.poison import KINDS, MOST_COUNTED, drop_entry, replay_job, view_entry
from imaginem.usecases.poison_many import Handled, drop_some, replay_some
from imaginem.web.api.poison import REPLAY_SECONDS
from imaginem.web.dependencies import Operator, ServicesDep, WebDep
from imaginem.web.pages.render import render
from imaginem.web.poison_models import MOST_AT_ONCE, Kind
from imaginem.web.presenters import present_handled, present_poison_view, present_poisoned
from imaginem.web.requests import Cursor, PoisonPlace, WantedPoison

_SHOWN = 50
_Name = Annotated[str, Form(max_length=512)]

router = APIRouter(prefix="/operations/poison")


async def _form(
    queue: _Name = "", batch: _Name = "", job: _Name = "", reason: _Name = "", kind: Kind = ""
) -> PoisonFilter:
    """Read from the page's form which messages are meant."""
    return PoisonFilter(queue.strip(), batch.strip(), job.strip(), reason.strip(), kind)


_Wanted = Annotated[PoisonFilter, Depends(_form)]


def _show(
    request: Request,
    services: DashboardServices,
    template: str,
    wanted: PoisonFilter,
    cursor: str = "",
    more: dict[str, Any] | None = None,
) -> HTMLResponse:
    page = services.poison.page(wanted, cursor, _SHOWN)
    fields = _fields(wanted)
    values = {
        "wanted": wanted,
        "count": services.poison.count(wanted, MOST_COUNTED),
        "most": MOST_COUNTED,
        "entries": [present_poisoned(entry) for entry in page.entries],
        "cursor": page.cursor,
        "fields": fields,
        "query": urlencode(fields),
        "handled": None,
        "done": 0,
        "going_on": "",
        "verb": "",
        **(more or {}),
    }
    return render(request, template, values)


def _fields(wanted: PoisonFilter) -> dict[str, str]:
    """Return what is asked for, by the names of the form."""
    given = {
        "queue": wanted.queue,
        "batch": wanted.batch_id,
        "job": wanted.job_id,
        "reason": wanted.reason,
        "kind": wanted.kind,
    }
    return {name: value for name, value in given.items() if value}


@router.get("")
def inbox(
    caller: Operator,
    web: WebDep,
    services: ServicesDep,
    request: Request,
    wanted: WantedPoison,
    cursor: Cursor = "",
) -> HTMLResponse:
    """Show what could not be processed; with a cursor the next rows, a part of the page."""
    template = "_poison_rows.html" if cursor else "poison.html"
    more = {"queues": web.registry.names(), "kinds": KINDS}
    return _show(request, services, template, wanted, cursor, more)


@router.get("/{poison_id}")
def message(
    caller: Operator, services: ServicesDep, request: Request, place: PoisonPlace
) -> HTMLResponse:
    """Show a message's body, and what a replay does: a part of the page."""
    view = present_poison_view(view_entry(services, *place))
    return render(request, "_poison_body.html", {"message": view})


@router.post("/{poison_id}/replay")
def replay(
    caller: Operator,
    services: ServicesDep,
    request: Request,
    place: PoisonPlace,
    wanted: _Wanted,
    force: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Put a message back on its queue."""
    replay_job(services, *place, force=force)
    return _show(request, services, "_poison.html", wanted, more=_told("replay", Handled(1)))


@router.post("/{poison_id}/drop")
def drop(
    caller: Operator, services: ServicesDep, request: Request, place: PoisonPlace, wanted: _Wanted
) -> HTMLResponse:
    """Delete a message without replaying it."""
    drop_entry(services, *place)
    return _show(request, services, "_poison.html", wanted, more=_told("drop", Handled(1)))


def _check_meant(
    caller: Operator,  # whoever may not do it at all is told that first
    wanted: _Wanted,
    every: Annotated[bool, Form(alias="all")] = False,
) -> None:
    """Check that a form names what is meant: an empty one must not mean every message."""
    if wanted == PoisonFilter() and not every:
        raise InvalidMessage("name what is meant by a field of the form, or send all=true")


@router.post("/replay", dependencies=[Depends(_check_meant)])
def replay_all(
    caller: Operator,
    services: ServicesDep,
    request: Request,
    wanted: _Wanted,
    force: Annotated[bool, Form()] = False,
    cursor: Annotated[str, Form(max_length=2000)] = "",
    done: Annotated[int, Form()] = 0,
) -> HTMLResponse:
    """Put some of the messages that fit back; the page asks for the next ones by itself."""
    handled = replay_some(
        services, wanted, cursor=cursor, limit=MOST_AT_ONCE, force=force, seconds=REPLAY_SECONDS
    )
    return _show(request, services, "_poison.html", wanted, more=_told("replay", handled, done))


@router.post("/drop", dependencies=[Depends(_check_meant)])
def drop_all(
    caller: Operator,
    services: ServicesDep,
    request: Request,
    wanted: _Wanted,
    cursor: Annotated[str, Form(max_length=2000)] = "",
    done: Annotated[int, Form()] = 0,
) -> HTMLResponse:
    """Delete some of the messages that fit; the page asks for the next ones by itself."""
    handled = drop_some(services, wanted, cursor=cursor, limit=MOST_AT_ONCE)
    return _show(request, services, "_poison.html", wanted, more=_told("drop", handled, done))


def _told(verb: str, handled: Handled, before: int = 0) -> dict[str, Any]:
    """Return what became of messages, for the page to tell."""
    return {
        "verb": verb,
        "handled": present_handled(handled),
        "done": before + handled.done + handled.already,
        "going_on": handled.cursor,
    }
