"""What a real HTTP process does while it is given bombs, or uploads that never end."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from imaginem.host.environment import http_environment
from imaginem.host.http_process import probe

APP = Path(__file__).parents[2]
_BOUNDARY = "bombs"


class HttpServer:
    """The process that serves HTTP on this machine, as the host starts it."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        command = [sys.executable, "-m", "imaginem.host.http", str(APP), str(self.port)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=(home / "http.log").open("wb"),
            env=http_environment({"IMAGINEM_HOME": str(home), **environment}),
            cwd=APP,
        )
        deadline = time.monotonic() + 60
        while not probe(self.port, 1.0):
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.1)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def memory(self, field_name: str = "VmRSS") -> float:
        """Return the MB that the process has in memory; by `VmHWM` the most it ever had."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field_name):
                return int(line.split()[1]) / 1024
        raise AssertionError(field_name)

    def post(self, path: str, data: bytes) -> int:
        """Send a photo in a form; return the answer's status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        try:
            connection.request("POST", path, form_of(data), kind)
            return connection.getresponse().status
        finally:
            connection.close()


def form_of(data: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()


def search_with(server: HttpServer, photos: Sequence[bytes]) -> Counter[int]:
    """Search faces with all photos at once; return how often each status was answered."""
    answers: Counter[int] = Counter()
    threads = [
        threading.Thread(
            target=lambda data=data: answers.update([server.post("/api/faces/search", data)])
        )
        for data in photos
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def begin_uploads(port: int, count: int, size: int, sent: int) -> list[socket.socket]:
    """Begin uploads of so many bytes, of which the last ones never come; return the connections."""
    head = (
        "POST /api/faces/search HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {size}\r\n\r\n"
    ).encode()
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    whole = memoryview(head + bytes(sent))  # one for all
    left = {connection: whole for connection in connections}
    for connection in connections:
        connection.setblocking(False)
    deadline = time.monotonic() + 30
    while left and time.monotonic() < deadline:
        for connection in list(left):
            try:
                gone = connection.send(left[connection][: 1 << 18])
            except BlockingIOError:
                continue
            except OSError:
                del left[connection]
                continue
            left[connection] = left[connection][gone:]
            if not left[connection]:
                del left[connection]
        time.sleep(0.01)
    return connections
