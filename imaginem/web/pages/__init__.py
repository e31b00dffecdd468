"""The pages that people use: server-rendered, with htmx and a little script."""

from fastapi import Request
from fastapi.responses import Response

from imaginem.web.pages import (
    audit,
    batches,
    costs,
    docs,
    faces,
    operations,
    photo,
    photos,
    poison,
    receipt,
    static,
    upload,
)
from imaginem.web.pages.render import render

__all__ = ["ROUTERS", "error_page"]

ROUTERS = (
    static.router,
    upload.router,
    costs.router,
    batches.router,
    photos.router,
    photo.router,
    faces.router,
    operations.router,
    poison.router,
    audit.router,
    receipt.router,
    docs.router,
)
"""The pages' routes."""


def error_page(request: Request, status: int, detail: str) -> Response:
    """Return a page that says what went wrong."""
    return render(request, "error.html", {"detail": detail, "status": status}, status)
