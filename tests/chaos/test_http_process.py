"""An HTTP process that stopped or died is replaced."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginem.host.environment import http_environment
from imaginem.host.gap import listen
from imaginem.host.http_process import HttpProcess, probe
from imaginem.host.http_watch import HttpWatch
from tests.waiting import until

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

    def until_answered(self) -> None:
        until(lambda: probe(self.port, 0.2))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.until_answered()
    server.watch.start()
    yield server
    server.watch.close()
    server._kill()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_an_http_process_that_does_not_answer_is_replaced(server: Server, number: int) -> None:
    before = server.process.pid
    os.kill(before, number)
    server.until_answered()
    assert server.process.pid != before


def test_an_http_process_that_stopped_for_a_moment_is_kept(server: Server) -> None:
    before = server.process.pid
    os.kill(before, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(before, signal.SIGCONT)
    time.sleep(1.5)
    assert server.process.pid == before
    assert server.watch.lost == ""


APP = """
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="photos", methods=["POST"])
def photos(req: func.HttpRequest) -> func.HttpResponse:
    with (Path(__file__).parent / "accepted").open("a") as accepted:
        accepted.write(f"{len(req.get_body())}\\n")
    return func.HttpResponse("kept", status_code=201)
"""
HEAD = b"POST /api/photos HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "


def upload(port: int, body: bytes) -> socket.socket:
    """Begin to send 100,000 bytes."""
    connection = socket.create_connection(("127.0.0.1", port), 20)
    connection.sendall(HEAD + b"100000\r\n\r\n" + body)
    return connection


def test_an_upload_that_is_cut_off_leaves_nothing_and_can_be_sent_again(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(APP)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    accepted = tmp_path / "accepted"
    with listen(0) as listener:
        http = HttpProcess(tmp_path, listener, http_environment({}), None)
        http.wait()
        with upload(http.port, bytes(50_000)) as cut_off:
            assert probe(http.port, 20)  # by now it reads the one before, too
            http.kill()
            assert cut_off.recv(100) == b""
        assert http.keep()
        http.wait()
        with upload(http.port, bytes(100_000)) as again:
            assert again.recv(12) == b"HTTP/1.1 201"
        http.close()
    assert accepted.read_text() == "100000\n"
