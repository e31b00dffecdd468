"""`imaginem tombstones`: what was erased, for a backup that is restored."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from imaginem.cli.shared import App, Exit, err, exit_on_error, fail, known_steps, make_runtime, out
from imaginem.host import Emulator, EmulatorPorts
from imaginem.host.home import HomeLock
from imaginem.runtime import Runtime
from imaginem.usecases.at_rest import finish_erasures
from imaginem.usecases.restoring import erase_again, erased_since
from imaginem.usecases.tombstone_files import (
    BARS,
    FACES,
    check_lines,
    erased_by,
    export_lines,
    not_known,
    write_lines,
)

tombstones_app = typer.Typer(no_args_is_help=True, help="What was erased since a backup was made.")
_TOLD_EVERY = 10_000


@tombstones_app.command("export")
def export(file: Path, app: App = Path()) -> None:
    """Write all tombstones and their key into a file, to be kept as safely as a backup."""
    with exit_on_error():
        runtime, count = make_runtime(app), 0
        beside = file.with_name(f".{file.name}.part")
        beside.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(beside, flags, 0o600), "w", encoding="utf-8") as written:
                for line in export_lines(runtime):
                    written.write(f"{line}\n")
                    count += 1
                    if count % _TOLD_EVERY == 0:
                        err.print(f"{count} lines", highlight=False)
                written.flush()
                os.fsync(written.fileno())
            beside.replace(file)
        except OSError as problem:
            fail(f"{file} can't be written: {problem.strerror}", Exit.CONFIGURATION)
        finally:
            beside.unlink(missing_ok=True)
    err.print(f"{count - 2} tombstones are in {file}", highlight=False, markup=False)


@tombstones_app.command("apply")
def apply(
    file: Path,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    app: App = Path(),
) -> None:
    """Erase again what was erased since a backup was made; Imaginem must be stopped."""
    with exit_on_error():
        key, count = check_lines(_lines(file))
        runtime = make_runtime(app)
        known_steps(app)  # what is left of other photos is indexed anew
        with _at_rest(runtime, app):
            bars = not_known(runtime, BARS, _lines(file))
            if dry_run:
                faces = not_known(runtime, FACES, _lines(file))
                found = erased_since(runtime, erased_by(key, _lines(file)))
            else:
                write_lines(runtime, key, _lines(file))
                found = erased_since(runtime, runtime.erased)
                faces = erase_again(runtime, found)
                if runtime.settings.uses_emulator:
                    finish_erasures(runtime, runtime.settings.pipeline)
    verb, most = ("would be erased", " at most") if dry_run else ("are erased", "")
    for line in (
        f"{count} tombstones: {len(found.jobs)} jobs {verb} that the restored stores had again",
        f"photos of these jobs: {found.photos}; whole batches: {len(found.batches)}",
        f"faces of photos that stay: {faces}{most}",
        f"photos that {'would be' if dry_run else 'are'} barred again: {bars}",
    ):
        out.print(line, highlight=False, markup=False)


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as opened:
        yield from opened


@contextmanager
def _at_rest(runtime: Runtime, app: Path) -> Iterator[None]:
    """Lock the home, and run its storage emulator, with nothing else, inside the `with` block."""
    settings = runtime.settings
    home = settings.home.absolute()
    lock = HomeLock(home, port=0)
    lock.take()
    try:
        if not settings.uses_emulator:
            yield
            return
        ports = EmulatorPorts.beginning_at(settings.emulator_port)
        with Emulator(home / "storage", ports, app):
            yield
    finally:
        lock.release()
