"""A Redis server on a loopback port of its own."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.rivals.environment import Missing

PERSISTENCE = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
"""Every command is appended to a file, which is synced once a second. As with the storage emulator,
a killed server loses nothing."""
_START_SECONDS = 10.0


@contextmanager
def redis_server() -> Iterator[str]:
    """Run Redis with its data in a temporary folder; yield its address.

    Raises:
        Missing: there is no redis-server, or it does not start.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("there is no redis-server: on Debian, apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        place = ("--bind", "127.0.0.1", "--port", str(port), "--dir", folder)
        process = subprocess.Popen([program, *place, *PERSISTENCE], stdout=subprocess.DEVNULL)
        try:
            _await(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(_START_SECONDS)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise Missing("redis-server did not start")
        time.sleep(0.05)
