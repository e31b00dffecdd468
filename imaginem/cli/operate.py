"""`imaginem send`, `clear`, `poison` and `doctor`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from imaginem.assets import AssetStore
from imaginem.assets.nodejs import find_package, node_command
from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    exit_on_error,
    fail,
    load_registry,
    make_runtime,
    out,
    print_json,
)
from imaginem.config.settings import DEVELOPMENT_STORAGE
from imaginem.errors import ImaginemError
from imaginem.redaction import one_line
from imaginem.runtime import Runtime
from imaginem.usecases.submit import replay_job

poison_app = typer.Typer(no_args_is_help=True, help="Messages that could not be processed.")
_BODY_SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("send")(send)
    app.command("clear")(clear)
    app.command("doctor")(doctor)


def send(queue: str, file: Path, app: App = Path()) -> None:
    """Put a file's text on a queue, as it is; `-` reads standard input."""
    with exit_on_error():
        try:
            text = (
                typer.get_text_stream("stdin").read()
                if str(file) == "-"
                else file.read_text("utf-8")
            )
        except (OSError, UnicodeDecodeError) as problem:
            fail(f"{file} can't be read: {problem}", Exit.USAGE)
            return
        sent = make_runtime(app).queues.send(queue, text)
        out.print(f"message {sent} is on {queue}", highlight=False, soft_wrap=True)


def clear(
    queues: Annotated[list[str], typer.Argument(metavar="QUEUE...")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    app: App = Path(),
) -> None:
    """Remove every message from queues. Jobs whose message is there never go on."""
    with exit_on_error():
        runtime = make_runtime(app)
        counts = {queue: runtime.queues.count(queue) for queue in queues}
        missing = [queue for queue, count in counts.items() if count is None]
        if missing:
            fail(f"there is no queue {', '.join(missing)}")
        total = sum(count or 0 for count in counts.values())
        if not yes and not typer.confirm(f"Remove {total} messages from {', '.join(queues)}?"):
            raise typer.Exit(int(Exit.FAILED))
        for queue in queues:
            runtime.queues.clear(queue)
        out.print(f"{total} messages removed")


@poison_app.command("list")
def list_poison(
    queue: Annotated[str, typer.Argument(metavar="[QUEUE]")] = "",
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """List what could not be processed, and why."""
    with exit_on_error():
        entries = make_runtime(app).poison.list(queue or None)
    if as_json:
        print_json([vars(entry) for entry in entries])
        return
    if not entries:
        out.print("nothing is poisoned")
        return
    table = Table("queue", "message", "job", "reason", "body", box=None, padding=(0, 1))
    for entry in entries:
        table.add_row(
            entry.queue,
            entry.id,
            f"{entry.batch_id}/{entry.job_id}" if entry.job_id else "-",
            one_line(entry.reason),
            one_line(entry.body, _BODY_SHOWN),
        )
    out.print(table, markup=False)


@poison_app.command("replay")
def replay(
    queue: str,
    message: Annotated[str, typer.Argument(metavar="[MESSAGE]")] = "",
    app: App = Path(),
) -> None:
    """Put one poisoned message, or all of a queue, back as new runs of their jobs."""
    _each(queue, message, app, lambda runtime, found: replay_job(runtime, queue, found), "replayed")


@poison_app.command("drop")
def drop(
    queue: str,
    message: Annotated[str, typer.Argument(metavar="[MESSAGE]")] = "",
    app: App = Path(),
) -> None:
    """Forget one poisoned message, or all of a queue."""
    _each(queue, message, app, lambda runtime, found: runtime.poison.drop(queue, found), "dropped")


def _each(
    queue: str, message: str, app: Path, act: Callable[[Runtime, str], object], done: str
) -> None:
    with exit_on_error():
        runtime = make_runtime(app)
        ids = [message] if message else [entry.id for entry in runtime.poison.list(queue)]
        if message and runtime.poison.read(queue, message) is None:
            fail(f"no message {message} of {queue} is in pipelinepoison")
        for found in ids:
            act(runtime, found)
        out.print(f"{len(ids)} messages {done}")


@dataclass(frozen=True)
class Check:
    """One thing the doctor looked at; an empty problem means it is well."""

    name: str
    problem: str = ""


def doctor(as_json: Json = False, app: App = Path()) -> None:
    """Check settings, storage, database, engines and steps, and say how to mend each."""
    checks = examine(app)
    if as_json:
        print_json([{"check": check.name, "problem": check.problem} for check in checks])
    else:
        for check in checks:
            mark = "[green]ok[/]  " if not check.problem else "[red]no[/]  "
            out.print(mark + check.name, highlight=False)
            if check.problem:
                out.print(f"      {check.problem}", markup=False, soft_wrap=True, highlight=False)
    if any(check.problem for check in checks):
        raise typer.Exit(int(Exit.FAILED))


def examine(app: Path) -> list[Check]:
    """Return what is well and what is not."""
    checks = [_tried("steps", lambda: load_registry(app))]
    try:
        runtime = make_runtime(app)
    except ImaginemError as problem:
        return [*checks, Check("settings", str(problem))]
    settings, store = runtime.settings, AssetStore(runtime.settings.assets)
    unknown = [name for name in settings.pipeline if name not in load_names(app)]
    checks += [
        Check("settings"),
        Check(
            "pipeline",
            f"PIPELINE_DEFINITION names {', '.join(unknown)}, which no step serves: correct it, or "
            "add the step"
            if unknown
            else "",
        ),
        _tried("storage (queues)", lambda: runtime.queues.names()),
        _tried("storage (tables)", lambda: runtime.poison.list()),
        _tried("storage (blobs)", lambda: runtime.blobs.list(settings.input_container, "doctor")),
        _tried("database", lambda: runtime.results.read(("doctor", "doctor"))),
    ]
    if settings.storage_connection == DEVELOPMENT_STORAGE:
        installed = find_package("azurite", app.resolve())
        checks += [
            _tried("node for the storage emulator", node_command),
            Check("storage emulator", "" if installed else "not installed: run `npm ci`"),
        ]
    if "local" in settings.engines:
        checks.append(_weights(store))
    for name in ("vision", "ocr", "faces", "prints"):
        checks.append(_tried(f"engine for {name}", partial(getattr, runtime, name)))
    return checks


def _weights(store: AssetStore) -> Check:
    wrong = [f"{a.name} ({p})" for a in store.manifest.of_kind("model") if (p := store.problem(a))]
    return Check("weights", f"{', '.join(wrong)}: run `imaginem assets fetch`" if wrong else "")


def load_names(app: Path) -> list[str]:
    """Return the steps' names; none when they can't be imported, which another check tells."""
    try:
        return load_registry(app).names()
    except ImaginemError:
        return []


def _tried(name: str, action: Callable[[], object]) -> Check:
    try:
        action()
    except ImaginemError as problem:
        return Check(name, one_line(str(problem)))
    return Check(name)
