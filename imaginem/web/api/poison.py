"""`/api/poison`."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from imaginem.usecases.pace import Pace
from imaginem.usecases.poison import drop_entry, replay_job, view_entry
from imaginem.usecases.poison_many import drop_some, replay_some
from imaginem.web.dependencies import Operator, ServicesDep
from imaginem.web.poison_models import (
    Handled,
    Poisoned,
    PoisonedMessage,
    PoisonSelection,
    Replayed,
    ReplaySelection,
)
from imaginem.web.presenters import present_handled, present_poison_view, present_poisoned
from imaginem.web.problems import responses
from imaginem.web.requests import Cursor, PoisonPlace, WantedPoison

REPLAY_SECONDS = 5.0
"""Seconds after which a request begins no further replay, whatever the rate."""

router = APIRouter(prefix="/api/poison", tags=["operations"])


@router.get(
    "",
    responses={
        200: {"headers": {"Link": {"schema": {"type": "string"}, "description": "Next page."}}},
        **responses(422),
    },
)
def poison(
    caller: Operator,
    services: ServicesDep,
    request: Request,
    response: Response,
    wanted: WantedPoison,
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 1000,
) -> list[Poisoned]:
    """List the messages that could not be processed, and why; `Link` leads to the next ones."""
    page = services.poison.page(wanted, cursor, limit)
    if page.cursor:
        following = request.url.include_query_params(cursor=page.cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return [present_poisoned(entry) for entry in page.entries]


@router.post("/replay", responses=responses(400, 422))
def replay_selected(caller: Operator, services: ServicesDep, selection: ReplaySelection) -> Handled:
    """Replay the messages that fit, some a request; `cursor` of the answer goes on."""
    _check_meant(selection)
    handled = replay_some(
        services,
        selection.wanted,
        cursor=selection.cursor,
        limit=selection.limit,
        force=selection.force,
        pace=Pace(selection.rate),
        seconds=REPLAY_SECONDS,
    )
    return present_handled(handled)


@router.post("/drop", responses=responses(400, 422))
def drop_selected(caller: Operator, services: ServicesDep, selection: PoisonSelection) -> Handled:
    """Delete the messages that fit without replaying them, some a request."""
    _check_meant(selection)
    handled = drop_some(services, selection.wanted, cursor=selection.cursor, limit=selection.limit)
    return present_handled(handled)


def _check_meant(selection: PoisonSelection) -> None:
    """Check that a selection of everything was meant.

    Raises:
        HTTPException: 422, it has no field, nor `all`.
    """
    if selection.means_all and not selection.all:
        raise HTTPException(422, "say which messages are meant; `all` must be true for all")


@router.get("/{poison_id}", responses=responses(404, 422))
def message(caller: Operator, services: ServicesDep, place: PoisonPlace) -> PoisonedMessage:
    """Return a message that could not be processed, with its whole body, without secrets."""
    return present_poison_view(view_entry(services, *place))


@router.post("/{poison_id}/replay", status_code=202, responses=responses(404, 409, 422))
def replay(
    caller: Operator,
    services: ServicesDep,
    place: PoisonPlace,
    force: Annotated[bool, Query(description="Even if a newer run is replaced.")] = False,
) -> Replayed:
    """Put a message back on its queue, as a new run of its job."""
    return Replayed(run=replay_job(services, *place, force=force))


@router.delete(
    "/{poison_id}",
    status_code=204,
    response_class=Response,
    responses=responses(404, 422),
)
def drop(caller: Operator, services: ServicesDep, place: PoisonPlace) -> Response:
    """Delete a poisoned message without replaying it."""
    drop_entry(services, *place)
    return Response(status_code=204)
