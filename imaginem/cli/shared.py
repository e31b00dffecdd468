"""Shared by all commands: making the runtime, printing errors and JSON, exit codes."""

import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from imaginem.cli.terminal import Terminal
from imaginem.config.local_settings import apply_local_settings
from imaginem.config.settings import Settings, read_settings
from imaginem.errors import (
    ConfigurationError,
    DiskFull,
    ImaginemError,
    StorageSilent,
    StorageUnavailable,
    disk_full,
)
from imaginem.pipeline.import_faults import why_not_imported
from imaginem.pipeline.steps import Registry, default_registry
from imaginem.redaction import one_line
from imaginem.runtime import Runtime
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.audit.acting import act_as

out = Terminal()
err = Terminal(stderr=True)
_NAMED = 3
"""Photos or files that are named of those of which the same is to be said."""


def note(text: str) -> None:
    """Print on standard error what else is to be known."""
    err.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)


def first_of(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


class Exit(IntEnum):
    """Exit codes of the commands; docs/cli.md lists them too."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    STORAGE = 4


NO_STEPS = (
    "there is no folder steps/ in {}: call this in the folder that has function_app.py, or name it "
    "with --app"
)
App = Annotated[Path, typer.Option("--app", help="Folder of function_app.py.")]
Purpose = Annotated[str, typer.Option("--purpose", help="One of AUDIT_PURPOSES, if set.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of Imaginem as one line and exit with the code of its class."""
    try:
        yield
    except ConfigurationError as problem:
        fail(str(problem), Exit.CONFIGURATION)
    except DiskFull as problem:
        fail(str(problem), Exit.STORAGE)
    except StorageSilent as problem:
        fail(f"{problem}: {storage_advice(read_settings())}", Exit.STORAGE)
    except StorageUnavailable as problem:
        fail(str(problem), Exit.STORAGE)
    except ImaginemError as problem:
        fail(str(problem), Exit.FAILED)
    except OSError as problem:
        full = disk_full(problem)
        place = f"{problem.filename}: " if problem.filename else ""
        text = str(full) if full else one_line(f"{place}{problem.strerror or problem}")
        fail(text, Exit.STORAGE if full else Exit.CONFIGURATION)


def storage_advice(settings: Settings) -> str:
    """Return what to do when nobody answers at storage's address."""
    if settings.uses_emulator:
        return f"is `imaginem start` running, with EMULATOR_PORT={settings.emulator_port}?"
    return "check AzureWebJobsStorage, and whether the account can be reached from here"


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """Print an error and exit."""
    err.print(f"[bold red]error:[/] {_escaped(message)}", soft_wrap=True)
    raise typer.Exit(int(code))


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def make_runtime(app: Path) -> Runtime:
    """Return the runtime for an app's folder, with the settings of its local.settings.json.

    Raises:
        ConfigurationError: settings are wrong; names each of them.
    """
    apply_local_settings(app)
    act_as(EVERYTHING.name)
    os.environ.setdefault("IMAGINEM_HOME", str(app / ".imaginem"))
    return Runtime(read_settings())


def make_reader(app: Path) -> Runtime:
    """Return the same for a command that looks for results.

    Raises:
        ConfigurationError: settings are wrong, or no database was ever opened in this home: that
            nothing is found in a new one would say nothing of the photos in another.
    """
    from imaginem.sql.database import DATABASE_FILE

    runtime = make_runtime(app)
    settings = runtime.settings
    if not settings.sql_connection and not (settings.home / DATABASE_FILE).exists():
        raise ConfigurationError(
            f"nothing was ever processed in {settings.home.absolute()}: call this in the folder "
            "where `imaginem start` runs, or set IMAGINEM_HOME as it does there"
        )
    return runtime


def load_registry(app: Path) -> Registry:
    """Import an app's steps and return their registry.

    Args:
        app: the app's folder.

    Raises:
        ConfigurationError: the folder has no `steps`, or they can't be imported.
    """
    if not (app / "steps").is_dir():
        raise ConfigurationError(NO_STEPS.format(app))
    sys.path.insert(0, str(app.resolve()))
    try:
        importlib.import_module("steps")
    except MemoryError:
        raise
    except Exception as problem:  # a step's file may raise anything
        raise ConfigurationError(
            f"steps can't be imported: {why_not_imported(problem, app)}"
        ) from None
    return default_registry


def steps_as_set(app: Path) -> Registry:
    """Return the registry with an app's steps as its settings want them.

    Where the settings are wrong, the steps are as they are declared, and that is told.

    Raises:
        ConfigurationError: as of `load_registry`.
    """
    registry = load_registry(app)
    try:
        apply_local_settings(app)
        return registry.as_set(read_settings().core())
    except ConfigurationError as problem:
        note(f"the steps are shown without settings: {problem}")
        return registry


def known_steps(app: Path) -> Registry:
    """Return the registry with an app's steps, as far as it has any that can be imported."""
    if (app / "steps").is_dir():
        try:
            return load_registry(app)
        except ConfigurationError as problem:
            err.print(f"{problem}: what your own steps found is left out", markup=False)
    return default_registry


def print_json(value: Any) -> None:
    """Print a value as JSON without colours, for programs."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
