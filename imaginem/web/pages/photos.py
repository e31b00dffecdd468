"""`/photos`."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.ports import PhotoFilter
from imaginem.web.access import Caller
from imaginem.web.api.batches import Cursor
from imaginem.web.api.images import Filter, seen_by
from imaginem.web.context import Site
from imaginem.web.pages.render import render
from imaginem.web.presenters import photo_of

PAGE = 24
_FIELDS = ("text", "tag", "category", "object", "faces", "since", "until", "batch")


def asked(request: Request) -> dict[str, str]:
    """Return the filter as the address has it, without what is empty."""
    told = request.query_params
    return {name: told[name] for name in _FIELDS if told.get(name)}


def photo_pages(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/photos")
    viewer: Any = site.access.needs("viewer")

    def cards(request: Request, seen: PhotoFilter, cursor: str) -> dict[str, Any]:
        page = site.services().catalogue.photos(seen, cursor, PAGE)
        kept = asked(request)
        return {
            "photos": [photo_of(each) for each in page.photos],
            "this": urlencode({**kept, "cursor": cursor}),
            "following": urlencode({**kept, "cursor": page.cursor}) if page.cursor else "",
            "asked": kept,
            "query": urlencode(kept),
            "more_asked": bool(kept.keys() - {"text", "tag"}),
        }

    @router.get("")
    def photos(caller: Annotated[Caller, viewer], request: Request, wanted: Filter) -> HTMLResponse:
        return render(request, "photos.html", cards(request, seen_by(wanted, caller), ""))

    @router.get("/cards")
    def more(
        caller: Annotated[Caller, viewer], request: Request, wanted: Filter, cursor: Cursor = ""
    ) -> HTMLResponse:
        return render(request, "_cards.html", cards(request, seen_by(wanted, caller), cursor))

    @router.get("/facets")
    def facets(caller: Annotated[Caller, viewer], request: Request, wanted: Filter) -> HTMLResponse:
        catalogue, seen = site.services().catalogue, seen_by(wanted, caller)
        kept = asked(request)
        links = [
            {
                "name": name,
                "count": count,
                "query": urlencode({**kept, "tag": name}),
                "chosen": name == wanted.tag,
            }
            for name, count in catalogue.labels(seen, "tag", 30)
        ]
        values = {
            "tags": links,
            "categories": catalogue.labels(seen, "category", 100),
            "objects": catalogue.labels(seen, "object", 100),
        }
        return render(request, "_facets.html", values)

    _ = (photos, more, facets)
    return router
