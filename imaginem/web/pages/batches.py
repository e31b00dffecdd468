"""`/batches`."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Form, Header, Request
from fastapi.responses import HTMLResponse, Response

from imaginem.pipeline.states import ENDED
from imaginem.ports import DashboardServices
from imaginem.usecases.batches import (
    BatchOverview,
    batch_overview,
    cancel_batch,
    reopen_batch,
    view_batch,
)
from imaginem.usecases.budgets import set_budget
from imaginem.usecases.cost_words import usd
from imaginem.usecases.erase import forget_batch
from imaginem.usecases.jobs import names_of
from imaginem.usecases.pausing import check_batch, pause_batch, resume_batch, told
from imaginem.usecases.submit import run_again
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, VisibleBatch, VisibleJob
from imaginem.web.models import JobProblem, Progress
from imaginem.web.pages.render import render
from imaginem.web.presenters import present_batch, present_progress
from imaginem.web.requests import Cursor

_BATCHES_SHOWN = 30
_JOBS_SHOWN = 100
_PROBLEMS_SHOWN = 50
_DONE = ("success", "failed", "skipped", "poisoned")

router = APIRouter(prefix="/batches")


def progress_values(progress: Progress, begun: int) -> dict[str, Any]:
    """Return what the template shows of a batch's progress: failures first.

    Args:
        progress: of the batch.
        begun: number of jobs that have begun; others may have every step.
    """
    order = {"failed": 0, "partial": 1, "running": 2, "queued": 3}
    jobs = sorted(progress.jobs.items(), key=lambda job: (order.get(job[1], 4), job[0]))
    total = len(progress.jobs)
    steps = [
        {
            "name": name,
            "jobs": sum(states.values()) + total - begun,
            "done": sum(states.get(state, 0) for state in _DONE),
            "failed": states.get("failed", 0) + states.get("poisoned", 0),
            "skipped": states.get("skipped", 0),
        }
        for name, states in progress.steps.items()
    ]
    at_rest = {*ENDED, "queued"} if progress.cancelled else ENDED  # these will not begin
    running = any(state not in at_rest for state in progress.jobs.values())
    problems = _by_job(progress.problems)
    return {
        "progress": progress,
        "total": total,
        "steps": steps,
        "running": running,
        "seconds": 1 if total < 500 else 5 if total < 5000 else 20,  # counting takes longer, too
        "states": Counter(progress.jobs.values()),
        "jobs": jobs[:_JOBS_SHOWN],
        "hidden": max(total - _JOBS_SHOWN, 0),
        "problems": problems[:_PROBLEMS_SHOWN],
        "more_problems": max(len(problems) - _PROBLEMS_SHOWN, 0),
        "ended_states": ENDED,
    }


def _by_job(problems: Sequence[JobProblem]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each job with its reasons, each with the steps that it stopped."""
    by_job: dict[str, dict[str, list[str]]] = {}
    for problem in problems:
        by_job.setdefault(problem.job, {}).setdefault(problem.reason, []).append(problem.step)
    return [
        (job, [(", ".join(steps), reason) for reason, steps in reasons.items()])
        for job, reasons in by_job.items()
    ]


def _show(
    request: Request,
    services: DashboardServices,
    batch_id: str,
    template: str,
    look: Callable[[DashboardServices, str], BatchOverview] = batch_overview,
) -> HTMLResponse:
    overview = look(services, batch_id)
    values = progress_values(present_progress(overview), overview.begun)
    shown = {job for job, _ in (*values["jobs"], *values["problems"])}
    names = names_of(services, batch_id, shown)
    values["names"] = {job: names.get(job, job) for job in shown}
    values["named_alike"] = {name for name, count in Counter(names.values()).items() if count > 1}
    paused = overview.paused
    values |= {
        "paused": told(paused) if paused else "",
        "used_up": paused is not None and paused.of_budget,
        "purposes": services.core_settings.purposes,
        "usd": usd,
    }
    return render(request, template, values)


