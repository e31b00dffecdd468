"""`/api/batches/{batch_id}/…`: cancel, reopen, pause, resume, budget, export, erase."""

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response
from pydantic_core import to_json

from imaginem.usecases.batches import batch_overview, cancel_batch, reopen_batch
from imaginem.usecases.budgets import set_budget
from imaginem.usecases.erase import forget_batch
from imaginem.usecases.export import as_csv, as_rows
from imaginem.usecases.pausing import pause_batch, resume_batch, told_resumed
from imaginem.usecases.waiting import without_result
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, VisibleBatch, WebDep
from imaginem.web.files import attachment
from imaginem.web.models import Progress
from imaginem.web.pause_models import GIVE_BUDGET, BudgetAsked, PauseAsked
from imaginem.web.presenters import present_progress
from imaginem.web.problems import responses
from imaginem.web.receipt_models import Forgotten, present_erasure

router = APIRouter(prefix="/api", tags=["batches"])


@router.post("/batches/{batch_id}/cancel", responses=responses(404, 422))
def cancel(caller: Caseworker, services: ServicesDep, batch_id: VisibleBatch) -> Progress:
    """Stop a batch's jobs before their next step; it takes no more photos."""
    cancel_batch(services, batch_id)
    return present_progress(batch_overview(services, batch_id))


@router.post("/batches/{batch_id}/reopen", responses=responses(404, 422))
def reopen(caller: Caseworker, services: ServicesDep, batch_id: VisibleBatch) -> Progress:
    """Let a cancelled batch take photos again; jobs that were stopped stay so."""
    reopen_batch(services, batch_id)
    return present_progress(batch_overview(services, batch_id))


@router.post("/batches/{batch_id}/pause", responses=responses(400, 404, 422))
def pause(
    caller: Caseworker,
    services: ServicesDep,
    batch_id: VisibleBatch,
    wanted: PauseAsked | None = None,
) -> Progress:
    """Let a batch's jobs wait before their next step, and new ones too, until it is resumed."""
    pause_batch(services, batch_id, wanted.because if wanted else "")
    return present_progress(batch_overview(services, batch_id))


@router.post("/batches/{batch_id}/resume", responses=responses(404, 422))
def resume(caller: Caseworker, services: ServicesDep, batch_id: VisibleBatch) -> Progress:
    """Let a paused batch's jobs go on; the last one comes back within ten minutes.

    One that its budget has paused has no budget from then on; `note` says so.
    """
    resumed = resume_batch(services, batch_id)
    budget = told_resumed(resumed) if resumed else ""
    note = f"{budget}: {GIVE_BUDGET}" if budget else ""
    return present_progress(batch_overview(services, batch_id), note)


@router.put("/batches/{batch_id}/budget", responses=responses(400, 404, 422))
def change_budget(
    caller: Caseworker, services: ServicesDep, batch_id: VisibleBatch, wanted: BudgetAsked
) -> Progress:
    """Give a batch another budget, or none; one that waits for that goes on."""
    batch_overview(services, batch_id)  # it is there
    set_budget(services, batch_id, wanted.usd)
    return present_progress(batch_overview(services, batch_id))


@router.get(
    "/batches/{batch_id}/export",
    responses={
        200: {"content": {"text/csv": {}, "application/json": {}}, "description": "A file."},
        **responses(404, 422),
    },
    response_class=Response,
)
def export(
    caller: Viewer,
    web: WebDep,
    services: ServicesDep,
    batch_id: VisibleBatch,
    format: Annotated[Literal["csv", "json"], Query()] = "csv",
) -> Response:
    """Return a batch's results as a table (CSV, UTF-8) or as JSON.

    The header `X-Without-Result` counts the batch's photos that have none, and so no row.
    """
    rows = as_rows(services, batch_id, caller, web.registry)
    if not rows:
        raise HTTPException(404, f"there are no results of batch {batch_id}")
    left = without_result(services, batch_id, [row["job_id"] for row in rows])
    headers = {
        "Content-Disposition": attachment(f"{batch_id}.{format}"),
        "X-Without-Result": str(len(left)),
    }
    if format == "json":
        text = to_json(rows, inf_nan_mode="null")  # JSON knows no NaN
        return Response(text, media_type="application/json", headers=headers)
    return Response(as_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.delete(
    "/batches/{batch_id}", responses=responses(404, 422), response_model_exclude_defaults=True
)
def erase_batch(caller: Caseworker, services: ServicesDep, batch_id: VisibleBatch) -> Forgotten:
    """Erase a batch: photos, results, faces and all, even while jobs are at work."""
    return present_erasure(services, forget_batch(services, batch_id))
