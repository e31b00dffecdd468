"""The pages that people use: server-rendered, with htmx and a little script."""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from imaginem.web.context import Site
from imaginem.web.pages.batches import batch_pages
from imaginem.web.pages.docs import docs_pages
from imaginem.web.pages.faces import face_pages
from imaginem.web.pages.operations import operations_pages
from imaginem.web.pages.photo import single_photo_pages
from imaginem.web.pages.photos import photo_pages
from imaginem.web.pages.render import render, static_bytes
from imaginem.web.pages.upload import upload_pages

__all__ = ["docs_pages", "error_page", "page_routers"]

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def page_routers(site: Site) -> list[APIRouter]:
    """Return the pages' routes."""
    pages = (
        upload_pages,
        batch_pages,
        photo_pages,
        single_photo_pages,
        face_pages,
        operations_pages,
    )
    return [_static(), *(routes(site) for routes in pages)]


def _static() -> APIRouter:
    """Return the files that pages load: open, for they tell nothing."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        found = static_bytes(name)
        if found is None:
            raise HTTPException(404, f"there is no file {name}; for packages' files run `npm ci`")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(found, media_type=_TYPES[Path(name).suffix], headers=headers)

    @router.get("/favicon.ico")
    def icon() -> Response:
        return RedirectResponse("/static/icon.svg", 308)

    _ = (static, icon)
    return router


def error_page(request: Request, status: int, detail: str) -> Response:
    """Return a page that says what went wrong."""
    return render(request, "error.html", {"detail": detail, "status": status}, status)
