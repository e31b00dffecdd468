"""Responses with a file's bytes, which browsers may cache and request in ranges."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException, Request
from fastapi.responses import Response

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
# Private: shared caches must not keep pictures. Without a version in its address, a picture may
# change, so that the browser must revalidate it each time.
_CACHED, _REVALIDATED = "private, max-age=3600", "private, no-cache"
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {}}, "description": "The picture."},
    206: {"content": {"image/*": {}}, "description": "The requested range."},
    304: {"description": "Not modified: the cached picture is current."},
}
"""The successful answers that a route with pictures documents."""


def attachment(name: str) -> str:
    """Return a Content-Disposition that saves a file under a name (RFC 6266, RFC 8187)."""
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-") or "file"
    encoded = quote(name, safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def file_response(
    request: Request,
    data: bytes,
    media_type: str,
    version: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a file's bytes, or the requested range of them, with an ETag (RFC 9110, 13 and 14).

    Args:
        request: its headers may name a range, or the version that the client has.
        data: the whole file.
        media_type: of the file.
        version: differs between the files that this address has had.
        headers: to add.

    Raises:
        HTTPException: 416, the file has no such range.
    """
    tag = f'"{version}"'
    answer_headers = {**(headers or {}), "ETag": tag, "Accept-Ranges": "bytes"}
    answer_headers["Cache-Control"] = _CACHED if "v" in request.query_params else _REVALIDATED
    known = [item.strip().removeprefix("W/") for item in _header(request, "if-none-match")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=answer_headers)
    span = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if not span or not any(span.groups()) or _header(request, "if-range") not in ([], [tag]):
        return Response(data, media_type=media_type, headers=answer_headers)
    first, last = _first_and_last(span[1], span[2], len(data))
    if first > last:
        size = {"Content-Range": f"bytes */{len(data)}"}
        raise HTTPException(416, f"Range: the file has {len(data)} bytes", size)
    answer_headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, headers=answer_headers, media_type=media_type)


def _header(request: Request, name: str) -> list[str]:
    return [part for part in request.headers.get(name, "").split(",") if part]


def _first_and_last(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the positions of a range's bytes; without `first`, `last` counts from the end."""
    if not first:
        return max(size - int(last), 0), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
