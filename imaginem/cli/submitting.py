"""`imaginem submit`: sends photos, and waits for their jobs if it is told to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from imaginem.cli.costs import tell_forecast
from imaginem.cli.intake import (
    check_pipeline_steps,
    said_to_steps,
    submit_each,
    tell_receivers,
    whole_pipeline,
)
from imaginem.cli.jobs import tell_poisoned
from imaginem.cli.pausing import is_paused, read_usd, tell_paused
from imaginem.cli.progress import watch
from imaginem.cli.report import result_table
from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    err,
    exit_on_error,
    fail,
    load_registry,
    make_runtime,
    out,
    print_json,
)
from imaginem.cli.sources import Source, find_sources
from imaginem.pipeline.states import ENDED
from imaginem.runtime import Runtime
from imaginem.usecases.admission import Admission
from imaginem.usecases.budgets import set_budget
from imaginem.usecases.progress import BatchProgress, as_json
from imaginem.usecases.submit import new_batch

_NOBODY_WORKS = (
    "nothing has touched these jobs for {seconds:.0f} s: is `imaginem start` running on the same "
    "storage?"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("submit")(submit)


def submit(
    photos: Annotated[list[str], typer.Argument(metavar="PATH|DIR|URL...")],
    batch: Annotated[str, typer.Option(help="Batch id; a new one by default.")] = "",
    pipeline: Annotated[
        str, typer.Option(help="Steps, commas between; those they require are added.")
    ] = "",
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Take the steps as they are given; others are other apps'."),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STEP.NAME=VALUE", help="Say something to a step."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also photos whose jobs have ended in this batch."),
    ] = False,
    forecast_: Annotated[
        bool, typer.Option("--forecast", help="Tell what it would cost, and send nothing.")
    ] = False,
    budget: Annotated[
        str, typer.Option(metavar="USD", help="Pause the batch when it has spent this much.")
    ] = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Show progress until all have ended.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 3600,
    as_json_: Json = False,
    app: App = Path(),
) -> None:
    """Upload photos and put one job for each on the first queue, unless it is in the batch."""
    with exit_on_error():
        runtime = make_runtime(app)
        registry = load_registry(app)
        given = [name.strip() for name in pipeline.split(",") if name.strip()]
        steps = given if raw else whole_pipeline(given, registry)
        steps = steps or list(runtime.settings.pipeline)
        for warning in check_pipeline_steps(steps, registry):
            err.print(f"[yellow]note:[/] {warning}", soft_wrap=True)
        parameters = said_to_steps(set_ or (), steps, registry)
        batch_id = batch or new_batch()
        found = find_sources(photos)
        found.tell()
        if forecast_:
            tell_forecast(runtime, registry, found, steps, as_json=as_json_)
            return
        tell_receivers(runtime)
        if budget:
            set_budget(runtime, batch_id, read_usd(budget))
        submitted, barred = submit_each(
            runtime,
            track(found.photos, "uploading", console=err, disable=len(found.photos) < 5),
            batch_id,
            steps,
            again=again,
            parameters=parameters,
        )
        for problem in barred:
            err.print(f"[bold red]error:[/] {escape(problem)}", soft_wrap=True)
        if not submitted:
            raise typer.Exit(int(Exit.FAILED))
        runs = {job.key[1]: job.run for _, job in submitted}
        ids = list(runs)
        if not as_json_:
            show_submitted(submitted, err if wait else out)
        if wait:
            progress = watch(
                runtime.log,
                batch_id,
                runs,
                err,
                timeout=timeout,
                is_paused=partial(is_paused, runtime, batch_id),
            )
            told = {**as_json(progress), **found.as_json()} if as_json_ else None
            _show_outcome(runtime, progress, ids, timeout, told)
        elif as_json_:
            each = [_told(source, job) for source, job in submitted]
            print_json({"batch_id": batch_id, "jobs": ids, "photos": each, **found.as_json()})
        else:
            sent = sum(job.sent for _, job in submitted)
            there = f", {len(submitted) - sent} already" if sent < len(submitted) else ""
            jobs = "1 job" if sent == 1 else f"{sent} jobs"
            line = f"{jobs} sent{there} in batch {batch_id}; see `imaginem status {batch_id}`"
            out.print(line, soft_wrap=True)
        if barred:
            raise typer.Exit(int(Exit.FAILED))


def show_submitted(submitted: Sequence[tuple[Source, Admission]], console: Console) -> None:
    """Print which photos were there already, and which job is whose where names repeat."""
    names = Counter(source.name for source, _ in submitted)
    for source, job in submitted:
        line = f"{source.shown}: " + ("" if job.sent else f"already there ({job.state}), ")
        if not job.sent or names[source.name] > 1:
            line += f"job {job.key[1]}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if any(not job.sent and job.state in ENDED for _, job in submitted):
        console.print("with --again, those that have ended are sent once more", highlight=False)


def _told(source: Source, job: Admission) -> dict[str, Any]:
    return {
        "photo": source.shown,
        "original_name": source.name,
        "job_id": job.key[1],
        "sent": job.sent,
        "state": job.state,
    }


def _show_outcome(
    runtime: Runtime,
    progress: BatchProgress,
    ids: list[str],
    timeout: float,
    told: Mapping[str, Any] | None,
) -> None:
    """Print the results of the jobs that were waited for; exit with 1 unless all succeeded.

    Args:
        runtime: where the results are.
        progress: of the jobs.
        ids: of the jobs.
        timeout: seconds that were waited at most.
        told: what is printed as JSON; None for a table.
    """
    if told is not None:
        print_json(told)
    else:
        out.print(result_table(runtime, progress.batch_id, ids))
        tell_poisoned(runtime, progress, err)
    if not progress.jobs and not is_paused(runtime, progress.batch_id):
        fail(_NOBODY_WORKS.format(seconds=timeout))
    if progress.ended < len(ids) and tell_paused(runtime, progress.batch_id, err):
        raise typer.Exit(int(Exit.FAILED))
    if progress.ended < len(ids):
        fail(f"{len(ids) - progress.ended} jobs have not ended within {timeout:.0f} s")
    if any(state not in ("succeeded", "handed_over") for state in progress.jobs.values()):
        raise typer.Exit(int(Exit.FAILED))
