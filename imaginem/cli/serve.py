"""`imaginem start` and `imaginem demo`."""

import logging
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console

from imaginem.assets import AssetStore
from imaginem.cli.assets import fetch_with_bars
from imaginem.cli.intake import Source, job_ids, submit_one
from imaginem.cli.progress import watch
from imaginem.cli.report import matched_photos, result_table
from imaginem.cli.shared import App, Exit, err, make_runtime, out, told_errors
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.runtime import Runtime
from imaginem.settings import DEVELOPMENT_STORAGE, apply_local_settings

DEMO_PHOTOS = (
    "obama.jpg",
    "obama2.jpg",
    "obama3.jpg",
    "biden.jpg",
    "grace_hopper.jpg",
    "astronaut.png",
    "page.png",
    "coffee.png",
    "chelsea.png",
    "china.jpg",
)
"""Three photos of one person, others, and photos without faces."""
_ONE_PERSON = frozenset({"obama.jpg", "obama2.jpg", "obama3.jpg"})


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("start")(start)
    app.command("demo")(demo)


def _log_to(stream: IO[str]) -> None:
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        stream=stream,
    )
    logging.getLogger("azure").setLevel(logging.WARNING)


@contextmanager
def _signals(host: Host) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the host in order, from its start on."""
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: host.request_stop()) for number in wanted]
    try:
        yield
    finally:
        for number, handler in zip(wanted, before, strict=True):
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
    _log_to(sys.stderr)
    with told_errors():
        if home is not None:
            os.environ["IMAGINEM_HOME"] = str(home.absolute())
        runtime = make_runtime(app)
        folder = runtime.settings.home.absolute()
        emulator = Emulator(folder / "storage", app=app)
        order = runtime.settings.pipeline
        host = Host(_options(app, workers, port, folder, order), runtime.queues)
        own = runtime.settings.storage_connection == DEVELOPMENT_STORAGE
        with _signals(host):
            try:
                if own and not emulator.start():
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
    ready = f"Imaginem is ready: http://127.0.0.1:{port}/api/docs (Ctrl-C stops it)"
    try:
        host.start()
        out.print(ready, highlight=False, soft_wrap=True)
        host.run_until_stopped(lambda: out.print(ready, highlight=False, soft_wrap=True))
        err.print("stopping: running steps are finished first")
    finally:
        host.close()


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, until Ctrl-C.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    app: App = Path(),
) -> None:
    """Run sample photos through the whole pipeline, in a temporary home."""
    with told_errors():
        apply_local_settings(app)
        home = Path(tempfile.mkdtemp(prefix="imaginem-demo-"))
        try:
            good = _demo(app, workers, home, keep)
        finally:
            shutil.rmtree(home, ignore_errors=True)
    if not good:
        raise typer.Exit(int(Exit.FAILED))


def _demo(app: Path, workers: int, home: Path, keep: bool) -> bool:
    ports = EmulatorPorts.free()
    own = {
        "IMAGINEM_HOME": str(home),
        "AzureWebJobsStorage": ports.connection_string,
        "SQL_CONNECTION_STRING": "",
    }
    os.environ.update(own)
    os.environ.pop("AzureWebJobsStorage__accountName", None)
    runtime = make_runtime(app)
    fetch_with_bars(AssetStore(runtime.settings.assets), ["model", "sample"], err)
    port = EmulatorPorts.free().blob if keep else 0
    with (home / "host.log").open("wb") as log:
        _log_to(open(os.dup(log.fileno()), "w"))  # noqa: SIM115, PTH123 - logging keeps it open
        options = HostOptions(
            app.absolute(),
            workers=workers,
            port=port,
            environment=own,
            log=log,
            order=runtime.settings.pipeline,
        )
        emulator, host = Emulator(home / "storage", ports, app), Host(options, runtime.queues)
        with _signals(host):
            try:
                emulator.start()
                return _show(host, runtime, port, keep)
            finally:
                emulator.stop()


def _show(host: Host, runtime: Runtime, port: int, keep: bool) -> bool:
    """Submit the sample photos, watch them, print what was found."""
    try:
        with err.status("starting workers"):
            host.start()
        sources = _shuffled(AssetStore(runtime.settings.assets))
        ids = job_ids(sources)
        steps = runtime.settings.pipeline
        runs = {
            job_id: submit_one(runtime, source, "demo", job_id, steps)
            for source, job_id in zip(sources, ids, strict=True)
        }
        progress = watch(runtime.log, "demo", runs, out, timeout=600, stop=host.stopping)
        out.print(result_table(runtime, "demo", ids))
        ended = progress.ended == len(ids)
        good = ended and all(state == "succeeded" for state in progress.jobs.values())
        good = _judge(runtime, out) and good
        if keep:
            out.print(f"Imaginem is ready: http://127.0.0.1:{port}/api/docs (Ctrl-C stops it)")
            out.print(f"storage: {runtime.settings.home}", highlight=False, soft_wrap=True)
            host.run_until_stopped()
        return good
    finally:
        host.close()


def _shuffled(store: AssetStore) -> list[Source]:
    photos = [Source(name, store.path(name)) for name in DEMO_PHOTOS]
    random.shuffle(photos)
    return photos


def _judge(runtime: Runtime, console: Console) -> bool:
    """Say whether the photos of one person found each other, and only each other."""
    good = True
    for name in DEMO_PHOTOS:
        found = {photo.job_id for photo in matched_photos(runtime.gallery, ("demo", name))}
        expected = _ONE_PERSON - {name} if name in _ONE_PERSON else set()
        good &= found == expected
    text = "the three photos of one person match each other, from both sides, and nobody else"
    console.print(f"[green]✓[/] {text}" if good else f"[red]✗[/] not so: {text}")
    return good
