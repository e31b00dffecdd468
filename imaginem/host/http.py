"""Serves the app's HTTP functions, on 127.0.0.1 only.

Requests whose Host header names another host are refused, so that a foreign web page can't
reach the app through a host name that it resolves to 127.0.0.1 (DNS rebinding). The headers
by which Azure names a signed-in caller are removed, since here anybody could have set them.
"""

import asyncio
import inspect
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_to_bytes

from imaginem.host.config import read_host_config
from imaginem.host.triggers import Bound, load_app
from imaginem.images.bodies import BodyRefused, BoundedBody, make_room
from imaginem.images.headers import declared_length
from imaginem.ports.log_lines import log_to

if TYPE_CHECKING:
    from azure.functions import HttpRequest

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_BODY_LIMIT = 100 * 1024 * 1024  # bytes; the limit of the Functions host
_TOO_LARGE = "the request is larger than 100 MB: send photos one by one"
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_PLACEHOLDER = re.compile(r"\\\{(\\\*)?(\w+)(?::\w+)?(\\\?)?\\\}")


def route_pattern(prefix: str, route: str) -> re.Pattern[str]:
    """Return a pattern for the paths of a Functions route such as `jobs/{id}` or `/{*route}`."""
    path = "/".join(part for part in (prefix.strip("/"), route.strip("/")) if part)
    pattern = _PLACEHOLDER.sub(
        lambda match: f"(?P<{match[2]}>{'.*' if match[1] else '[^/]+'})", re.escape(path)
    )
    return re.compile(f"/{pattern}/?", re.DOTALL)  # a line break is a character as any other


class HttpHost:
    """An ASGI app that hands requests to HTTP functions.

    Args:
        functions: of the app; those with other triggers are left out.
        prefix: `routePrefix` of host.json.
    """

    def __init__(self, functions: list[Bound], prefix: str) -> None:
        self._routes = [
            (route_pattern(prefix, bound.trigger.route), bound)
            for bound in functions
            if bound.trigger.kind == "http"
        ]
        self._room = make_room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        host = re.sub(r":\d+$", "", headers.get("host", ""))
        if host not in _LOCAL_NAMES:
            await _answer(send, 421, b"this host answers on 127.0.0.1 and localhost only\n")
            return
        if not _is_utf_8(scope):
            await _answer(send, 400, b"the address is not valid UTF-8\n")
            return
        declared = declared_length(headers.get("content-length"))
        body = BoundedBody(receive, declared, _BODY_LIMIT, self._room, too_large=_TOO_LARGE)
        try:
            whole = await _read(body)
            if whole is not None:  # else nobody waits for an answer, and half a request is none
                await self._route(scope, headers, whole, send)
        except BodyRefused as problem:
            await _answer(send, problem.status, f"{problem}\n".encode(), _refusal(problem))
        finally:
            body.close()

    async def _route(self, scope: Scope, headers: dict[str, str], body: bytes, send: Send) -> None:
        """Call the function that serves an address."""
        for pattern, bound in self._routes:
            match = pattern.fullmatch(scope["path"])
            allowed = not bound.trigger.methods or scope["method"] in bound.trigger.methods
            if match and allowed:
                await _call(bound, _request(scope, headers, body, match.groupdict()), send)
                return
        await _answer(send, 404, b"no function serves this address\n")


def _is_utf_8(scope: Scope) -> bool:
    """Tell whether a path is UTF-8; the server puts U+FFFD for what is not, and ids may hold it."""
    if "\ufffd" not in scope["path"]:
        return True
    try:
        unquote_to_bytes(scope.get("raw_path") or b"%FF").decode()
    except UnicodeDecodeError:
        return False
    return True


