"""`/api/images` and `/api/tags`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from imaginem.errors import PermanentError
from imaginem.images.decoding import check_photo
from imaginem.images.limits import PAGE_LIMIT
from imaginem.ports import DashboardServices, JobKey, JobResult
from imaginem.usecases.jobs import photo_name, result_of
from imaginem.usecases.renditions import (
    MEDIA_TYPE,
    download,
    facts_of,
    kept_rendition,
    make_rendition,
    version_of,
)
from imaginem.usecases.searching import count_labels, find_photos, page_with
from imaginem.usecases.unsearched import unsearched
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, VisibleJob, WebDep
from imaginem.web.files import PICTURE, attachment, file_response
from imaginem.web.models import LabelCount, Photos
from imaginem.web.presenters import present_photo
from imaginem.web.problems import responses
from imaginem.web.requests import Cursor, Limit, VisiblePhotos, check_place_role

_FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
    "AVIF": "image/avif",
    "JXL": "image/jxl",
    "PDF": "application/pdf",
}

router = APIRouter(prefix="/api", tags=["images"])


@router.get("/images", responses=responses(422))
def images(
    caller: Viewer,
    services: ServicesDep,
    wanted: VisiblePhotos,
    cursor: Cursor = "",
    limit: Limit = 48,
) -> Photos:
    """Find photos by their labels, text and faces: the surest first, then the newest."""
    page = find_photos(services, wanted, cursor, limit)
    found = [present_photo(photo, wanted.text) for photo in page.photos]
    left = [] if cursor else unsearched(services, wanted, found=bool(found))
    told = [photos.sentence for photos in left]
    return Photos(images=found, cursor=page.cursor, not_searched=told)


@router.get("/tags", responses=responses(422))
def tags(
    caller: Viewer,
    services: ServicesDep,
    wanted: VisiblePhotos,
    kind: Annotated[Literal["tag", "category", "object", "unreadable"], Query()] = "tag",
    limit: Limit = 50,
) -> list[LabelCount]:
    """Count the labels of the photos that fit the filter, the most frequent first."""
    labels = count_labels(services, wanted, kind, limit)
    return [LabelCount(name=name, count=count) for name, count in labels]


@router.get(
    "/images/{batch_id}/{job_id}/original",
    responses={**PICTURE, **responses(404, 416, 422)},
    response_class=Response,
)
def photo(caller: Caseworker, services: ServicesDep, key: VisibleJob, request: Request) -> Response:
    """Download a photo as it was sent, with all its metadata, including the place."""
    result = result_of(services, key)
    data = download(services, result)
    name = photo_name(result.image_parameters, result.id)
    headers = {"Content-Disposition": attachment(name)}
    return file_response(request, data, _media_type(data), version_of(result), headers)


def _media_type(data: bytes) -> str:
    try:
        return _FORMATS[check_photo(data)]
    except PermanentError:
        return "application/octet-stream"  # a browser must not guess


@router.get("/images/{batch_id}/{job_id}/exif", responses=responses(404, 413, 422))
def exif(
    caller: Viewer,
    services: ServicesDep,
    key: VisibleJob,
    gps: Annotated[bool, Query(description="The place, too; for caseworkers.")] = False,
) -> dict[str, str]:
    """Return what a photo's file says about camera, time and place."""
    check_place_role(caller, gps)
    return facts_of(services, result_of(services, key), gps=gps)


async def _size(size: Literal["thumbnail", "view"]) -> str:
    return size


# A dependency, so that the OpenAPI document lists it after the job's parameters.
Size = Annotated[str, Depends(_size)]


@router.get(
    "/images/{batch_id}/{job_id}/{size}",
    responses={**PICTURE, **responses(404, 413, 416, 422)},
    response_class=Response,
)
async def smaller(
    caller: Viewer,
    web: WebDep,
    services: ServicesDep,
    key: VisibleJob,
    request: Request,
    size: Size,
    page: Annotated[
        int | None,
        Query(ge=1, le=PAGE_LIMIT, description="Of the photo's file; else the first."),
    ] = None,
    text: Annotated[
        str, Query(max_length=200, description="Words, instead of the number of a page with them.")
    ] = "",
) -> Response:
    """Show a photo, upright, as JPEG: `thumbnail` (320 pixels) or `view` (1,600)."""
    result, number = await run_in_threadpool(_page_of, services, key, page, text)
    copy = await run_in_threadpool(kept_rendition, services, result, size, number)
    if copy is None:
        copy = await web.turns.run(lambda: make_rendition(services, result, size, number))
    return file_response(request, copy.data, MEDIA_TYPE, f"{size}-{copy.version}-{number}")


def _page_of(
    services: DashboardServices, key: JobKey, page: int | None, text: str
) -> tuple[JobResult, int]:
    """Return a job's result, and which page of its photo is shown; long texts take a moment."""
    result = result_of(services, key)
    return result, page_with(result, text) if page is None else page
