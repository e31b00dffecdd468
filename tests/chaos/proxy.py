"""A proxy on loopback that spoils some of the HTTP requests which go through it."""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

REFUSALS = ("500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests")
XML = b'<?xml version="1.0"?><Error><Code>ServerBusy</Code><Message>spoiled</Message></Error>'
JSON = b'{"error": {"code": "ServerBusy", "message": "spoiled"}}'
FAULTS = ("refused", "refused after its effect", "reset", "reset after its effect", "slow")
"""What happens to a request. `after its effect`: the service did it, but its answer is lost."""
_SLOW_SECONDS = 2.0


@dataclass
class _Exchange:
    """A request or an answer: the bytes of its head, and those of its body."""

    head: bytes
    body: bytes

    @property
    def all(self) -> bytes:
        return self.head + self.body


class FaultyProxy:
    """Passes requests on to a port of this machine, and spoils a share of them.

    Args:
        target: port of the service.
        body: of its refusals, `XML` or `JSON`.
        seed: decides which requests are spoiled, and how.
        share: of the requests that are spoiled, from 0 to 1; may be changed at any time.
        doubled: share of the messages put on a queue that arrive there twice.

    Attributes:
        requests: how many there were while a share was spoiled.
        faults: how many of them were spoiled, by kind.
    """

    def __init__(
        self, target: int, body: bytes, seed: int, share: float = 0.0, doubled: float = 0.0
    ) -> None:
        self._body = body
        self.share, self.doubled = share, doubled
        self.requests, self.faults = 0, Counter[str]()
        self.port = 0
        self._target, self._chance = target, random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._server: Any = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "FaultyProxy":
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, action: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = None
        try:
            while (request := await _read(reader)) is not None:
                if upstream is None:
                    upstream = await asyncio.open_connection("127.0.0.1", self._target)
                answer = await self._answer(request, *upstream)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (OSError, EOFError, ValueError, asyncio.CancelledError):
            pass  # one of the two sides has gone; so does the other
        finally:
            for side in (writer, upstream[1] if upstream else None):
                if side is not None:
                    side.transport.abort()

    async def _answer(
        self, request: _Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes | None:
        """Return what the caller is answered; None when its connection breaks."""
        fault = self._choose()
        if fault == "refused":
            return self._refusal()
        if fault == "reset":
            return None
        if fault == "slow":
            await asyncio.sleep(self._chance.uniform(0, _SLOW_SECONDS))
        answer = await _forward(request, reader, writer)
        if self._is_doubled(request):
            answer = await _forward(request, reader, writer)
        if fault == "reset after its effect":
            return None
        return self._refusal() if fault == "refused after its effect" else answer

    def _choose(self) -> str:
        self.requests += self.share > 0
        if self._chance.random() >= self.share:
            return ""
        fault = self._chance.choice(FAULTS)
        self.faults[fault] += 1
        return fault

    def _is_doubled(self, request: _Exchange) -> bool:
        sends = re.match(rb"POST [^ ?]*/messages[ ?]", request.head) is not None
        doubled = sends and self._chance.random() < self.doubled
        self.faults["message doubled"] += doubled
        return doubled

    def _refusal(self) -> bytes:
        kind = "application/xml" if self._body == XML else "application/json"
        head = (
            f"HTTP/1.1 {self._chance.choice(REFUSALS)}\r\nRetry-After: 0\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(self._body)}\r\n\r\n"
        )
        return head.encode() + self._body


async def _forward(
    request: _Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    writer.write(request.all)
    await writer.drain()
    answer = await _read(reader, answers=request.head.split(b" ")[0])
    if answer is None:
        raise EOFError
    return answer.all


async def _read(reader: asyncio.StreamReader, answers: bytes = b"") -> _Exchange | None:
    """Read one request, or the answer to one; None when the other side has closed.

    Args:
        answers: method of the request that is answered; empty to read a request.
    """
    with suppress(asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split(b" ")[1]) if answers else 200
            if status >= 200:  # others only announce the real answer
                break
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        if answers == b"HEAD" or status in (204, 304):
            return _Exchange(head, b"")
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            return _Exchange(head, await _chunks(reader))
        return _Exchange(head, await reader.readexactly(int(fields.get(b"content-length", 0))))
    return None


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
        if size == 0:
            return body
