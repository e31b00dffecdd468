"""`/batches`."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from imaginem.pipeline.progress_row import ENDED
from imaginem.usecases.erase import forget_batch
from imaginem.usecases.submit import run_again
from imaginem.web.access import Caller, check_batch
from imaginem.web.api.batches import Cursor
from imaginem.web.api.models import JobProblem, Progress
from imaginem.web.context import Site, unpath
from imaginem.web.pages.render import render
from imaginem.web.presenters import batch_of, progress_of

_JOBS_SHOWN = 100
_PROBLEMS_SHOWN = 50
_DONE = ("success", "failed", "skipped", "poisoned")


def progress_values(progress: Progress) -> dict[str, Any]:
    """Return what the template shows of a batch's progress: failures first."""
    order = {"failed": 0, "partial": 1, "running": 2, "queued": 3}
    jobs = sorted(progress.jobs.items(), key=lambda job: (order.get(job[1], 4), job[0]))
    total = len(progress.jobs)
    steps = [
        {
            "name": name,
            "done": sum(states.get(state, 0) for state in _DONE),
            "failed": states.get("failed", 0) + states.get("poisoned", 0),
            "skipped": states.get("skipped", 0),
        }
        for name, states in progress.steps.items()
    ]
    open_states = {"queued"} if progress.cancelled else set()  # these end where they wait
    running = any(state not in {*ENDED, *open_states} for state in progress.jobs.values())
    return {
        "progress": progress,
        "total": total,
        "steps": steps,
        "running": running,
        "seconds": 1 if total < 500 else 5 if total < 5000 else 20,  # large ones take long to count
        "states": Counter(progress.jobs.values()),
        "jobs": jobs[:_JOBS_SHOWN],
        "hidden": max(total - _JOBS_SHOWN, 0),
        "problems": _by_job(progress.problems)[:_PROBLEMS_SHOWN],
        "ended_states": ENDED,
    }


def _by_job(problems: Sequence[JobProblem]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each job with its reasons, and the steps that told each."""
    found: dict[str, dict[str, list[str]]] = {}
    for problem in problems:
        found.setdefault(problem.job, {}).setdefault(problem.reason, []).append(problem.step)
    return [
        (job, [(", ".join(steps), reason) for reason, steps in reasons.items()])
        for job, reasons in found.items()
    ]


def batch_pages(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/batches")
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    def shown(request: Request, name: str, template: str) -> HTMLResponse:
        return render(request, template, progress_values(progress_of(site.services(), name)))

    @router.get("")
    def batches(
        caller: Annotated[Caller, viewer], request: Request, cursor: Cursor = ""
    ) -> HTMLResponse:
        page = site.services().batches.batches(caller.groups, cursor, 30)
        values = {"batches": [batch_of(each) for each in page.batches], "cursor": page.cursor}
        return render(request, "_batch_rows.html" if cursor else "batches.html", values)

    @router.get("/{batch_id}")
    def batch(caller: Annotated[Caller, viewer], request: Request, batch_id: str) -> HTMLResponse:
        check_batch(site.services().batches, unpath(batch_id), caller)
        return shown(request, unpath(batch_id), "batch.html")

    @router.get("/{batch_id}/progress")
    def progress(
        caller: Annotated[Caller, viewer], request: Request, batch_id: str
    ) -> HTMLResponse:
        check_batch(site.services().batches, unpath(batch_id), caller)
        return shown(request, unpath(batch_id), "_progress.html")

    @router.get("/{batch_id}/state")
    def state(caller: Annotated[Caller, viewer], request: Request, batch_id: str) -> HTMLResponse:
        check_batch(site.services().batches, unpath(batch_id), caller)
        return shown(request, unpath(batch_id), "_state.html")

    @router.post("/{batch_id}/cancel")
    def cancel(
        caller: Annotated[Caller, caseworker], request: Request, batch_id: str
    ) -> HTMLResponse:
        check_batch(site.services().batches, unpath(batch_id), caller)
        progress_of(site.services(), unpath(batch_id))  # raises if there is none
        site.services().cancellations.cancel(unpath(batch_id))
        return shown(request, unpath(batch_id), "_progress.html")

    @router.post("/{batch_id}/reopen")
    def reopen(
        caller: Annotated[Caller, caseworker], request: Request, batch_id: str
    ) -> HTMLResponse:
        check_batch(site.services().batches, unpath(batch_id), caller)
        site.services().cancellations.reopen(unpath(batch_id))
        return shown(request, unpath(batch_id), "_progress.html")

    @router.post("/{batch_id}/{job_id}/retry")
    def retry(
        caller: Annotated[Caller, caseworker], request: Request, batch_id: str, job_id: str
    ) -> HTMLResponse:
        key = site.visible(batch_id, job_id, caller)
        run_again(site.services(), key)
        return shown(request, key[0], "_progress.html")

    @router.post("/{batch_id}/erase")
    def erase(caller: Annotated[Caller, caseworker], batch_id: str) -> Response:
        check_batch(site.services().batches, unpath(batch_id), caller)
        forget_batch(site.services(), unpath(batch_id))
        return Response(status_code=204, headers={"HX-Redirect": "/batches"})

    _ = (batches, batch, progress, state, cancel, reopen, retry, erase)
    return router
