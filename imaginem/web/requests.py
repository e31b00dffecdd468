"""Parts of requests that the API and the pages share."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Depends, File, Form, HTTPException, Query, Request, UploadFile
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from imaginem.errors import PermanentError
from imaginem.images.decoding import check_photo
from imaginem.images.limits import BYTE_LIMIT, BYTE_LIMIT_MB, OverLimit
from imaginem.message import explain
from imaginem.ports import PhotoFilter, PoisonFilter
from imaginem.ports.categories import category_named
from imaginem.usecases.access import Caller
from imaginem.usecases.own_outputs import OwnOutputs
from imaginem.usecases.same_photo import SoughtPhoto, sought, sought_by_hash
from imaginem.web.dependencies import Viewer, WebDep
from imaginem.web.poison_models import Kind

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str, Query(max_length=2000, description="`cursor` of the page before.")]
Label = Annotated[str, Query(max_length=200)]
_STEP_PARAMETERS = TypeAdapter(dict[str, dict[str, Any]])
SEARCHED_MATCHES = 20
"""Matches that are shown for each face of a photo that was searched with."""
# Forms send empty fields too.
EMPTY_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)


async def one_file(request: Request) -> None:
    """Check that a form has only one file: further ones would be ignored.

    Raises:
        HTTPException: 422, there are several.
    """
    count = len((await request.form()).getlist("file"))
    if count > 1:
        raise HTTPException(422, f"file: send one photo a request; this one has {count}")


def read_upload(file: UploadFile) -> bytes:
    """Return an uploaded photo's bytes.

    Raises:
        HTTPException: 413 for too many bytes, pixels, scans or the like, 415 if it is not a photo.
    """
    data = read_file(file)
    try:
        check_photo(data)
    except PermanentError as problem:
        status = 413 if isinstance(problem, OverLimit) else 415
        raise HTTPException(status, f"file: {problem}") from None
    return data


def read_step_parameters(text: str) -> dict[str, dict[str, Any]]:
    """Return what a form says to steps.

    Raises:
        HTTPException: 422 if it is no JSON object of objects.
    """
    try:
        return _STEP_PARAMETERS.validate_json(text or "{}")
    except ValidationError as problem:
        raise HTTPException(
            422,
            f"parameters: {explain(problem).removeprefix(': ')}: send a JSON object with an object "
            'for each step, {"step": {"name": value}}',
        ) from None


def read_file(file: UploadFile) -> bytes:
    """Return an uploaded file's bytes, whatever they are.

    Raises:
        HTTPException: 413 for more bytes than a photo may have.
    """
    data = file.file.read(BYTE_LIMIT + 1)
    if len(data) > BYTE_LIMIT:
        raise HTTPException(
            413,
            f"file: the photo has more than {BYTE_LIMIT} bytes ({BYTE_LIMIT_MB} MB): "
            "send a smaller copy",
        )
    return data


def photo_or_hash(
    file: Annotated[
        UploadFile | None, File(description="The photo, as it was sent; it is not kept.")
    ] = None,
    sha256: Annotated[
        str, Form(max_length=80, description="The SHA-256 of its file instead; for operators.")
    ] = "",
) -> SoughtPhoto:
    """Read from a form which photo is meant; one that can't be decoded may be meant, too.

    Raises:
        HTTPException: 422 unless one of the two is given, 413 for a file that is too large.
    """
    given = file if file is not None and (file.filename or file.size) else None
    if (given is None) == (not sha256):
        raise HTTPException(422, "file: send the photo's file, or its sha256 instead")
    return sought(read_file(given)) if given is not None else sought_by_hash(sha256)


PhotoOrHash = Annotated[SoughtPhoto, Depends(photo_or_hash)]
"""The photo that a form means."""


async def photo_filter(
    web: WebDep,
    tag: Label = "",
    category: Label = "",
    object: Label = "",
    text: Label = "",
    unreadable: Annotated[
        str,
        Query(
            max_length=200,
            description="With text that can't be read: what `/api/tags?kind=unreadable` tells.",
        ),
    ] = "",
    faces: Annotated[
        bool | None,
        EMPTY_IS_NONE,
        Query(description="With faces; or without, where they were looked for."),
    ] = None,
    since: Annotated[date | None, EMPTY_IS_NONE, Query(description="First day, UTC.")] = None,
    until: Annotated[date | None, EMPTY_IS_NONE, Query(description="Last day, UTC.")] = None,
    batch: Annotated[str, Query(max_length=512)] = "",
    where: Annotated[
        str,
        Query(
            max_length=1000,
            description="What own steps found: `step.field>=5`, several with ` and ` between.",
        ),
    ] = "",
) -> PhotoFilter:
    """Read a filter from an address.

    Raises:
        HTTPException: 422, the last day has no day after it.
        InvalidMessage: `where` can't be read.
    """
    return PhotoFilter(
        tag=tag,
        category=category_named(category),
        object=object,
        text=text.strip(),
        unreadable=unreadable,
        faces=faces,
        since=_midnight(since),
        until=_midnight(until, days=1),
        batch=batch,
        where=OwnOutputs(web.registry).conditions(where),
    )


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day + timedelta(days=days), time(), UTC)
    except OverflowError:
        raise HTTPException(422, "until: the day is too far away") from None


async def visible_photos(
    caller: Viewer, wanted: Annotated[PhotoFilter, Depends(photo_filter)]
) -> PhotoFilter:
    """Return a filter that leaves out what the caller may not see."""
    return replace(wanted, groups=caller.groups)


VisiblePhotos = Annotated[PhotoFilter, Depends(visible_photos)]
"""The filter that an address has, without photos that the caller may not see."""


def check_place_role(caller: Caller, gps: bool) -> None:
    """Check that a caller may know where a photo was taken, if that is asked for.

    Raises:
        HTTPException: 403, only caseworkers may.
    """
    if gps and not caller.may("caseworker"):
        raise HTTPException(403, "this needs the app role caseworker")


async def poison_place(poison_id: str) -> tuple[str, str]:
    """Split a poisoned message's id in an address into queue and message id.

    Raises:
        HTTPException: 404, no message can have this id.
    """
    queue, dot, message_id = poison_id.partition(".")  # no queue's name has a dot
    if not (queue and dot and message_id):
        raise HTTPException(404, f"there is no poisoned message {poison_id}")
    return queue, message_id


PoisonPlace = Annotated[tuple[str, str], Depends(poison_place)]
"""Queue and message id that an address names."""


async def poison_filter(
    queue: Annotated[str, Query(max_length=63)] = "",
    batch: Annotated[str, Query(max_length=512)] = "",
    job: Annotated[str, Query(max_length=512)] = "",
    reason: Annotated[str, Query(max_length=512, description="A part of the reason.")] = "",
    kind: Annotated[Kind, Query(description="Why it was kept.")] = "",
) -> PoisonFilter:
    """Read from an address which poisoned messages are meant."""
    return PoisonFilter(queue.strip(), batch.strip(), job.strip(), reason.strip(), kind)


WantedPoison = Annotated[PoisonFilter, Depends(poison_filter)]
"""Which poisoned messages an address means."""
