"""Addresses in the API and of pages."""

import re
from urllib.parse import quote, unquote, urlencode

from imaginem.errors import InvalidMessage, NotFound
from imaginem.names import table_key
from imaginem.ports import FoundPhoto

_ONE_PAGE = (".jpg", ".jpeg", ".jfif", ".jpe", ".bmp", ".heic", ".jxl")
_DOTS = re.compile(r"\.{1,2}")


def path(text: str) -> str:
    r"""Return an id as a segment of an address, with `% / \ # ?` encoded twice."""
    key = table_key(text, "id")
    if _DOTS.fullmatch(key):
        key = key.replace(".", "%2E")
    return quote(key, safe="")


def unpath(segment: str) -> str:
    """Return the id that a decoded segment of an address stands for.

    Raises:
        NotFound: it is not UTF-8.
    """
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise NotFound("the address is not UTF-8") from None


def photo_page(batch_id: str, job_id: str) -> str:
    """Return the address of a photo's page; empty for ids that no job can have."""
    try:
        return f"/photos/{path(batch_id)}/{path(job_id)}"
    except InvalidMessage:
        return ""


def job_path(batch_id: str, job_id: str) -> str:
    """Return the address of a job in the API."""
    return f"/api/jobs/{path(batch_id)}/{path(job_id)}"


def image_path(batch_id: str, job_id: str) -> str:
    """Return the address of a photo, to be followed by `/thumbnail` and the like."""
    return f"/api/images/{path(batch_id)}/{path(job_id)}"


def thumbnail_url(photo: FoundPhoto, words: str = "") -> str:
    """Return the address of a photo's thumbnail; it changes when the job is run again.

    Args:
        photo: in a list.
        words: by which it was found: of a file of several pages, the one that has them is shown.
    """
    version = f"{photo.timestamp.timestamp() * 1000:.0f}"
    address = f"{image_path(photo.batch_id, photo.id)}/thumbnail?v={version}"
    # Browsers keep a picture under its address: that of one page is to be the same for all words.
    if not words or photo.name.lower().endswith(_ONE_PAGE):
        return address
    return f"{address}&{urlencode({'text': words})}"
