"""An Imaginem that runs for a measurement: storage emulator, host and workers."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.host.steady import wait_until
from imaginem.runtime import Runtime

ROOT = Path(__file__).parents[1]
WORKERS = 2
_STOP_SECONDS = 60


@contextmanager
def running(
    settings: Mapping[str, str] | None = None,
    order: Sequence[str] = (),
    *,
    in_memory: bool = False,
) -> Iterator[tuple[Host, Runtime]]:
    """Start the app of this folder with a temporary home; yield the host and its services.

    Args:
        settings: more settings, besides storage and home.
        order: queues in the order in which jobs visit them; the default pipeline if empty.
        in_memory: whether the storage emulator keeps everything in memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, ports = Path(folder), EmulatorPorts.free()
        environment = {
            "AzureWebJobsStorage": ports.connection_string,
            "IMAGINEM_HOME": str(home),
            **(settings or {}),
        }
        runtime = Runtime(read_settings({**os.environ, **environment}))
        data = None if in_memory else home / "storage"
        with (home / "host.log").open("wb") as log, Emulator(data, ports):
            options = HostOptions(
                Path.cwd(),
                workers=WORKERS,
                port=0,
                environment=environment,
                log=log,
                order=order or runtime.settings.pipeline,
            )
            host = Host(options, runtime.queues, runtime.blobs)
            host.start()
            try:
                yield host, runtime
            finally:
                host.close()
                runtime.database.close()


@dataclass(frozen=True)
class Installation:
    """What `imaginem start` runs, seen from outside.

    Attributes:
        runtime: of this tree, on the same storage: it sends jobs and reads how they stand.
        pid: of the host.
        ready_seconds: from the start until the host said that it is ready.
    """

    runtime: Runtime
    pid: int
    ready_seconds: float

    @property
    def processes(self) -> list[psutil.Process]:
        """The host, its workers and its HTTP process, but not the storage emulator."""
        host = psutil.Process(self.pid)
        return [host, *host.children(recursive=True)]

    def processor_seconds(self) -> float:
        """Return the processor time of all processes so far; another load changes it little."""
        times = [process.cpu_times() for process in self.processes]
        return float(sum(time.user + time.system for time in times))

    def pause(self) -> None:
        """Stop all processes where they are, so that others are measured without them."""
        processes = self.processes
        for process in processes:
            process.suspend()
        wait_until(
            lambda: all(one.status() == psutil.STATUS_STOPPED for one in processes), _STOP_SECONDS
        )

    def go_on(self) -> None:
        """Let the processes go on."""
        for process in reversed(self.processes):
            process.resume()


@contextmanager
def installed(
    tree: Path = ROOT, settings: Mapping[str, str] | None = None, app: Path | None = None
) -> Iterator[Installation]:
    """Run `imaginem start` from a source tree, with an emulator on disk and a temporary home.

    Args:
        tree: whose code runs.
        settings: more settings, besides storage and home.
        app: folder of the function app; the tree's own if None.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, ports = Path(folder), EmulatorPorts.free()
        environment = {
            **os.environ,
            "AzureWebJobsStorage": ports.connection_string,
            "IMAGINEM_HOME": str(home),
            **(settings or {}),
        }
        runtime = Runtime(read_settings(environment))
        environment["PYTHONPATH"] = str(tree)
        command = [sys.executable, "-m", "imaginem.cli", "start", "--app", str(app or tree)]
        command += ["--port", str(_free_port()), "--workers", str(WORKERS)]
        with Emulator(home / "storage", ports), (home / "host.log").open("wb") as log:
            begun = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=log
            )
            assert process.stdout is not None
            try:
                if b"is ready" not in process.stdout.readline():
                    process.wait(_STOP_SECONDS)
                    told = (home / "host.log").read_text("utf-8", "replace")
                    raise RuntimeError(f"imaginem start in {tree} ended: {told[-2000:]}")
                yield Installation(runtime, process.pid, time.perf_counter() - begun)
            finally:
                _end(process)
                runtime.database.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop a host in good order, or at once if it does not stop."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.resume()
        psutil.Process(process.pid).resume()
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
