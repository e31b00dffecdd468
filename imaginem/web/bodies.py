"""ASGI middleware that bounds what is in memory of requests that are not answered."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from imaginem.images.bodies import BoundedBody, Receive, make_room
from imaginem.images.headers import declared_length
from imaginem.images.limits import BYTE_LIMIT, BYTE_LIMIT_MB

_BODY_LIMIT = BYTE_LIMIT + 2**20
"""Most bytes of a request: a photo, and the form around it."""
_TOO_LARGE = f"the request is larger than a photo of {BYTE_LIMIT_MB} MB: send photos one by one"

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Bodies:
    """ASGI middleware.

    Args:
        app: its requests' bodies are bounded.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._room = make_room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        declared = declared_length(lengths[0].decode("latin-1")) if lengths else None
        body = BoundedBody(receive, declared, _BODY_LIMIT, self._room, too_large=_TOO_LARGE)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.close()
