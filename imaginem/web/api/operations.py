"""`/api/operations` and `/api/poison`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

import imaginem
from imaginem.errors import ImaginemError
from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices, PoisonEntry
from imaginem.redaction import one_line
from imaginem.usecases.submit import replay_job
from imaginem.web.access import Caller
from imaginem.web.api.models import CheckResult, Operations, Poisoned, QueueDepth, Replayed
from imaginem.web.context import Site
from imaginem.web.problems import responses


def operations_of(services: DashboardServices, registry: Registry) -> Operations:
    """Return what runs, and how it is."""
    problems: dict[str, str] = {}
    depths: dict[str, int | None] = {}
    names = [name for step in registry for name in (step.name, f"{step.name}-poison")]

    def count() -> None:
        with ThreadPoolExecutor(8) as pool:
            depths.update(zip(names, pool.map(services.queues.count, names), strict=True))

    poisoned: list[PoisonEntry] = []
    container = services.core_settings.input_container
    for name, look in {
        "queues": count,
        "tables": lambda: poisoned.extend(services.poison.list()),
        "blobs": lambda: services.blobs.list(container, "doctor"),
        "database": lambda: services.batches.batches(None, limit=1),
    }.items():
        problems[name] = _problem(look)
    engines: dict[str, str] = {}
    problems["engines"] = _problem(lambda: engines.update(services.engine_names))
    return Operations(
        version=imaginem.__version__,
        queues=[QueueDepth(name=name, messages=depths.get(name)) for name in names],
        engines=engines,
        checks=[CheckResult(name=name, problem=problem) for name, problem in problems.items()],
        poisoned=len(poisoned),
    )


def _problem(look: Callable[[], object]) -> str:
    try:
        look()
    except ImaginemError as problem:
        return one_line(str(problem))
    except (ImportError, OSError, ValueError) as problem:  # a package or file is missing
        return one_line(f"{type(problem).__name__}: {problem}")
    return ""


def poisoned_of(entry: PoisonEntry) -> Poisoned:
    """Return a message that could not be processed, without its body."""
    return Poisoned(
        id=f"{entry.queue}.{entry.id}",
        queue=entry.queue,
        reason=entry.reason,
        batch_id=entry.batch_id,
        job_id=entry.job_id,
        attempts=entry.attempts,
        at=entry.at,
    )


def place_of(poison_id: str) -> tuple[str, str]:
    """Return queue and message id of an id of ours."""
    queue, dot, message_id = poison_id.partition(".")
    if not (queue and dot and message_id):
        raise HTTPException(404, f"there is no poisoned message {poison_id}")
    return queue, message_id


def operations_routes(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["operations"])
    operator: Any = site.access.needs("operator")

    @router.get("/operations", responses=responses())
    def operations(caller: Annotated[Caller, operator]) -> Operations:
        """Tell queue depths, engines and models in use, and whether everything is well."""
        return operations_of(site.services(), site.registry)

    @router.get("/poison", responses=responses())
    def poison(caller: Annotated[Caller, operator]) -> list[Poisoned]:
        """List the messages that could not be processed, and why."""
        return [poisoned_of(entry) for entry in site.services().poison.list()]

    @router.post("/poison/{poison_id}/replay", status_code=202, responses=responses(404, 422))
    def replay(caller: Annotated[Caller, operator], poison_id: str) -> Replayed:
        """Put a message back on its queue, as a new run of its job."""
        return Replayed(run=replay_job(site.services(), *place_of(poison_id)))

    @router.delete(
        "/poison/{poison_id}",
        status_code=204,
        response_class=Response,
        responses=responses(404, 422),
    )
    def drop(caller: Annotated[Caller, operator], poison_id: str) -> Response:
        """Forget a message."""
        services, place = site.services(), place_of(poison_id)
        if services.poison.read(*place) is None:
            raise HTTPException(404, f"there is no poisoned message {poison_id}")
        services.poison.drop(*place)
        return Response(status_code=204)

    _ = (operations, poison, replay, drop)
    return router
