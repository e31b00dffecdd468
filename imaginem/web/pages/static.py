"""`/static` and `/favicon.ico`: the files that pages load; open to all, as they hold no data."""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from imaginem.web.pages.render import static_bytes, static_url

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

router = APIRouter()


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Return a file; browsers keep it for good only under the address of just this content."""
    data = static_bytes(name)
    if data is None:
        raise HTTPException(404, f"there is no file {name}; for packages' files run `npm ci`")
    current = f"{request.url.path}?{request.url.query}" == static_url(name)
    kept = "public, max-age=31536000, immutable" if current else "no-cache"
    headers = {"Cache-Control": kept}
    return Response(data, media_type=_TYPES[Path(name).suffix], headers=headers)


@router.get("/favicon.ico")
async def icon() -> Response:
    """Redirect browsers that ask for the old icon file to the SVG icon."""
    return RedirectResponse("/static/icon.svg", 308)
