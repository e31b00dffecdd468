"""`imaginem pause` and `resume`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from imaginem.cli.shared import App, exit_on_error, make_runtime, out
from imaginem.ports import DashboardServices, Pause
from imaginem.usecases.pausing import pause_batch, resume_batch, told


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("pause")(pause)
    app.command("resume")(resume)


def pause(
    batch: str,
    because: Annotated[
        str, typer.Option("--because", help="Why, for those who see it: one line.")
    ] = "",
    app: App = Path(),
) -> None:
    """Let a batch's jobs wait before their next step, until `imaginem resume`."""
    with exit_on_error():
        pause_batch(make_runtime(app), batch, because)
        line = f"batch {batch} is paused: its jobs wait; `imaginem resume {batch}` lets them go on"
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def resume(batch: str, app: App = Path()) -> None:
    """Let a paused batch's jobs go on."""
    with exit_on_error():
        was_paused = resume_batch(make_runtime(app), batch)
        line = "goes on: its jobs come back within ten minutes" if was_paused else "was not paused"
        out.print(f"batch {batch} {line}", highlight=False, markup=False, soft_wrap=True)


def tell_paused(services: DashboardServices, batch: str, console: Console) -> bool:
    """Say why a batch waits, if it is paused; return whether it is."""
    pause = services.pauses.pause_of(batch)
    if pause is not None:
        console.print(
            f"batch {batch} is {told(pause)}: `imaginem resume {batch}` lets it go on",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    return pause is not None


def is_paused(services: DashboardServices, batch: str) -> bool:
    """Tell whether a batch is paused."""
    return services.pauses.paused_for(batch) is not None


def as_told(pause: Pause | None) -> dict[str, Any] | None:
    """Return a pause as JSON values; None if there is none."""
    if pause is None:
        return None
    by = "budget" if pause.of_budget else pause.by
    return {"since": pause.since.isoformat(), "by": by, "because": pause.because}
