"""Bounds what is in memory of requests whose body is not complete, or that are not answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from imaginem.errors import Busy, ImaginemError
from imaginem.images.shares import Crowded, Share

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

ROOM_BYTES = 64 * 2**20
"""Memory for all bodies of a process: three photos of the largest size, or twenty usual ones."""
_SMALL = 64 * 1024
"""Bytes that every request may have besides: forms and messages never wait."""
_SILENT_SECONDS = 20.0
_LEAST_SPEED = 64 * 1024
"""Bytes a second that a body must come with, on the whole."""


def make_room() -> Share:
    """Return the room that all requests of a process share."""
    return Share(
        ROOM_BYTES,
        waiting=64,
        seconds=20.0,
        refusal="too many uploads at once: send it again in a few seconds",
    )


class BodyRefused(ImaginemError):
    """A request's body is not read to its end.

    Attributes:
        status: of the answer.
        close: the connection is best closed: what still comes would only be thrown away.
    """

    def __init__(self, status: int, message: str, *, close: bool = False) -> None:
        super().__init__(message)
        self.status, self.close = status, close


class BoundedBody:
    """A request's body, read within limits.

    Args:
        receive: of the request (ASGI).
        declared: bytes that Content-Length declares.
        limit: most bytes.
        room: shared by all requests.
        too_large: what a caller is told whose body is larger.
        silent: seconds that nothing may come.
    """

    def __init__(
        self,
        receive: Receive,
        declared: int | None,
        limit: int,
        room: Share,
        *,
        too_large: str,
        silent: float = _SILENT_SECONDS,
    ) -> None:
        self._receive, self._declared, self._limit, self._room = receive, declared, limit, room
        self._too_large, self._silent = too_large, silent
        self._begun = time.monotonic()
        self._size = self._taken = 0
        self._complete = False

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next event of the request.

        Raises:
            BodyRefused: it is too large or too slow, or there is no room for it.
        """
        if self._complete:
            return await self._receive()
        if (self._declared or 0) > self._limit:
            raise BodyRefused(413, self._too_large)
        event = await self._next()
        self._size += len(event.get("body", b""))
        self._complete = not event.get("more_body")
        if self._size > self._limit:
            raise BodyRefused(413, self._too_large)
        await self._make_room()
        return event

    async def _next(self) -> MutableMapping[str, Any]:
        begun = time.monotonic()
        try:
            event = await asyncio.wait_for(self._receive(), self._silent)
        except TimeoutError:
            raise _too_slow() from None
        late = time.monotonic() - self._begun - self._silent
        if time.monotonic() - begun > 0.1 and late * _LEAST_SPEED > self._size:
            raise _too_slow()
        return event

    async def _make_room(self) -> None:
        """Take room for the whole body once something of it is here: an idle caller holds none."""
        expected = self._declared if self._declared is not None else self._limit
        if self._complete:
            expected = self._size
        if self._taken or max(expected, self._size) <= _SMALL:
            return
        waited = time.monotonic()
        try:
            self._taken = await self._room.take(expected)
        except Busy as problem:
            close = isinstance(problem, Crowded)
            raise BodyRefused(503, str(problem), close=close) from None
        self._begun += time.monotonic() - waited

    def close(self) -> None:
        """Give the room back: the request is answered."""
        self._room.give_back(self._taken)
        self._taken = 0


def _too_slow() -> BodyRefused:
    return BodyRefused(408, "the request came too slowly: send it again", close=True)
