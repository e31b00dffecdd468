"""Starts and stops Azurite, Microsoft's emulator of Azure Storage."""

import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from imaginem.assets.nodejs import find_package, node_command
from imaginem.errors import ConfigurationError
from imaginem.storage.account import emulator_connection_string

_START_SECONDS = 30
_STOP_SECONDS = 10


@dataclass(frozen=True)
class EmulatorPorts:
    """Loopback ports of the three services; Azurite's own by default."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002

    @classmethod
    def free(cls) -> "EmulatorPorts":
        """Return three ports that nothing uses now."""
        numbers = []
        with socket.socket() as blob, socket.socket() as queue, socket.socket() as table:
            for probe in (blob, queue, table):  # all open at once, so that no port comes twice
                probe.bind(("127.0.0.1", 0))
                numbers.append(int(probe.getsockname()[1]))
        return cls(*numbers)

    @property
    def connection_string(self) -> str:
        """The connection string of an emulator on these ports."""
        return emulator_connection_string(self.blob, self.queue, self.table)


class Emulator:
    """An Azurite process; as a context manager it runs inside the `with` block.

    Args:
        data: folder of its data; None keeps everything in memory.
        ports: where it listens, on 127.0.0.1 only.
        app: folder where the search for `node_modules` begins, going upwards.
    """

    def __init__(
        self, data: Path | None, ports: EmulatorPorts | None = None, app: Path | None = None
    ) -> None:
        self.ports = ports or EmulatorPorts()
        self._data = data
        self._app = app or Path.cwd()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connection_string(self) -> str:
        """The connection string of this emulator."""
        return self.ports.connection_string

    def start(self) -> bool:
        """Start Azurite; return False when all its ports are served already.

        Raises:
            ConfigurationError: Node.js or Azurite is missing, another program uses one of the
                ports, or Azurite did not start.
        """
        listening = [_listens(port) for port in self._all_ports()]
        if all(listening):
            return False
        if any(listening):
            taken = self._all_ports()[listening.index(True)]
            raise ConfigurationError(
                f"port {taken} is in use, so the storage emulator can't start: stop what uses it, "
                "or name another account in AzureWebJobsStorage"
            )
        command = self._command()
        with tempfile.TemporaryFile() as errors:  # nobody reads a pipe, so it would fill up
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # Ctrl-C must not reach it: it must outlive the workers
            )
            self._wait_until_ready(self._process, errors)
        return True

    def _all_ports(self) -> tuple[int, int, int]:
        return self.ports.blob, self.ports.queue, self.ports.table

    def _command(self) -> list[str]:
        package = find_package("azurite", self._app.resolve()) or find_package(
            "azurite", Path(__file__).resolve().parent
        )
        if package is None:
            raise ConfigurationError(
                "the storage emulator is not installed: run `npm ci` beside package.json, or name "
                "a storage account in AzureWebJobsStorage"
            )
        command = [*node_command(), str(package / "dist" / "src" / "azurite.js")]
        command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        for service in ("blob", "queue", "table"):
            port = str(getattr(self.ports, service))
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", port]
        if self._data is None:
            return [*command, "--inMemoryPersistence"]
        self._data.mkdir(parents=True, exist_ok=True)
        return [*command, "--location", str(self._data)]

    def _wait_until_ready(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not all(_listens(port) for port in self._all_ports()):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                errors.seek(0)
                reason = errors.read().decode("utf-8", "replace").strip()[-500:]
                raise ConfigurationError(
                    f"the storage emulator did not start: {reason or 'no answer'}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop Azurite, if this object started it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> "Emulator":
        """Start Azurite."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop Azurite."""
        self.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