def _request(
    scope: Scope, headers: dict[str, str], body: bytes, route: dict[str, str]
) -> "HttpRequest":
    """Return a request as the Functions worker makes it."""
    from azure.functions import HttpRequest

    query = scope["query_string"].decode("latin-1")
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")  # still escaped
    url = f"http://{headers['host']}{path}" + (f"?{query}" if query else "")
    return HttpRequest(
        scope["method"],
        url,
        headers={
            name: value
            for name, value in headers.items()
            if not name.startswith("x-ms-client-principal")
        },
        params=dict(parse_qsl(query, keep_blank_values=True)),
        route_params=route,
        body=body,
    )


async def _call(bound: Bound, request: "HttpRequest", send: Send) -> None:
    """Run an HTTP function and send its response."""
    from azure.functions import HttpResponse

    arguments: dict[str, Any] = {bound.trigger.argument: request}
    if "context" in inspect.signature(bound.call).parameters:
        arguments["context"] = _Context(bound.trigger.function)
    if inspect.iscoroutinefunction(bound.call):
        result = bound.call(**arguments)
    else:  # other requests are answered meanwhile
        result = await asyncio.to_thread(bound.call, **arguments)
    response = await result if inspect.isawaitable(result) else result
    if not isinstance(response, HttpResponse):
        response = HttpResponse(str(response or ""), status_code=200)
    headers = [
        (name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items()
    ]
    if not any(name == b"content-type" for name, _ in headers) and response.mimetype:
        headers.append((b"content-type", str(response.mimetype).encode()))
    await _answer(send, int(response.status_code), response.get_body(), headers)


class _Context:
    """The invocation context that an HTTP function may take as a parameter."""

    def __init__(self, function: str) -> None:
        self.function_name = function
        self.invocation_id = ""
        self.thread_local_storage = threading.local()
        self.trace_context = None
        self.retry_context = None
        self.function_directory = str(Path.cwd())


async def _read(body: BoundedBody) -> bytes | None:
    """Return a request's body; None if the client has gone before it had sent everything.

    Raises:
        BodyRefused: it is not read to its end.
    """
    parts: list[bytes] = []
    while True:
        event = await body.receive()
        if event["type"] == "http.disconnect":
            return None
        parts.append(event.get("body", b""))
        if not event.get("more_body"):
            return b"".join(parts)


def _refusal(problem: BodyRefused) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer to a request that was not read to its end."""
    headers = [(b"content-type", b"text/plain")]
    if problem.status == 503:
        headers.append((b"retry-after", b"10"))
    return [*headers, (b"connection", b"close")] if problem.close else headers


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    fields = headers if headers is not None else [(b"content-type", b"text/plain")]
    has_length = any(name == b"content-length" for name, _ in fields)
    # An empty answer to HEAD keeps the length of the body that GET would have, and 204 and 304
    # have no length at all (RFC 9110, 8.6).
    if body or not (has_length or status in (204, 304)):
        fields = [(name, value) for name, value in fields if name != b"content-length"]
        fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def main(folder: str, port: str, listener: str = "") -> int:
    """Serve until the host stops or dies: what the process runs.

    Args:
        folder: of the app.
        port: where to listen.
        listener: number of a socket that listens there already.
    """
    import uvicorn

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to(sys.stderr)
    app = Path(folder)
    http_host = HttpHost(load_app(app), read_host_config(app).route_prefix)
    config = uvicorn.Config(
        http_host, host="127.0.0.1", port=int(port), log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    sockets = [socket.socket(fileno=int(listener))] if listener else None

    def follow_host() -> None:
        told = b""
        while part := os.read(0, 1024):  # stdin ends when the host closes it, or dies
            told += part
        if not told:  # it died: what still runs here must not mix with the next host's work
            os._exit(1)
        server.should_exit = True

    async def serve() -> None:
        await server.serve(sockets)
        # The SDK's lifespan task lives as long as this process, and would log its end as an error.
        logging.getLogger("azure.functions.AsgiMiddleware").disabled = True

    threading.Thread(target=follow_host, daemon=True).start()
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
