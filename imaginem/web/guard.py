"""Adds security headers to every answer, and refuses requests that other sites forge.

Pages of other sites can make a browser send requests here with its login. Browsers say so
in Sec-Fetch-Site, or in Origin; programs send neither and have no login to abuse.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from imaginem.ports.log_lines import working_on
from imaginem.web.problems import problem

_logger = logging.getLogger("imaginem.web")
_SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_DEFAULTS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),  # answers hold personal data
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Guard:
    """ASGI middleware.

    Args:
        app: what it guards.
        defect: returns the answer to a request that raised an unexpected error.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        defect: Callable[[Scope], Callable[[Scope, Receive, Send], Awaitable[None]]],
    ) -> None:
        self._app, self._defect = app, defect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse forged requests; add security headers to answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with working_on():  # labels that routes give end with the request
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        head_only = scope["method"] == "HEAD"
        if head_only:  # answered as GET is (RFC 9110, 9.3.2), without the body
            scope = {**scope, "method": "GET"}

        async def guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = _with_defaults(message["headers"])
            elif head_only:
                message = {**message, "body": b""}
            await send(message)

        if scope["method"] not in _SAFE and not _is_own(scope):
            refusal = problem(403, "this request came from another site: use Imaginem's own pages")
            await refusal(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception as defect:  # outermost: the server would show the error's text
            if begun:
                raise
            _logger.error("%s %s failed", scope["method"], scope["path"], exc_info=defect)
            await self._defect(scope)(scope, receive, guarded)


def _with_defaults(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers, with the security headers that it does not set itself."""
    answered = list(headers)
    present = {name.lower() for name, _ in answered}
    return [*answered, *(header for header in _DEFAULTS if header[0] not in present)]


def _is_own(scope: Scope) -> bool:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        origin_host = urlsplit(origin or "").netloc.lower()
    except ValueError:
        return False
    return origin is None or origin_host == headers.get("host", "").lower()
