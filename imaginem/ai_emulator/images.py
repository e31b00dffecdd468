"""Reads the photo of a request, within a service's limits."""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.ports import CallContext

EMULATOR = CallContext.without_job("AI emulator")
"""Whom the emulator calls the local engines for: it doesn't know its callers' jobs."""


class BadImage(Exception):
    """The photo is refused.

    Attributes:
        what: is wrong with it: `format`, `bytes` or `pixels`.
        too_small: it has too few bytes or pixels, not too many.
    """

    def __init__(self, what: str, too_small: bool = False) -> None:
        super().__init__(what)
        self.what, self.too_small = what, too_small


async def read_image(
    request: Request,
    *,
    formats: Sequence[str],
    least_bytes: int = 0,
    most_bytes: int,
    least_side: int,
    most_side: int,
) -> Photo:
    """Return the photo in a request's body.

    Raises:
        BadImage: it breaks a limit.
    """
    data = await request.body()
    if len(data) > most_bytes or len(data) < least_bytes:
        raise BadImage("bytes", too_small=len(data) < least_bytes)
    try:
        photo = await run_in_threadpool(decode_photo, data)
    except PermanentError:
        raise BadImage("format") from None
    if photo.format not in formats:
        raise BadImage("format")
    if min(photo.width, photo.height) < least_side or max(photo.width, photo.height) > most_side:
        raise BadImage("pixels", too_small=min(photo.width, photo.height) < least_side)
    return photo
