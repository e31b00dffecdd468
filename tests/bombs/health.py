"""Asks for health all the time, in a process of its own: what else is done here delays no answer.

Nor does it count how long the server could have run and got no processor: other work of this
machine took it, that of who sends the bombs included.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

_PAUSE_SECONDS = 0.02


@dataclass
class Health:
    """How health answered while something else went on.

    Attributes:
        seconds: of each answer, without those in which the server got no processor.
        waited: for each answer, by the clock.
        failures: how many answers were none.
    """

    seconds: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def slowest(self) -> float:
        return max(self.seconds, default=0.0)

    @property
    def slowest_by_clock(self) -> float:
        """What the clock said, waiting for a processor included."""
        return max(self.waited, default=0.0)

    def ask(self, port: int, server: int) -> None:
        """Ask a server once, over a connection of its own."""
        begun, idle = time.monotonic(), _without_processor(server)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/api/health")
            self.failures += connection.getresponse().status != 200
        except (OSError, http.client.HTTPException):
            self.failures += 1
        finally:
            connection.close()
        waited = time.monotonic() - begun
        self.waited.append(waited)
        self.seconds.append(max(waited - (_without_processor(server) - idle), 0.0))


def _without_processor(process: int) -> float:
    """Return for how many seconds a process's first thread could have run, and did not.

    Linux tells it; elsewhere it is 0. The server's event loop runs in that thread.
    """
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


@contextmanager
def asking_health(port: int, server: int) -> Iterator[Health]:
    """Ask a server for health meanwhile; what was found is told at the end."""
    command = [sys.executable, "-m", "tests.bombs.health", str(port), str(server)]
    health = Health()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asker:
        assert asker.stdin is not None and asker.stdout is not None
        asker.stdout.readline()  # it has asked once
        try:
            yield health
        finally:
            asker.stdin.close()
            told = json.loads(asker.stdout.read())
            health.seconds, health.waited = told["seconds"], told["waited"]
            health.failures = told["failures"]


def main(port: str, server: str) -> None:
    """Ask until standard input ends; print what was found."""
    health, ended = Health(), threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    health.ask(int(port), int(server))
    print(flush=True)
    while not ended.wait(_PAUSE_SECONDS):
        health.ask(int(port), int(server))
    print(json.dumps(asdict(health)))


if __name__ == "__main__":
    main(*sys.argv[1:])
