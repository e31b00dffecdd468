"""Serves the app's HTTP functions, on 127.0.0.1 alone.

Requests whose Host header names another place are refused, so that a page elsewhere
can't reach the app through a name that it points here (DNS rebinding); and the headers by
which Azure names a caller are removed, since nobody has proven them here.
"""

import asyncio
import inspect
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from imaginem.host.config import read_host_config
from imaginem.host.triggers import Bound, load_app

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_BODY_LIMIT = 100 * 1024 * 1024  # the Functions host's own
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_PLACEHOLDER = re.compile(r"\\\{(\\\*)?(\w+)(?::\w+)?(\\\?)?\\\}")


def route_pattern(prefix: str, route: str) -> re.Pattern[str]:
    """Return the pattern of a Functions route such as `jobs/{id}` or `/{*route}`."""
    path = "/".join(part for part in (prefix.strip("/"), route.strip("/")) if part)
    pattern = _PLACEHOLDER.sub(
        lambda found: f"(?P<{found[2]}>{'.*' if found[1] else '[^/]+'})", re.escape(path)
    )
    return re.compile(f"/{pattern}/?")


class HttpHost:
    """An ASGI app that hands requests to HTTP functions."""

    def __init__(self, functions: list[Bound], prefix: str) -> None:
        self._routes = [
            (route_pattern(prefix, bound.trigger.route), bound)
            for bound in functions
            if bound.trigger.kind == "http"
        ]

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
        if "\ufffd" in scope["path"]:  # put there for bytes that were none
            await _answer(send, 400, b"the address is no UTF-8\n")
            return
        told = headers.get("content-length", "0")
        too_long = told.isdigit() and int(told) > _BODY_LIMIT
        body = None if too_long else await _read(receive)
        if body is None:
            await _answer(send, 413, b"the request is larger than 100 MB: send photos one by one\n")
            return
        for pattern, bound in self._routes:
            found = pattern.fullmatch(scope["path"])
            allowed = not bound.trigger.methods or scope["method"] in bound.trigger.methods
            if found and allowed:
                await self._call(bound, scope, headers, body, found.groupdict(), send)
                return
        await _answer(send, 404, b"no function serves this address\n")

    async def _call(
        self,
        bound: Bound,
        scope: Scope,
        headers: dict[str, str],
        body: bytes,
        route: dict[str, str],
        send: Send,
    ) -> None:
        import azure.functions as func
        from azure.functions import HttpRequest

        query = scope["query_string"].decode("latin-1")
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")  # as it came
        url = f"http://{headers['host']}{path}" + (f"?{query}" if query else "")
        kept = {k: v for k, v in headers.items() if not k.startswith("x-ms-client-principal")}
        request = HttpRequest(
            scope["method"],
            url,
            headers=kept,
            params=dict(parse_qsl(query, keep_blank_values=True)),
            route_params=route,
            body=body,
        )
        arguments: dict[str, Any] = {bound.trigger.argument: request}
        if "context" in inspect.signature(bound.call).parameters:
            arguments["context"] = _Context(bound.trigger.function)
        result = bound.call(**arguments)
        response = await result if inspect.isawaitable(result) else result
        if not isinstance(response, func.HttpResponse):
            response = func.HttpResponse(str(response or ""), status_code=200)
        sent = [(k.lower().encode(), v.encode("latin-1")) for k, v in response.headers.items()]
        if not any(name == b"content-type" for name, _ in sent) and response.mimetype:
            sent.append((b"content-type", str(response.mimetype).encode()))
        await _answer(send, int(response.status_code), response.get_body(), sent)


class _Context:
    """What an HTTP function may ask about its invocation."""

    def __init__(self, function: str) -> None:
        self.function_name = function
        self.invocation_id = ""
        self.thread_local_storage = threading.local()
        self.trace_context = None
        self.retry_context = None
        self.function_directory = str(Path.cwd())


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        event = await receive()
        body += event.get("body", b"")
        if len(body) > _BODY_LIMIT:
            return None
        if not event.get("more_body"):
            return bytes(body)


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    kept = headers if headers is not None else [(b"content-type", b"text/plain")]
    told = any(name == b"content-length" for name, _ in kept)
    # Without a body it is the length of what HEAD asks about, or there is none (RFC 9110, 8.6).
    if body or not (told or status in (204, 304)):
        kept = [(name, value) for name, value in kept if name != b"content-length"]
        kept.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": kept})
    await send({"type": "http.response.body", "body": body})


def main(folder: str, port: str) -> int:
    """Serve until the host goes away; the process's entry."""
    import uvicorn

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    app = Path(folder)
    served = HttpHost(load_app(app), read_host_config(app).route_prefix)
    config = uvicorn.Config(
        served, host="127.0.0.1", port=int(port), log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)

    def follow_host() -> None:
        while os.read(0, 1024):  # stdin ends when the host stops us, or dies
            pass
        server.should_exit = True

    async def serve() -> None:
        await server.serve()
        # The bridge's lifespan task lives as long as we do, and would log its end as an error.
        logging.getLogger("azure.functions.AsgiMiddleware").disabled = True

    threading.Thread(target=follow_host, daemon=True).start()
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
