"""`imaginem rerun`: jobs again from one of their steps, also with other engines."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from imaginem.cli.comparison import show_comparisons
from imaginem.cli.progress import watch
from imaginem.cli.shared import App, Exit, err, exit_on_error, fail, make_runtime, out
from imaginem.config.receivers import photo_receivers
from imaginem.config.settings import choosing
from imaginem.runtime import Runtime
from imaginem.usecases.pace import Pace
from imaginem.usecases.rerun import (
    BatchRerun,
    Rerun,
    jobs_to_rerun,
    prepare_rerun,
    rerun_batch,
    rerun_job,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rerun")(rerun)


def rerun(
    batch: Annotated[str, typer.Argument(metavar="BATCH")],
    job: Annotated[str, typer.Argument(metavar="[JOB]")] = "",
    from_step: Annotated[str, typer.Option("--from", help="The first step that runs again.")] = "",
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", metavar="KIND=NAME", help="For this run only, as ocr=azure."),
    ] = None,
    rate: Annotated[float, typer.Option(help="Jobs a second at most.", min=0)] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress, then what changed.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 3600,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    app: App = Path(),
) -> None:
    """Run a job, or a batch's jobs, again from a step; what was found before is kept."""
    if not from_step:
        raise typer.BadParameter("--from STEP says where to begin")
    engines = _engines(engine or [])
    with exit_on_error():
        runtime = make_runtime(app)
        wished = prepare_rerun(runtime, batch, from_step, engines)
        for kind, provider in engines.items():
            _tell_receiver(runtime, kind, provider)
        if job:
            done = BatchRerun(sent={job: rerun_job(runtime, (batch, job), wished)})
        else:
            done = _batch(runtime, batch, wished, rate, yes)
        _tell(done)
        if wait and done.sent:
            watch(runtime.log, batch, done.sent, err, timeout=timeout)
            show_comparisons(runtime, batch, list(done.sent))


def _tell_receiver(runtime: Runtime, kind: str, provider: str) -> None:
    """Say where an engine that was chosen for this run sends photos."""
    chosen = choosing(runtime.settings, runtime.engine_kinds[kind], provider)
    for receiver in photo_receivers(chosen):
        if kind in receiver.engines:
            err.print(receiver.text, markup=False, highlight=False, soft_wrap=True)


def _engines(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if any(not (kind and provider) for kind, _, provider in pairs):
        raise typer.BadParameter("--engine takes KIND=NAME, as ocr=azure")
    return {kind: provider for kind, _, provider in pairs}


def _batch(runtime: Runtime, batch: str, wished: Rerun, rate: float, yes: bool) -> BatchRerun:
    """Run a batch's jobs again, after it was confirmed."""
    names, busy = jobs_to_rerun(runtime, batch, wished.from_step)
    if busy:
        err.print(f"{busy} jobs are still at work and are left", highlight=False)
    if not names:
        fail("no job runs again")
    if not yes and not typer.confirm(_question(runtime, len(names), wished)):
        raise typer.Exit(int(Exit.FAILED))
    columns = (TextColumn("sent"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, disable=len(names) < 2) as bar:
        task = bar.add_task("sent", total=len(names))
        return rerun_batch(
            runtime, batch, wished, names, pace=Pace(rate), tell=lambda: bar.advance(task)
        )


def _question(runtime: Runtime, count: int, wished: Rerun) -> str:
    """Return what is asked before many jobs run again, with the services that may charge."""
    jobs = "1 job" if count == 1 else f"{count} jobs"
    chosen = {**runtime.settings.chosen_providers(), **wished.engines}
    table, kinds = runtime.settings.engine_table, runtime.engine_kinds
    paid = sorted(
        name
        for name, provider in chosen.items()
        if table.row(kinds[name]).provider(provider).account
    )
    cost = ""
    if paid:
        cost = f" Each may make paid calls ({', '.join(f'{n}={chosen[n]}' for n in paid)})."
    return f"Run {jobs} again from {wished.from_step}?{cost}"


def _tell(done: BatchRerun) -> None:
    """Say what became of the jobs; exit with 1 if none was sent."""
    count = len(done.sent)
    out.print(f"{count} {'job runs' if count == 1 else 'jobs run'} again", highlight=False)
    for reason, number in done.left.most_common():
        err.print(f"{number} left: {reason}", markup=False, highlight=False, soft_wrap=True)
    if done.at_work:
        err.print(f"{done.at_work} began meanwhile and were left", highlight=False)
    if not done.sent:
        fail("no job runs again")
