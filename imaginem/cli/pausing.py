"""`imaginem pause`, `resume` and `budget`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

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
from imaginem.ports import DashboardServices, Pause
from imaginem.usecases.budgets import budget_of, set_budget
from imaginem.usecases.cost_words import usd
from imaginem.usecases.pausing import check_batch, pause_batch, resume_batch, told, told_resumed


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("budget")(budget)


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
        resumed = resume_batch(make_runtime(app), batch)
        line = "goes on: its jobs come back within ten minutes" if resumed else "was not paused"
        if resumed and (budget := told_resumed(resumed)):
            line += f"; {budget}: `imaginem budget {batch} AMOUNT` gives it another"
        out.print(f"batch {batch} {line}", highlight=False, markup=False, soft_wrap=True)


def budget(
    batch: str,
    amount: Annotated[
        str, typer.Argument(metavar="[AMOUNT|none]", help="US dollars; shown if left out.")
    ] = "",
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Show, change or take away what a batch may spend; one that waits for that goes on."""
    with exit_on_error():
        runtime = make_runtime(app)
        check_batch(runtime, batch)
        if amount:
            went_on = set_budget(runtime, batch, None if amount == "none" else read_usd(amount))
            if went_on and not as_json:
                line = f"batch {batch} goes on: its jobs come back within ten minutes"
                out.print(line, highlight=False, markup=False, soft_wrap=True)
        found = budget_of(runtime, batch)
        if as_json:
            print_json(None if found is None else {"usd": found.usd, "spent": found.spent})
            return
        line = (
            f"batch {batch} has no budget"
            if found is None
            else f"batch {batch} may spend {usd(found.usd)}, and has spent {usd(found.spent)}"
        )
        out.print(line, highlight=False, markup=False, soft_wrap=True)
        tell_paused(runtime, batch, out)


def read_usd(text: str) -> float:
    """Return an amount of US dollars; exits with code 2 if it is none."""
    try:
        return float(text.removeprefix("$"))
    except ValueError:
        fail(f"{text!r} is no amount of US dollars: write 5 or 0.50", Exit.USAGE)


def tell_paused(services: DashboardServices, batch: str, console: Console) -> bool:
    """Say why a batch waits, if it is paused; return whether it is."""
    pause = services.pauses.pause_of(batch)
    if pause is not None:
        way = f"`imaginem resume {batch}` lets it go on"
        if pause.of_budget:
            way = f"`imaginem budget {batch} AMOUNT` raises it, {way} without one"
        console.print(
            f"batch {batch} is {told(pause)}: {way}",
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