@router.get("")
def batches(
    caller: Viewer, services: ServicesDep, request: Request, cursor: Cursor = ""
) -> HTMLResponse:
    """List batches, newest first; with a cursor, only the rows that follow."""
    page = services.batches.batches(caller.groups, cursor, _BATCHES_SHOWN)
    values = {"batches": [present_batch(info) for info in page.batches], "cursor": page.cursor}
    return render(request, "_batch_rows.html" if cursor else "batches.html", values)


@router.get("/{batch_id}")
def batch(
    caller: Viewer, services: ServicesDep, request: Request, batch_id: VisibleBatch
) -> HTMLResponse:
    """Show a batch."""
    return _show(request, services, batch_id, "batch.html", view_batch)


@router.get("/{batch_id}/progress")
def progress(
    caller: Viewer, services: ServicesDep, request: Request, batch_id: VisibleBatch
) -> HTMLResponse:
    """Show a batch's progress: a part of its page."""
    return _show(request, services, batch_id, "_progress.html")


@router.get("/{batch_id}/state")
def state(
    caller: Viewer, services: ServicesDep, request: Request, batch_id: VisibleBatch
) -> HTMLResponse:
    """Show a batch's state in one line: a part of its page."""
    return _show(request, services, batch_id, "_state.html")


@router.post("/{batch_id}/cancel")
def cancel(
    caller: Caseworker, services: ServicesDep, request: Request, batch_id: VisibleBatch
) -> HTMLResponse:
    """Stop a batch's jobs."""
    cancel_batch(services, batch_id)
    return _show(request, services, batch_id, "_progress.html")


@router.post("/{batch_id}/reopen")
def reopen(
    caller: Caseworker, services: ServicesDep, request: Request, batch_id: VisibleBatch
) -> HTMLResponse:
    """Let a batch take photos again."""
    reopen_batch(services, batch_id)
    return _show(request, services, batch_id, "_progress.html")


@router.post("/{batch_id}/pause")
def pause(
    caller: Caseworker,
    services: ServicesDep,
    request: Request,
    batch_id: VisibleBatch,
    because: Annotated[str, Header(alias="HX-Prompt")] = "",
    encoded: Annotated[str, Header(alias="HX-Prompt-URI-AutoEncoded")] = "",
) -> HTMLResponse:
    """Let a batch's jobs wait; the reason is what the browser asked for."""
    pause_batch(services, batch_id, unquote(because) if encoded else because)
    return _show(request, services, batch_id, "_progress.html")


@router.post("/{batch_id}/resume")
def resume(
    caller: Caseworker, services: ServicesDep, request: Request, batch_id: VisibleBatch
) -> HTMLResponse:
    """Let a paused batch's jobs go on."""
    resume_batch(services, batch_id)
    return _show(request, services, batch_id, "_progress.html")


@router.post("/{batch_id}/budget")
def budget(
    caller: Caseworker,
    services: ServicesDep,
    request: Request,
    batch_id: VisibleBatch,
    amount: Annotated[float, Form(alias="usd", gt=0, le=1e9)],
) -> HTMLResponse:
    """Raise the budget of a batch that waits for that."""
    check_batch(services, batch_id)
    set_budget(services, batch_id, amount)
    return _show(request, services, batch_id, "_progress.html")


@router.post("/{batch_id}/{job_id}/retry")
def retry(
    caller: Caseworker, services: ServicesDep, request: Request, key: VisibleJob
) -> HTMLResponse:
    """Run a job again."""
    run_again(services, key)
    return _show(request, services, key[0], "_progress.html")


@router.post("/{batch_id}/erase")
def erase(caller: Caseworker, services: ServicesDep, batch_id: VisibleBatch) -> Response:
    """Erase a batch, and show the receipt."""
    done = forget_batch(services, batch_id)
    return Response(status_code=204, headers={"HX-Redirect": f"/receipts/{done.id}"})
