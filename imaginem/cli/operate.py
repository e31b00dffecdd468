"""`imaginem send` and `clear`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from imaginem.cli.shared import (
    App,
    Exit,
    err,
    exit_on_error,
    fail,
    make_runtime,
    out,
)
from imaginem.runtime import Runtime
from imaginem.usecases.clearing import clear_queue

_BAR_FROM = 20  # messages


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
            fail(f"{file} can't be read: {problem}", Exit.CONFIGURATION)
        sent = make_runtime(app).queues.send(queue, text)
        out.print(f"message {sent} is on {queue}", highlight=False, soft_wrap=True)


def clear(
    queues: Annotated[list[str], typer.Argument(metavar="QUEUE...")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    app: App = Path(),
) -> None:
    """Remove every message from queues; jobs whose message is there end as cancelled."""
    with exit_on_error():
        runtime = make_runtime(app)
        counts = {queue: runtime.queues.count(queue) for queue in queues}
        missing = [queue for queue, count in counts.items() if count is None]
        if missing:
            fail(f"there is no queue {', '.join(missing)}")
        total = sum(count or 0 for count in counts.values())
        if total == 0:
            out.print(f"nothing lies on {', '.join(queues)}", highlight=False, soft_wrap=True)
            return
        if not yes and not typer.confirm(f"Remove {total} messages from {', '.join(queues)}?"):
            raise typer.Exit(int(Exit.FAILED))
        for queue in queues:
            _clear(runtime, queue, counts[queue] or 0)


def _clear(runtime: Runtime, queue: str, expected: int) -> None:
    with Progress(console=err, disable=expected < _BAR_FROM) as bar:
        task = bar.add_task(f"clearing {queue}", total=expected)
        cleared = clear_queue(runtime, queue, lambda removed: bar.update(task, completed=removed))
    out.print(
        f"{queue}: {cleared.removed} messages removed, {cleared.jobs} jobs cancelled",
        highlight=False,
        soft_wrap=True,
    )
    if cleared.left:
        out.print(
            f"{cleared.left} messages are being worked on or delayed; they stay", highlight=False
        )
