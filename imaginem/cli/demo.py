"""`imaginem demo`: runs sample photos through the pipeline and checks the matches."""

import os
import random
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from imaginem.assets import AssetStore
from imaginem.cli.assets import fetch_with_bars
from imaginem.cli.intake import submit_one
from imaginem.cli.matched_photos import matched_photos
from imaginem.cli.progress import watch
from imaginem.cli.report import result_table
from imaginem.cli.serve import signals
from imaginem.cli.shared import App, Exit, err, exit_on_error, make_runtime, out
from imaginem.cli.sources import Source
from imaginem.config.engine_table import ENGINE_TABLE
from imaginem.config.local_settings import apply_local_settings
from imaginem.config.settings import STORAGE_IDENTITY, read_settings
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.ports.log_lines import log_to
from imaginem.runtime import Runtime
from imaginem.usecases.reconcile import reconcile

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
"""Three photos of one person, photos of other people, and photos without faces."""
_ONE_PERSON = frozenset({"obama.jpg", "obama2.jpg", "obama3.jpg"})


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, until Ctrl-C.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    azure: Annotated[
        bool, typer.Option("--azure", help="Use the Azure engines, against an emulator of Azure.")
    ] = False,
    app: App = Path(),
) -> None:
    """Run sample photos through the whole pipeline, in a temporary home."""
    with exit_on_error():
        apply_local_settings(app)
        home = Path(tempfile.mkdtemp(prefix="imaginem-demo-"))
        try:
            succeeded = _demo(app, workers, home, keep=keep, azure=azure)
        finally:
            shutil.rmtree(home, ignore_errors=True)
    if not succeeded:
        raise typer.Exit(int(Exit.FAILED))


def _engines(provider: str) -> dict[str, str]:
    """Return settings that choose a provider wherever there is one of this name."""
    return {
        setting: provider if provider in allowed else allowed[0]
        for setting, allowed in ENGINE_TABLE.allowed().items()
    }


@contextmanager
def _ai_emulator(wanted: bool) -> Iterator[dict[str, str]]:
    """Serve an emulator of Azure's AI services, if wanted; yield the settings of the engines."""
    if not wanted:
        # Whatever local.settings.json says, a demo must not enrol faces in a real account.
        yield {**_engines("local"), "FACE_GRID": ""}
        return
    from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
    from imaginem.ai_emulator.app import LocalEngines

    key = secrets.token_hex(16)
    engines = LocalEngines(AssetStore(read_settings().assets))
    with AiEmulatorServer(AiEmulator(engines, AiEmulatorOptions(key=key, per_second=10))) as server:
        yield {
            **_engines("azure"),
            "VISION_ENDPOINT": server.address,
            "FACE_ENDPOINT": server.address,
            "VISION_API_KEY": key,
            "FACE_API_KEY": key,
        }


def _demo(app: Path, workers: int, home: Path, *, keep: bool, azure: bool) -> bool:
    fetch_with_bars(AssetStore(read_settings().assets), ["model", "sample"], err)
    with _ai_emulator(azure) as settings:
        return _run_demo(app, workers, home, keep, settings)


def _run_demo(app: Path, workers: int, home: Path, keep: bool, settings: dict[str, str]) -> bool:
    ports = EmulatorPorts.free()
    environment = {
        "IMAGINEM_HOME": str(home),
        "AzureWebJobsStorage": ports.connection_string,
        # Empty rather than absent: else local.settings.json sets them, here and in the workers.
        **dict.fromkeys(STORAGE_IDENTITY, ""),
        "SQL_CONNECTION_STRING": "",
        **settings,
    }
    os.environ.update(environment)
    runtime = make_runtime(app)
    port = EmulatorPorts.free().blob if keep else 0
    with (home / "host.log").open("wb") as log:
        log_to(open(os.dup(log.fileno()), "w"))  # noqa: SIM115, PTH123 - logging keeps it open
        options = HostOptions(
            app.absolute(),
            workers=workers,
            port=port,
            environment=environment,
            log=log,
            order=runtime.settings.pipeline,
            home=home,
            prepare=lambda: _prepare(runtime),
        )
        emulator = Emulator(home / "storage", ports, app)
        starts = runtime.landing.storage_starts
        host = Host(options, runtime.queues, runtime.blobs, emulator, starts)
        with signals(host):
            return _show(host, runtime, port, keep)


def _prepare(runtime: Runtime) -> None:
    """Put right what the emulator forgot, if it died and was started again."""
    reconcile(runtime)


def _show(host: Host, runtime: Runtime, port: int, keep: bool) -> bool:
    """Submit the sample photos, watch them, print the results; tell whether all went well."""
    try:
        with err.status("starting workers"):
            host.start()
        sources = _shuffled(AssetStore(runtime.settings.assets))
        steps = runtime.settings.pipeline
        jobs = {source.name: submit_one(runtime, source, "demo", steps) for source in sources}
        runs = {job.key[1]: job.run for job in jobs.values()}
        ids = {name: job.key[1] for name, job in jobs.items()}
        progress = watch(runtime.log, "demo", runs, out, timeout=600, stop=host.stopping)
        out.print(result_table(runtime, "demo", runs))
        ended = progress.ended == len(ids)
        succeeded = ended and all(state == "succeeded" for state in progress.jobs.values())
        succeeded = _check_matches(runtime, ids) and succeeded
        if keep:
            out.print(f"Imaginem is ready: http://127.0.0.1:{port}/ (Ctrl-C stops it)")
            out.print(f"storage: {runtime.settings.home}", highlight=False, soft_wrap=True)
            host.run_until_stopped()
        return succeeded
    finally:
        host.close()


def _shuffled(store: AssetStore) -> list[Source]:
    photos = [Source(name, store.path(name)) for name in DEMO_PHOTOS]
    random.shuffle(photos)
    return photos


def _check_matches(runtime: Runtime, ids: Mapping[str, str]) -> bool:
    """Print and return whether the photos of one person match each other and nothing else."""
    correct = True
    person = {ids[name] for name in _ONE_PERSON}
    for job_id in ids.values():
        matched = {photo.job_id for photo in matched_photos(runtime, ("demo", job_id))}
        expected = person - {job_id} if job_id in person else set()
        correct &= matched == expected
    text = "the three photos of one person match each other, from both sides, and nobody else"
    out.print(f"[green]✓[/] {text}" if correct else f"[red]✗[/] not so: {text}")
    return correct
