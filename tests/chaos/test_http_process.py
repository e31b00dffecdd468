"""An HTTP process that stopped or died is replaced."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from imaginem.host.http_process import probe
from imaginem.host.http_watch import HttpWatch

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), BaseHTTPRequestHandler).serve_forever()
"""


class Server:
    """A process that answers HTTP, under watch."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.process = self._spawn()
        self.watch = HttpWatch(self.port, self._keep, self._kill, silence=2)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", SERVER, str(self.port)]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def _keep(self) -> bool:
        if self.process.poll() is None:
            return False
        self.process = self._spawn()
        return True

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def until_answered(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not probe(self.port, 0.2):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.until_answered(20)
    server.watch.start()
    yield server
    server.watch.close()
    server._kill()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_an_http_process_that_does_not_answer_is_replaced(server: Server, number: int) -> None:
    before = server.process.pid
    os.kill(before, number)
    server.until_answered(20)
    assert server.process.pid != before


def test_an_http_process_that_stopped_for_a_moment_is_kept(server: Server) -> None:
    before = server.process.pid
    os.kill(before, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(before, signal.SIGCONT)
    time.sleep(1.5)
    assert server.process.pid == before
    assert server.watch.lost == ""
