"""The process that serves HTTP: started, started again when it died, stopped."""

import logging
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from imaginem.errors import ConfigurationError

_logger = logging.getLogger("imaginem.host")
_START_SECONDS = 30
_STOP_SECONDS = 10
_PROBE = b"HEAD / HTTP/1.1\r\nHost: nowhere.invalid\r\nConnection: close\r\n\r\n"
_PROBE_ANSWER = b" 421 "
"""What only the app's process answers to a request for another host."""


def probe(port: int, seconds: float) -> bytes:
    """Return the first bytes that a port of 127.0.0.1 answers; empty if none come in time.

    The request is for another host, so that no function is called.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), seconds) as connection:
            connection.sendall(_PROBE)
            return connection.recv(100)
    except OSError:
        return b""


class HttpProcess:
    """Serves an app's HTTP functions.

    Args:
        app: folder of `function_app.py`.
        listener: the socket on which it serves; held by the host, so that connections wait while
            the process is started again.
        environment: environment variables of the process.
        log: file for what it prints; None for this process's stderr.
    """

    def __init__(
        self,
        app: Path,
        listener: socket.socket,
        environment: Mapping[str, str],
        log: IO[bytes] | None,
    ) -> None:
        self._app, self._listener = app, listener
        self._environment, self._log = environment, log
        self._process = self._spawn()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        number = self._listener.fileno()
        port = str(self.port)
        command = [sys.executable, "-m", "imaginem.host.http", str(self._app), port, str(number)]
        return subprocess.Popen(  # noqa: S603 - our own arguments
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=dict(self._environment),
            start_new_session=True,
            pass_fds=(number,),
        )

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    def keep(self) -> bool:
        """Start the process again if it died; tell whether it had."""
        if self._process.poll() is None:
            return False
        _logger.warning(
            "the HTTP process ended with code %s; starting it again", self._process.returncode
        )
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = self._spawn()
        return True

    def kill(self) -> None:
        """End the process, be it stopped or busy."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> None:
        """Wait until the app answers.

        Raises:
            ConfigurationError: it does not.
        """
        deadline = time.monotonic() + _START_SECONDS
        while _PROBE_ANSWER not in probe(self.port, 1.0):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise ConfigurationError("HTTP did not start; the lines above say why")
            time.sleep(0.05)

    def close(self) -> None:
        """Let running requests end, and stop."""
        stdin = self._process.stdin
        if stdin is not None:
            with suppress(OSError):
                stdin.write(b"stop\n")
                stdin.flush()
            with suppress(OSError):
                stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
