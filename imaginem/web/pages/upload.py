"""`/` and `/upload`."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from imaginem.images.limits import BYTE_LIMIT
from imaginem.pipeline.means import described
from imaginem.pipeline.steps import AnyStep, Registry
from imaginem.usecases.submit import new_batch
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, WebDep
from imaginem.web.pages.render import render

router = APIRouter()


@router.get("/")
def home(caller: Viewer) -> RedirectResponse:
    """Redirect to the first page that the caller may use."""
    return RedirectResponse("/upload" if caller.may("caseworker") else "/photos", 303)


def _in_usual_order(registry: Registry, usual: Sequence[str]) -> list[AnyStep]:
    """Return the steps in the order of the usual pipeline, then others: browsers send them so."""
    places = {name: place for place, name in enumerate(usual)}
    steps = [step for step in registry if not step.finalizer]
    return sorted(steps, key=lambda step: places.get(step.name, len(places)))


@router.get("/upload")
def upload(
    caller: Caseworker, web: WebDep, services: ServicesDep, request: Request, batch: str = ""
) -> HTMLResponse:
    """Show the page that sends photos."""
    values = {
        "batch": batch or new_batch(),
        "steps": _in_usual_order(web.registry, services.core_settings.default_pipeline),
        "finalizers": [step for step in web.registry if step.finalizer],
        "usual": set(services.core_settings.default_pipeline),
        "parameters": {step.name: described(step.parameters) for step in web.registry},
        "byte_limit": BYTE_LIMIT,
        "receivers": services.photo_receivers,
        "grouped": web.access.mode == "platform",
    }
    return render(request, "upload.html", values)
