"""Answers in the app's place, 503 with the reason, while the app can't be reached.

The host holds the listening socket, and processes that serve it come and go: no connection is
refused in between.
"""

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from imaginem.errors import ConfigurationError

_RETRY_SECONDS = 5
_WAIT_SECONDS = 10  # for the rest of a request
_LONGEST_BODY = 100 * 2**20  # bytes; of a request, as in `imaginem.host.http`
_CHUNK = 2**16


def listen(port: int) -> socket.socket:
    """Return a socket that listens on 127.0.0.1.

    Raises:
        ConfigurationError: the port is in use.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError:
        raise ConfigurationError(
            f"port {port} is in use: choose another with --port, or stop what uses it"
        ) from None
    listener.setblocking(False)  # of several that accept, one gets the connection
    return listener


class Gap:
    """Serves a listening socket while no app does.

    Args:
        listener: the socket; it stays open.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._server: _Server | None = None

    def open(self, reason: str) -> None:
        """Begin to answer; if that has begun, give another reason from now on."""
        if self._server is None:
            self._server = _Server(self._listener.dup())
            threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        self._server.reason = reason

    def close(self) -> None:
        """Answer no further request."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    reason = ""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()  # which was made, and is not needed
        self.socket = listener


class _Handler(BaseHTTPRequestHandler):
    timeout = _WAIT_SECONDS
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        self._read_body()
        page = "text/html" in self.headers.get("Accept", "")
        document = {"title": "Service Unavailable", "status": 503, "detail": self.server.reason}
        text = f"{self.server.reason}\n" if page else json.dumps(document)
        body = text.encode()
        self.send_response(503)
        kind = "text/plain; charset=utf-8" if page else "application/problem+json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", str(_RETRY_SECONDS))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def _read_body(self) -> None:
        """Read what is sent: a client that is still sending would not see the answer."""
        declared = self.headers.get("Content-Length", "0")
        left = min(int(declared), _LONGEST_BODY) if declared.isdecimal() else 0
        with suppress(OSError):
            while left > 0 and (read := self.rfile.read(min(left, _CHUNK))):
                left -= len(read)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the reason is in the host's log."""
