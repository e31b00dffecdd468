"""`/` and `/upload`."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from imaginem.images.decoding import BYTE_LIMIT
from imaginem.usecases.submit import new_batch
from imaginem.web.access import Caller
from imaginem.web.context import Site
from imaginem.web.pages.render import render


def upload_pages(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter()
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    @router.get("/")
    def home(caller: Annotated[Caller, viewer]) -> RedirectResponse:
        return RedirectResponse("/upload" if caller.may("caseworker") else "/photos", 303)

    @router.get("/upload")
    def upload(
        caller: Annotated[Caller, caseworker], request: Request, batch: str = ""
    ) -> HTMLResponse:
        usual = site.services().core_settings.default_pipeline
        values = {
            "batch": batch or new_batch(),
            "steps": [step for step in site.registry if not step.finalizer],
            "finalizers": [step for step in site.registry if step.finalizer],
            "usual": set(usual),
            "byte_limit": BYTE_LIMIT,
            "grouped": site.access.mode == "platform",
        }
        return render(request, "upload.html", values)

    _ = (home, upload)
    return router
