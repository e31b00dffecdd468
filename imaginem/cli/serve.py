"""`imaginem start`: runs everything on this machine until Ctrl-C."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from imaginem.cli.compact import compacting_of
from imaginem.cli.shared import App, err, exit_on_error, make_runtime, out
from imaginem.config.settings import Settings
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.host.identity import join
from imaginem.ports.log_lines import log_to
from imaginem.runtime import Runtime
from imaginem.usecases.at_rest import finish_erasures
from imaginem.usecases.reconcile import reconcile

_logger = logging.getLogger("imaginem.host")


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
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="From now on, home and storage belong together."),
    ] = False,
) -> None:
    """Run storage emulator, local host and HTTP until Ctrl-C."""
    log_to(sys.stderr)
    with exit_on_error():
        if home is not None:
            os.environ["IMAGINEM_HOME"] = str(home.absolute())
        runtime = make_runtime(app)
        told = [] if home is None else [_needed(runtime.settings)]
        options = _options(app, workers, port, runtime, adopt)
        emulator, starts = _emulator(runtime.settings, app), runtime.landing.storage_starts
        host = Host(options, runtime.queues, runtime.blobs, emulator, starts)
        with signals(host):
            _run(host, port, [*told, *runtime.photo_receivers])


def _needed(settings: Settings) -> str:
    """Return a line with the settings by which other commands find this home."""
    needed = f"IMAGINEM_HOME={settings.home}"
    if settings.uses_emulator and settings.emulator_port != EmulatorPorts().blob:
        needed += f" EMULATOR_PORT={settings.emulator_port}"
    return f"other commands find its results with {needed}"


def _emulator(settings: Settings, app: Path) -> Emulator | None:
    if not settings.uses_emulator:
        return None
    ports = EmulatorPorts.beginning_at(settings.emulator_port)
    return Emulator(settings.home.absolute() / "storage", ports, app)


def _options(app: Path, workers: int, port: int, runtime: Runtime, adopt: bool) -> HostOptions:
    home = runtime.settings.home.absolute()
    compacting = compacting_of(runtime)
    return HostOptions(
        app=app.absolute(),
        workers=workers,
        port=port,
        environment={"IMAGINEM_HOME": str(home)},
        watch=True,
        order=runtime.settings.pipeline,
        home=home,
        prepare=_Preparation(runtime, home, adopt).run,
        work_ended=partial(_finish_at_rest, runtime),
        storage_saved=runtime.landing.storage_stopped,
        at_rest=_nothing if compacting is None else compacting.when_at_rest,
    )


def _finish_at_rest(runtime: Runtime) -> None:
    """Make receipts of erasures final, where nothing but this host works on the storage."""
    if runtime.settings.uses_emulator:
        finish_erasures(runtime, runtime.settings.pipeline)


def _nothing() -> None:
    """Do nothing: all data is on servers."""


class _Preparation:
    """What comes before the first worker, whenever storage has come up."""

    def __init__(self, runtime: Runtime, home: Path, adopt: bool) -> None:
        self._runtime, self._home, self._adopt = runtime, home, adopt

    def run(self) -> None:
        settings = self._runtime.settings
        if home_matters(settings):
            state = self._runtime.shared_state
            join(self._home, state, settings.storage_name, adopt=self._adopt)
            self._adopt = False  # what is wrong after a restart of the emulator is told
        if self._runtime.landing.active:
            _logger.info("comparing storage with what was accepted")
        reconcile(self._runtime)
        _finish_at_rest(self._runtime)


def home_matters(settings: Settings) -> bool:
    """Tell whether a home keeps what belongs to one storage: photos, or results."""
    return settings.uses_emulator or not settings.sql_connection


def _run(host: Host, port: int, notes: Sequence[str]) -> None:
    ready = f"Imaginem is ready: http://127.0.0.1:{port}/ (Ctrl-C stops it)"
    try:
        host.start()
        for told in () if host.stopping.is_set() else notes:
            err.print(told, markup=False, highlight=False, soft_wrap=True)
        if not host.stopping.is_set():
            out.print(ready, highlight=False, soft_wrap=True)
        host.run_until_stopped(lambda: out.print(ready, highlight=False, soft_wrap=True))
        err.print("stopping: running steps are finished first")
    finally:
        host.close()
