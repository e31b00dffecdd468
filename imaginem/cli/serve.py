"""`imaginem start`: runs everything on this machine until Ctrl-C."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from imaginem.cli.shared import App, err, exit_on_error, make_runtime, out
from imaginem.config.settings import DEVELOPMENT_STORAGE
from imaginem.host import Emulator, Host, HostOptions
from imaginem.ports.log_lines import log_to


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("start")(start)


@contextmanager
def signals(host: Host) -> Iterator[None]:
    """Make Ctrl-C and SIGTERM stop the host in good order inside the `with` block."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda *_: host.request_stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)


def start(
    app: App = Path(),
    port: Annotated[int, typer.Option(help="Port of HTTP on 127.0.0.1.")] = 7071,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the emulator's data and SQLite.")
    ] = None,
) -> None:
    """Run storage emulator, local host and HTTP until Ctrl-C."""
    log_to(sys.stderr)
    with exit_on_error():
        if home is not None:
            os.environ["IMAGINEM_HOME"] = str(home.absolute())
            told = f"other commands find its results with IMAGINEM_HOME={home.absolute()}"
            err.print(told, markup=False, highlight=False, soft_wrap=True)
        runtime = make_runtime(app)
        folder = runtime.settings.home.absolute()
        emulator = Emulator(folder / "storage", app=app)
        order = runtime.settings.pipeline
        host = Host(_options(app, workers, port, folder, order), runtime.queues, runtime.blobs)
        uses_emulator = runtime.settings.storage_connection == DEVELOPMENT_STORAGE
        with signals(host):
            try:
                if uses_emulator and not emulator.start():
                    err.print("using the storage emulator that is running already")
                _run(host, port)
            finally:
                emulator.stop()


def _options(app: Path, workers: int, port: int, home: Path, order: Sequence[str]) -> HostOptions:
    return HostOptions(
        app=app.absolute(),
        workers=workers,
        port=port,
        environment={"IMAGINEM_HOME": str(home)},
        watch=True,
        order=order,
    )


def _run(host: Host, port: int) -> None:
    ready = f"Imaginem is ready: http://127.0.0.1:{port}/ (Ctrl-C stops it)"
    try:
        host.start()
        out.print(ready, highlight=False, soft_wrap=True)
        host.run_until_stopped(lambda: out.print(ready, highlight=False, soft_wrap=True))
        err.print("stopping: running steps are finished first")
    finally:
        host.close()
