"""Serves the emulator on loopback, from a thread of this process."""

import socket
import threading
import time
from typing import Any

import uvicorn

from imaginem.ai_emulator.app import AiEmulator
from imaginem.errors import ConfigurationError

_START_SECONDS = 10.0
_STOP_SECONDS = 3


class AiEmulatorServer:
    """The emulator on 127.0.0.1.

    Args:
        ai_emulator: what to serve.
        port: 0 for any that is free.
        tls: certificate and key files, to be reached by https.
    """

    def __init__(
        self, ai_emulator: AiEmulator, port: int = 0, tls: tuple[str, str] | None = None
    ) -> None:
        self.ai_emulator = ai_emulator
        self._tls = tls
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._port = port

    @property
    def address(self) -> str:
        """Return its address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin to serve.

        Raises:
            ConfigurationError: the port is taken.
        """
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._port))
        except OSError as problem:
            listener.close()
            raise ConfigurationError(
                f"port {self._port} is taken ({problem.strerror}): choose another with --port"
            ) from None
        self._port = listener.getsockname()[1]
        certificate, key = self._tls or (None, None)
        config = uvicorn.Config(
            self.ai_emulator.asgi(),
            log_level="warning",
            lifespan="off",
            access_log=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        server = self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        self._thread.start()
        until = time.monotonic() + _START_SECONDS
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop serving. It keeps its faces and lists, and can be started again on the same port."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._thread = None

    def __enter__(self) -> "AiEmulatorServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
