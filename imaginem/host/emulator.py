"""Starts and stops Azurite, Microsoft's emulator of Azure Storage."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from imaginem.assets.nodejs import find_package, node_command
from imaginem.errors import ConfigurationError
from imaginem.host.home import writing
from imaginem.host.leftover import end_leftover, forget, record, who_serves
from imaginem.host.listening import VARIABLE, ListeningReport
from imaginem.host.processes import Process
from imaginem.storage.account import emulator_connection_string

_START_SECONDS = 60
_STOP_SECONDS = 30
_LIFELINE = Path(__file__).with_name("lifeline.cjs")
_FIRST_PORT, _SERVICES = 10000, 3


@dataclass(frozen=True)
class EmulatorPorts:
    """Loopback ports of the three services; Azurite's own by default."""

    blob: int = _FIRST_PORT
    queue: int = _FIRST_PORT + 1
    table: int = _FIRST_PORT + 2

    @classmethod
    def free(cls) -> "EmulatorPorts":
        """Return three ports that nothing uses now."""
        numbers = []
        with socket.socket() as blob, socket.socket() as queue, socket.socket() as table:
            for probe in (blob, queue, table):  # all open at once, so that no port comes twice
                probe.bind(("127.0.0.1", 0))
                numbers.append(int(probe.getsockname()[1]))
        return cls(*numbers)

    @classmethod
    def beginning_at(cls, first: int) -> "EmulatorPorts":
        """Return three ports in a row."""
        return cls(*range(first, first + _SERVICES))

    @property
    def all(self) -> tuple[int, int, int]:
        """The three ports."""
        return self.blob, self.queue, self.table

    @property
    def connection_string(self) -> str:
        """The connection string of an emulator on these ports."""
        return emulator_connection_string(*self.all)


def emulator_package(app: Path) -> Path:
    """Return Azurite's folder, beside an app or beside Imaginem.

    Raises:
        ConfigurationError: it is not installed.
    """
    for start in (app, Path(__file__)):
        package = find_package("azurite", start.resolve())
        if package is not None:
            return package
    raise ConfigurationError(
        "the storage emulator is not installed: run `npm ci` beside package.json, or name a "
        "storage account in AzureWebJobsStorage"
    )


class Emulator:
    """An Azurite process; as a context manager it runs inside the `with` block.

    It ends when this process ends, even if that is killed.

    Args:
        data: folder of its data; None keeps everything in memory. Beside it lies a note of the
            process, so that one that was left behind is found.
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
        self._errors: IO[bytes] | None = None

    @property
    def connection_string(self) -> str:
        """The connection string of this emulator."""
        return self.ports.connection_string

    @property
    def pid(self) -> int | None:
        """Process id of Azurite; None while this object runs none."""
        process = self._process  # another thread may stop it at this moment
        return None if process is None else process.pid

    def start(self) -> None:
        """Start Azurite; one that a killed host left behind on the same data is ended before.

        Raises:
            ConfigurationError: Node.js or Azurite is missing, another program uses one of the
                ports, or Azurite did not start.
            DiskFull: there is no room for its data.
        """
        command = self._command()
        if self._data is not None:
            end_leftover(self._data, _STOP_SECONDS)
        for port in self.ports.all:
            if _listens(port):
                raise ConfigurationError(_refusal(port, self.ports))
        report = ListeningReport()
        try:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - nobody would read a pipe
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                stdin=subprocess.PIPE,  # its lifeline
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env={**os.environ, VARIABLE: str(report.writer)},
                pass_fds=(report.writer,),
                start_new_session=True,  # Ctrl-C must not reach it: it must outlive the workers
            )
            report.started()
            if self._data is not None:
                record(self._data, self._process.pid)
            self._wait_until_ready(report)
        except OSError as problem:
            self.stop()
            raise ConfigurationError(f"the storage emulator can't be started: {problem}") from None
        except BaseException:
            self.stop()
            raise
        finally:
            report.close()

    def _command(self) -> list[str]:
        package = emulator_package(self._app)
        command = [*node_command(), "--require", str(_LIFELINE)]
        command += [str(package / "dist" / "src" / "azurite.js")]
        command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        for service in ("blob", "queue", "table"):
            port = str(getattr(self.ports, service))
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", port]
        if self._data is None:
            return [*command, "--inMemoryPersistence"]
        with writing(self._data):
            self._data.mkdir(parents=True, exist_ok=True)
        return [*command, "--location", str(self._data.resolve())]

    def _wait_until_ready(self, report: ListeningReport) -> None:
        """Wait until Azurite itself says that it has all its ports: who else may have them?"""
        deadline = time.monotonic() + _START_SECONDS
        while missing := set(self.ports.all) - report.ports():
            late = time.monotonic() > deadline
            if late or self.ended:
                for port in filter(_listens, sorted(missing) if self.ended else ()):
                    raise ConfigurationError(_refusal(port, self.ports))
                raise ConfigurationError(
                    f"the storage emulator did not start: {self.last_words or 'no answer'}"
                )
            time.sleep(0.05)

    @property
    def ended(self) -> bool:
        """Whether Azurite is not running: not started, stopped, or dead."""
        return self._process is None or self._process.poll() is not None

    @property
    def last_words(self) -> str:
        """The end of what Azurite wrote to stderr, and how it ended if it has."""
        said = ""
        if self._errors is not None:
            self._errors.seek(0)
            said = " ".join(self._errors.read().decode("utf-8", "replace").split())[-500:]
        code = None if self._process is None else self._process.poll()
        if code is None:
            return said
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{how}: {said}" if said else how

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped Azurite (SIGSTOP)."""
        pid = self.pid
        process = None if pid is None else Process.of(pid)
        return process is not None and process.is_stopped

    def answers(self, seconds: float) -> bool:
        """Tell whether Azurite answers a request within some seconds.

        One of its services is asked: all three run in one thread.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.queue, timeout=seconds)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def end(self) -> None:
        """End the process, be it stopped or busy; if it can, it saves its books before."""
        process = self._process
        if process is None:
            return
        process.terminate()
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)  # a stopped process would never see SIGTERM
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop(self) -> bool:
        """Stop Azurite, if this object started it; it saves its books before it ends.

        Returns:
            Whether it was running, and has ended in good order: then everything is saved.
        """
        process, errors = self._process, self._errors
        if errors is not None:
            errors.close()
            self._errors = None
        if process is None:
            return False
        self.end()
        if process.stdin is not None:
            process.stdin.close()
        if self._data is not None:
            forget(self._data)
        self._process = None
        return process.returncode == 0

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


def _refusal(port: int, ports: EmulatorPorts) -> str:
    """Return why a port can't be had, and what to do."""
    found = who_serves(ports.blob)
    others = f"give this emulator other ports with EMULATOR_PORT={_free_row()}"
    if found is not None and found.home is not None:
        return (
            f"port {port} is served by the storage emulator of another home, {found.home} "
            f"({found.state}): {found.remedy}, or {others}"
        )
    who = "another program" if found is None else f"another Azurite (process {found.pid})"
    return (
        f"the storage emulator can't start: port {port} is in use by {who}. Stop that, or "
        f"{others}. To work on an Azurite of your own, name it by its whole connection string in "
        "AzureWebJobsStorage (docs/settings.md)"
    )


def _free_row() -> int:
    """Return a port that is free, as are the two after it."""
    rows = range(_FIRST_PORT + 100, 2 * _FIRST_PORT, 100)
    with suppress(StopIteration):
        return next(
            first for first in rows if not any(map(_listens, EmulatorPorts.beginning_at(first).all))
        )
    return _FIRST_PORT + 100
