"""`/api/batches/{batch_id}/…`: cancel, reopen, export, erase."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response
from pydantic_core import to_json

from imaginem.usecases.erase import forget_batch
from imaginem.usecases.export import as_csv, as_rows
from imaginem.web.access import Caller, check_batch
from imaginem.web.api.models import Forgotten, Progress
from imaginem.web.context import Site, attachment, unpath
from imaginem.web.presenters import hidden_batches, progress_of
from imaginem.web.problems import responses


def batch_actions(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["batches"])
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    @router.post("/batches/{batch_id}/cancel", responses=responses(404, 422))
    def cancel(caller: Annotated[Caller, caseworker], batch_id: str) -> Progress:
        """Stop a batch's jobs at their next hop; it takes no more photos."""
        services, name = site.services(), unpath(batch_id)
        check_batch(services.batches, name, caller)
        progress_of(services, name)  # raises if there is none
        services.cancellations.cancel(name)
        return progress_of(services, name)

    @router.post("/batches/{batch_id}/reopen", responses=responses(404, 422))
    def reopen(caller: Annotated[Caller, caseworker], batch_id: str) -> Progress:
        """Let a cancelled batch take photos again; jobs that were stopped stay so."""
        services, name = site.services(), unpath(batch_id)
        check_batch(services.batches, name, caller)
        services.cancellations.reopen(name)
        return progress_of(services, name)

    @router.get(
        "/batches/{batch_id}/export",
        responses={
            200: {"content": {"text/csv": {}, "application/json": {}}, "description": "A file."},
            **responses(404, 422),
        },
        response_class=Response,
    )
    def export(
        caller: Annotated[Caller, viewer],
        batch_id: str,
        format: Annotated[Literal["csv", "json"], Query()] = "csv",
    ) -> Response:
        """Return a batch's results as a table (CSV, UTF-8) or as JSON."""
        services, name = site.services(), unpath(batch_id)
        check_batch(services.batches, name, caller)
        rows = list(as_rows(services, name, lambda told: hidden_batches(services, told, caller)))
        if not rows:
            raise HTTPException(404, f"there are no results of batch {name} yet")
        headers = {"Content-Disposition": attachment(f"{name}.{format}")}
        if format == "json":
            return Response(to_json(rows), media_type="application/json", headers=headers)
        return Response(as_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)

    @router.delete("/batches/{batch_id}", responses=responses(404, 409, 422))
    def erase_batch(caller: Annotated[Caller, caseworker], batch_id: str) -> Forgotten:
        """Erase a batch: photos, results, faces and all; jobs at work make it refuse."""
        services, name = site.services(), unpath(batch_id)
        check_batch(services.batches, name, caller)
        return Forgotten(jobs=forget_batch(services, name))

    _ = (cancel, reopen, export, erase_batch)
    return router
