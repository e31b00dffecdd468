"""The HTTP app: whether the app is up, and which steps there are."""

from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

import imaginem
from imaginem.registry import Registry
from imaginem.web.access import Access


class Health(BaseModel):
    """That the app answers, and its version."""

    status: str
    version: str


class StepInfo(BaseModel):
    """A step: its queue has the same name."""

    name: str
    requires: list[str]
    summary: str


class StepNames(BaseModel):
    """Names of steps."""

    steps: list[str]


def make_app(registry: Registry, access: str = "local") -> FastAPI:
    """Return the HTTP app for these steps.

    Args:
        registry: the steps.
        access: who may call it; see `imaginem.web.access`.
    """
    let_in = Access(access)
    local = access == "local"
    app = FastAPI(
        title="Imaginem",
        version=imaginem.__version__,
        docs_url="/api/docs" if local else None,
        openapi_url="/api/openapi.json" if local else None,
        redoc_url=None,
    )

    @app.get("/api/health")
    def health() -> Health:
        """Tell that the app answers."""
        return Health(status="ok", version=imaginem.__version__)

    @app.get("/api/pipeline/steps", dependencies=[let_in.needs("viewer")])
    def steps() -> list[StepInfo]:
        """List the registered steps."""
        return [
            StepInfo(
                name=step.name,
                requires=[needed.name for needed in step.requires],
                summary=step.summary,
            )
            for step in registry
        ]

    @app.post("/api/pipeline/resolve", dependencies=[let_in.needs("viewer")])
    def resolve(wanted: StepNames) -> StepNames:
        """Return the steps and all that they require, in the order they run."""
        try:
            return StepNames(steps=registry.resolve(wanted.steps))
        except KeyError as problem:
            raise HTTPException(422, str(problem.args[0])) from None

    _: tuple[Any, ...] = (health, steps, resolve)
    return app
