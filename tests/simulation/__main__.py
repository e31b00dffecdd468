"""`make simulate`: plays seeds, or one of them with its trace (`SEED=123`)."""

import argparse
import os
import sys
import time
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.campaign import Campaign, cores, play_all
from tests.simulation.world import run

_SHOWN = 10


class Mode(NamedTuple):
    """What is played besides what a seed draws: see `run`."""

    erasing: bool
    fused: bool | None
    grouped: bool


def main() -> int:
    """Play what the command line asks for; return 1 if an invariant broke."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=int(os.environ.get("SEEDS") or 1000))
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=cores())
    seed = os.environ.get("SEED")
    parser.add_argument("--seed", type=int, default=int(seed) if seed else None)
    given = parser.parse_args()
    chosen = os.environ.get("FUSED", "")
    mode = Mode(
        bool(os.environ.get("ERASING")),
        chosen == "1" if chosen else None,
        bool(os.environ.get("GROUPED")),
    )
    if given.seed is not None:
        return _replay(given.seed, mode)
    return _play(given.first, given.seeds, given.processes, mode)


def _replay(seed: int, mode: Mode) -> int:
    report = run(seed, traced=True, **mode._asdict())
    for line in report.trace:
        print(line)
    print(f"seed {seed}: {report.broken or report.known or 'every invariant holds'}")
    return 1 if report.broken else 0


def _play(first: int, count: int, processes: int, mode: Mode) -> int:
    console, started = Console(), time.perf_counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds", total=count, rate="")

        def show(part: Campaign) -> None:
            done = progress.tasks[0].completed + part.seeds
            rate = f"{done / (time.perf_counter() - started):.0f} seeds/s"
            progress.update(task, advance=part.seeds, rate=rate)
            for report in part.broken:
                progress.console.print(f"seed {report.seed}: {report.broken}", markup=False)

        campaign = play_all(first, count, processes, show, **mode._asdict())
    seconds = time.perf_counter() - started
    console.print(_summary(campaign))
    console.print(f"{count} seeds in {seconds:.0f} s, {count / seconds:.0f} seeds/s")
    return _verdict(console, campaign, mode)


def _summary(campaign: Campaign) -> Table:
    table = Table("what happened", "times", title="All seeds together")
    for what, times in sorted(campaign.happened.items()):
        table.add_row(what, f"{times:,}")
    return table


def _verdict(console: Console, campaign: Campaign, mode: Mode) -> int:
    executions = campaign.happened["step executions"]
    again = campaign.happened["executions of recorded steps"]
    share = again / executions if executions else 0.0
    console.print(f"executions of steps that were already recorded: {share:.2%}")
    if not campaign.broken:
        console.print("every invariant holds")
        return 0
    how = " ERASING=1" if mode.erasing else ""
    how += " GROUPED=1" if mode.grouped else ""
    how += "" if mode.fused is None else f" FUSED={int(mode.fused)}"
    failing = sorted(report.seed for report in campaign.broken)
    console.print(f"{len(failing)} seeds break an invariant: {failing[:_SHOWN]}")
    console.print(f"replay one with its trace: make simulate SEED={failing[0]}{how}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
