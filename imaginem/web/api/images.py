"""`/api/images` and `/api/tags`."""

from dataclasses import replace
from datetime import UTC as ZONE
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator

from imaginem.errors import PermanentError
from imaginem.images.decoding import check_photo
from imaginem.images.exif import read_exif
from imaginem.ports import PhotoFilter
from imaginem.usecases.renditions import MEDIA_TYPE, original, rendition, version_of
from imaginem.web.access import Caller
from imaginem.web.api.batches import Cursor, Limit
from imaginem.web.api.models import LabelCount, Photos
from imaginem.web.context import Site, attachment
from imaginem.web.files import file_response
from imaginem.web.presenters import photo_of
from imaginem.web.problems import responses

# Forms send empty fields along.
EMPTY_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)
Label = Annotated[str, Query(max_length=200)]
IMAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {}}, "description": "The picture."},
    206: {"content": {"image/*": {}}, "description": "The part that was asked for."},
    304: {"description": "As you have it."},
}
_FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
}


def photo_filter(
    tag: Label = "",
    category: Label = "",
    object: Label = "",
    text: Label = "",
    faces: Annotated[
        bool | None, EMPTY_IS_NONE, Query(description="With faces, or without.")
    ] = None,
    since: Annotated[date | None, EMPTY_IS_NONE, Query(description="First day, UTC.")] = None,
    until: Annotated[date | None, EMPTY_IS_NONE, Query(description="Last day, UTC.")] = None,
    batch: Annotated[str, Query(max_length=512)] = "",
) -> PhotoFilter:
    """Read a filter from an address."""
    return PhotoFilter(
        tag=tag,
        category=category,
        object=object,
        text=text.strip(),
        faces=faces,
        since=_midnight(since),
        until=_midnight(until, days=1),
        batch=batch,
    )


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day + timedelta(days=days), time(), ZONE)
    except OverflowError:
        raise HTTPException(422, "until: the day is too far away") from None


Filter = Annotated[PhotoFilter, Depends(photo_filter)]


def image_routes(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["images"])
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    @router.get("/images", responses=responses(422))
    def images(
        caller: Annotated[Caller, viewer], wanted: Filter, cursor: Cursor = "", limit: Limit = 48
    ) -> Photos:
        """Find photos by what was found in them, newest first."""
        seen = seen_by(wanted, caller)
        page = site.services().catalogue.photos(seen, cursor, limit)
        return Photos(images=[photo_of(each) for each in page.photos], cursor=page.cursor)

    @router.get("/tags", responses=responses(422))
    def tags(
        caller: Annotated[Caller, viewer],
        wanted: Filter,
        kind: Annotated[Literal["tag", "category", "object"], Query()] = "tag",
        limit: Limit = 50,
    ) -> list[LabelCount]:
        """Count labels of the photos that fit, the most frequent first."""
        found = site.services().catalogue.labels(seen_by(wanted, caller), kind, limit)
        return [LabelCount(name=name, count=count) for name, count in found]

    @router.get(
        "/images/{batch_id}/{job_id}/original",
        responses={**IMAGE, **responses(404, 416, 422)},
        response_class=Response,
    )
    def photo(
        caller: Annotated[Caller, caseworker], request: Request, batch_id: str, job_id: str
    ) -> Response:
        """Download a photo as it was sent, with all that its file tells, the place too."""
        result = site.result(batch_id, job_id, caller)
        data = original(site.services(), result)
        try:
            media = _FORMATS[check_photo(data)]
        except PermanentError:
            media = "application/octet-stream"  # a browser must not guess
        parameters = result.image_parameters
        told = parameters.get("original_name") if isinstance(parameters, dict) else None
        headers = {"Content-Disposition": attachment(str(told or result.id))}
        return file_response(request, data, media, version_of(result), headers)

    @router.get("/images/{batch_id}/{job_id}/exif", responses=responses(404, 422))
    def exif(
        caller: Annotated[Caller, viewer],
        batch_id: str,
        job_id: str,
        gps: Annotated[bool, Query(description="The place, too; for caseworkers.")] = False,
    ) -> dict[str, str]:
        """Tell what a photo's file says of camera, time and place."""
        if gps and not caller.may("caseworker"):
            raise HTTPException(403, "this needs the app role caseworker")
        result = site.result(batch_id, job_id, caller)
        return read_exif(original(site.services(), result), gps=gps)

    @router.get(
        "/images/{batch_id}/{job_id}/{size}",
        responses={**IMAGE, **responses(404, 416, 422)},
        response_class=Response,
    )
    def smaller(
        caller: Annotated[Caller, viewer],
        request: Request,
        batch_id: str,
        job_id: str,
        size: Literal["thumbnail", "view"],
    ) -> Response:
        """Show a photo, upright, as JPEG: `thumbnail` (320 pixels) or `view` (1,600)."""
        result = site.result(batch_id, job_id, caller)
        made = rendition(site.services(), result, size)
        return file_response(request, made.data, MEDIA_TYPE, f"{size}-{made.version}")

    _ = (images, tags, photo, exif, smaller)
    return router


def seen_by(wanted: PhotoFilter, caller: Caller) -> PhotoFilter:
    """Return a filter that hides what the caller may not see."""
    return replace(wanted, groups=caller.groups)
