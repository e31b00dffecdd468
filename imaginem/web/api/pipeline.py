"""`/api/health`, `/api/me`, `/api/pipeline`."""

from fastapi import APIRouter, HTTPException

import imaginem
from imaginem.pipeline.means import described
from imaginem.usecases.own_outputs import OwnOutputs
from imaginem.web.dependencies import Viewer, WebDep
from imaginem.web.models import Health, Me
from imaginem.web.problems import responses
from imaginem.web.step_models import FieldInfo, ParameterInfo, StepInfo, StepNames

router = APIRouter(prefix="/api", tags=["pipeline"])


@router.get("/health")
async def health() -> Health:
    """Answer if the app is running; no thread is needed, since all may be busy."""
    return Health(status="ok", version=imaginem.__version__)


@router.get("/me", responses=responses())
def me(caller: Viewer) -> Me:
    """Return the caller's name and role."""
    return Me(name=caller.name, role=caller.role)


@router.get("/pipeline/steps", responses=responses())
def steps(caller: Viewer, web: WebDep) -> list[StepInfo]:
    """List the registered steps."""
    own = OwnOutputs(web.registry)
    return [
        StepInfo(
            name=step.name,
            requires=[required.name for required in step.requires],
            summary=step.summary,
            parameters=[ParameterInfo(**told) for told in described(step.parameters)],
            fields=[
                FieldInfo(
                    name=name,
                    type=field.kind,
                    title=field.title,
                    means=field.description,
                    unit=field.unit,
                )
                for name, field in own.fields(step.name).items()
            ],
        )
        for step in web.registry
    ]


@router.post("/pipeline/resolve", responses=responses(400, 422))
def resolve(caller: Viewer, web: WebDep, wanted: StepNames) -> StepNames:
    """Return the steps and all that they require, in the order they run."""
    try:
        return StepNames(steps=web.registry.resolve(wanted.steps))
    except KeyError as problem:
        raise HTTPException(422, str(problem.args[0])) from None
