"""`/` and `/upload`."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from imaginem.imaging import BYTE_LIMIT
from imaginem.submitting import new_batch
from imaginem.web.access import Caller
from imaginem.web.pages.render import render
from imaginem.web.site import Site


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
        usual = site.services().limits.default_pipeline
        values = {
            "batch": batch or new_batch(),
            "steps": [step for step in site.registry if not step.closing],
            "closing": [step for step in site.registry if step.closing],
            "usual": set(usual),
            "byte_limit": BYTE_LIMIT,
            "grouped": site.access.mode == "platform",
        }
        return render(request, "upload.html", values)

    _ = (home, upload)
    return router
