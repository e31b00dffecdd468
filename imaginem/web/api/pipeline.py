"""`/api/health`, `/api/me`, `/api/pipeline`."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException

import imaginem
from imaginem.web.access import Caller
from imaginem.web.api.models import Health, Me, StepInfo, StepNames
from imaginem.web.context import Site
from imaginem.web.problems import responses


def pipeline_routes(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["pipeline"])
    viewer: Any = site.access.needs("viewer")

    @router.get("/health")
    def health() -> Health:
        """Tell that the app answers."""
        return Health(status="ok", version=imaginem.__version__)

    @router.get("/me", responses=responses())
    def me(caller: Annotated[Caller, viewer]) -> Me:
        """Tell who is calling."""
        return Me(name=caller.name, role=caller.role)

    @router.get("/pipeline/steps", responses=responses())
    def steps(caller: Annotated[Caller, viewer]) -> list[StepInfo]:
        """List the registered steps."""
        return [
            StepInfo(
                name=step.name,
                requires=[needed.name for needed in step.requires],
                summary=step.summary,
            )
            for step in site.registry
        ]

    @router.post("/pipeline/resolve", responses=responses(400, 422))
    def resolve(caller: Annotated[Caller, viewer], wanted: StepNames) -> StepNames:
        """Return the steps and all that they require, in the order they run."""
        try:
            return StepNames(steps=site.registry.resolve(wanted.steps))
        except KeyError as problem:
            raise HTTPException(422, str(problem.args[0])) from None

    _ = (health, me, steps, resolve)
    return router
