"""Answers with a file's bytes: cached by browsers, in parts if asked."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException, Request
from fastapi.responses import Response

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
# Of the one browser: nobody shares these pictures. An address without its version is asked for
# anew each time, for what is behind it may change.
_CACHED, _CHECKED = "private, max-age=3600", "private, no-cache"
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {}}, "description": "The picture."},
    206: {"content": {"image/*": {}}, "description": "The part that was asked for."},
    304: {"description": "As you have it."},
}
"""The answers, besides errors, that a route with pictures documents."""


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
    """Return bytes with ETag, or the part that was asked for (RFC 9110, 14).

    Args:
        request: may ask for a part, or whether there is anything new.
        data: the whole file.
        media_type: of the file.
        version: tells the file from an earlier one at this address.
        headers: to add.

    Raises:
        HTTPException: 416, there is no such part.
    """
    tag = f'"{version}"'
    answer_headers = {**(headers or {}), "ETag": tag, "Accept-Ranges": "bytes"}
    answer_headers["Cache-Control"] = _CACHED if "v" in request.query_params else _CHECKED
    known = [item.strip().removeprefix("W/") for item in _header(request, "if-none-match")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=answer_headers)
    wanted = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if not wanted or not any(wanted.groups()) or _header(request, "if-range") not in ([], [tag]):
        return Response(data, media_type=media_type, headers=answer_headers)
    first, last = _part(wanted[1], wanted[2], len(data))
    if first > last:
        size = {"Content-Range": f"bytes */{len(data)}"}
        raise HTTPException(416, f"Range: the file has {len(data)} bytes", size)
    answer_headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, headers=answer_headers, media_type=media_type)


def _header(request: Request, name: str) -> list[str]:
    return [part for part in request.headers.get(name, "").split(",") if part]


def _part(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first and last byte; without a first one, `last` counts from the end."""
    if not first:
        return max(size - int(last), 0), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
