"""`/photos`."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.ports import DashboardServices, PhotoFilter, PhotoPage
from imaginem.usecases.own_outputs import OwnOutputs
from imaginem.usecases.searching import count_labels, find_photos, has_words
from imaginem.usecases.unsearched import unsearched
from imaginem.web.dependencies import ServicesDep, Viewer, WebDep
from imaginem.web.pages.render import render
from imaginem.web.presenters import present_photo
from imaginem.web.requests import Cursor, VisiblePhotos

PAGE = 24
_FIELDS = (
    "text",
    "tag",
    "category",
    "object",
    "unreadable",
    "faces",
    "since",
    "until",
    "batch",
    "where",
)
_LISTS = ("tags", "categories", "objects", "unreadable")

router = APIRouter(prefix="/photos")


def filter_fields(request: Request) -> dict[str, str]:
    """Return the filter's fields in the address, without the empty ones."""
    query = request.query_params
    return {name: query[name] for name in _FIELDS if query.get(name)}


def _link(request: Request, unreadable: str) -> dict[str, str]:
    """Return what is said of a text, and the query for the other photos that have one like it."""
    fields = {**filter_fields(request), "unreadable": unreadable}
    del fields["text"]
    return {"text": unreadable, "query": urlencode(fields)}


def _cards(
    request: Request, services: DashboardServices, wanted: PhotoFilter, cursor: str
) -> dict[str, Any]:
    no_word = bool(wanted.text) and not has_words(wanted.text)
    page = PhotoPage(()) if no_word else find_photos(services, wanted, cursor, PAGE)
    fields = filter_fields(request)
    return {
        "photos": [present_photo(photo, wanted.text) for photo in page.photos],
        "this": urlencode({**fields, "cursor": cursor}),
        "following": urlencode({**fields, "cursor": page.cursor}) if page.cursor else "",
        "fields": fields,
        "query": urlencode(fields),
        "no_word": no_word,
        "more_filters": bool(fields.keys() - {"text", "tag"}),
    }


@router.get("")
def photos(
    caller: Viewer, services: ServicesDep, web: WebDep, request: Request, wanted: VisiblePhotos
) -> HTMLResponse:
    """Show the photos that fit, newest first."""
    values = _cards(request, services, wanted, "")
    empty = not values["photos"] and not values["fields"]
    begun = empty and bool(services.batches.batches(caller.groups, limit=1).batches)
    told = {"begun": begun, "own_fields": list(OwnOutputs(web.registry).fields())}
    searched = values["fields"] and not values["no_word"]
    left = unsearched(services, wanted, found=bool(values["photos"])) if searched else []
    told["unsearched"] = left
    told["unread"] = [_link(request, text) for photos in left for text, _ in photos.texts]
    told["so_far"] = any(photos.may_be_found_later for photos in left)
    return render(request, "photos.html", {**values, **told})


@router.get("/cards")
def more(
    caller: Viewer,
    services: ServicesDep,
    request: Request,
    wanted: VisiblePhotos,
    cursor: Cursor = "",
) -> HTMLResponse:
    """Show the photos after the cursor: a part of the page."""
    return render(request, "_cards.html", _cards(request, services, wanted, cursor))


@router.get("/facets")
def facets(
    caller: Viewer, services: ServicesDep, request: Request, wanted: VisiblePhotos
) -> HTMLResponse:
    """Show the labels of the photos that fit: a part of the page."""
    if wanted.text and not has_words(wanted.text):  # the page tells that in its place
        return render(request, "_facets.html", dict.fromkeys(_LISTS, ()))
    fields = filter_fields(request)
    links = [
        {
            "name": name,
            "count": count,
            "query": urlencode({**fields, "tag": name}),
            "chosen": name == wanted.tag,
        }
        for name, count in count_labels(services, wanted, "tag", 30)
    ]
    values = {
        "tags": links,
        "categories": count_labels(services, wanted, "category", 100),
        "objects": count_labels(services, wanted, "object", 100),
        "unreadable": count_labels(services, wanted, "unreadable", 100),
    }
    return render(request, "_facets.html", values)
