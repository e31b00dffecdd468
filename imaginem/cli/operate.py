"""`imaginem send`, `clear` and `poison`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    exit_on_error,
    fail,
    make_runtime,
    out,
    print_json,
)
from imaginem.redaction import one_line
from imaginem.runtime import Runtime
from imaginem.usecases.poison import replay_job

poison_app = typer.Typer(no_args_is_help=True, help="Messages that could not be processed.")
_BODY_SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("send")(send)
    app.command("clear")(clear)


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
    for entry in entries:  # no table: ids are copied, and reasons are long
        job = f"job {entry.batch_id}/{entry.job_id}" if entry.job_id else "no job"
        lines = (
            f"{entry.queue} {entry.id}: {job}",
            f"  reason: {one_line(entry.reason)}",
            f"  body: {one_line(entry.body, _BODY_SHOWN)}",
        )
        out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


@poison_app.command("replay")
def replay(
    queue: str,
    message: Annotated[str, typer.Argument(metavar="[MESSAGE]")] = "",
    app: App = Path(),
) -> None:
    """Put one poisoned message, or all of a queue, back as new runs of their jobs."""
    _each(
        queue,
        message,
        app,
        lambda runtime, message_id: replay_job(runtime, queue, message_id),
        "replayed",
    )


@poison_app.command("drop")
def drop(
    queue: str,
    message: Annotated[str, typer.Argument(metavar="[MESSAGE]")] = "",
    app: App = Path(),
) -> None:
    """Forget one poisoned message, or all of a queue."""
    _each(
        queue,
        message,
        app,
        lambda runtime, message_id: runtime.poison.drop(queue, message_id),
        "dropped",
    )


def _each(
    queue: str, message: str, app: Path, act: Callable[[Runtime, str], object], done: str
) -> None:
    with exit_on_error():
        runtime = make_runtime(app)
        ids = [message] if message else [entry.id for entry in runtime.poison.list(queue)]
        if message and runtime.poison.read(queue, message) is None:
            fail(f"no message {message} of {queue} is in pipelinepoison")
        for message_id in ids:
            act(runtime, message_id)
        out.print(f"{len(ids)} messages {done}")
