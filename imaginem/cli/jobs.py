"""`imaginem submit`, `status` and `results`: send photos, follow their jobs, show the results."""

import shlex
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from imaginem.cli.comparison import as_json as as_json_of
from imaginem.cli.comparison import comparisons, show_comparisons
from imaginem.cli.costs import tell_forecast
from imaginem.cli.intake import (
    Source,
    check_pipeline_steps,
    find_sources,
    said_to_steps,
    submit_each,
    tell_receivers,
    whole_pipeline,
)
from imaginem.cli.own_outputs import own_tables, row_table
from imaginem.cli.pausing import as_told, is_paused, read_usd, tell_paused
from imaginem.cli.progress import render, show_job, show_view, tell_unfinished, watch, who_waits
from imaginem.cli.report import photo_link, result_json, result_table
from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    Purpose,
    err,
    exit_on_error,
    fail,
    known_steps,
    load_registry,
    make_runtime,
    out,
    print_json,
)
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.states import ENDED, JobState
from imaginem.ports import AuditDeed, AuditSubject, PoisonFilter, Services
from imaginem.runtime import Runtime
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.admission import Admission
from imaginem.usecases.at_work import at_work
from imaginem.usecases.audit.acting import note, state_purpose
from imaginem.usecases.budgets import set_budget
from imaginem.usecases.jobs import photo_name, view_job
from imaginem.usecases.progress import (
    BatchProgress,
    as_json,
)
from imaginem.usecases.submit import new_batch
from imaginem.usecases.waiting import progress_of

_POISON_COUNTED = 100

_NOBODY_WORKS = (
    "nothing has touched these jobs for {seconds:.0f} s: is `imaginem start` running on the same "
    "storage?"
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("submit")(submit)
    app.command("status")(status)
    app.command("results")(results)


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
        sources = find_sources(photos)
        if forecast_:
            tell_forecast(runtime, len(sources), steps, as_json=as_json_)
            return
        tell_receivers(runtime)
        if budget:
            set_budget(runtime, batch_id, read_usd(budget))
        submitted, barred = submit_each(
            runtime,
            track(sources, "uploading", console=err, disable=len(sources) < 5),
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
            _show_outcome(runtime, progress, ids, timeout, as_json_)
        elif as_json_:
            told = [_told(source, job) for source, job in submitted]
            print_json({"batch_id": batch_id, "jobs": ids, "photos": told})
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
    runtime: Runtime, progress: BatchProgress, ids: list[str], timeout: float, json_wanted: bool
) -> None:
    """Print the results of the jobs that were waited for; exit with 1 unless all succeeded."""
    if json_wanted:
        print_json(as_json(progress))
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


def status(
    batch: Annotated[str, typer.Argument(metavar="BATCH")],
    job: Annotated[str, typer.Argument(metavar="[JOB]")] = "",
    watch_: Annotated[
        bool, typer.Option("--watch", help="Keep showing it until all ended.")
    ] = False,
    as_json_: Json = False,
    app: App = Path(),
) -> None:
    """Show how far a batch has come by step, or one job in detail."""
    with exit_on_error():
        runtime = make_runtime(app)
        if job:
            row = read_row(runtime.log, (batch, job))
            if row is None:  # it waits for its first step, or only its result is left
                show_view(view_job(runtime, (batch, job), EVERYTHING), as_json_)
                return
            note(runtime, AuditDeed.VIEWED, AuditSubject.JOB, batch, job)
            sent = runtime.submissions.submission((batch, job))
            name = photo_name(sent.parameters, "") if sent else ""
            name = photo_name(sent.parameters, "") if sent else ""
            show_job(row, as_json_, name, who_waits(runtime, row, partial(load_registry, app)))
            own = None if as_json_ else row_table(row, runtime.blobs, known_steps(app))
            if own is not None:
                out.print(own)
            return
        if watch_:
            note(runtime, AuditDeed.VIEWED, AuditSubject.BATCH, batch)
            watch(
                runtime.log,
                batch,
                None,
                out,
                waiting=partial(at_work, runtime, batch),
                is_paused=partial(is_paused, runtime, batch),
            )
            tell_paused(runtime, batch, out)
            return
        progress = progress_of(runtime, batch)
        if not progress.jobs and runtime.batches.batch(batch) is not None:
            fail(f"no progress of batch {batch} is kept; see `imaginem results {batch}`")
        if not progress.jobs:
            fail(f"there is no batch {batch}")
        note(runtime, AuditDeed.VIEWED, AuditSubject.BATCH, batch)
        if as_json_:
            print_json({**as_json(progress), "paused": as_told(runtime.pauses.pause_of(batch))})
        else:
            out.print(render(progress, len(progress.jobs), problems=50))
            tell_paused(runtime, batch, out)
            tell_poisoned(runtime, progress, out)


def tell_poisoned(services: Services, progress: BatchProgress, console: Console) -> None:
    """Say how to see what was kept of jobs that failed, if anything was."""
    well = (JobState.SUCCEEDED, JobState.HANDED_OVER, JobState.CANCELLED)
    if all(state in well for state in progress.jobs.values()):
        return
    kept = services.poison.count(PoisonFilter(batch_id=progress.batch_id), _POISON_COUNTED)
    if kept:
        more = "+" if kept == _POISON_COUNTED else ""
        what = "1 message that" if kept == 1 else f"{kept}{more} messages that"
        command = f"imaginem poison list --batch {shlex.quote(progress.batch_id)}"
        console.print(
            f"{what} can be replayed: `{command}`", markup=False, highlight=False, soft_wrap=True
        )


def results(
    batch: Annotated[str, typer.Argument(metavar="BATCH")],
    job: Annotated[str, typer.Argument(metavar="[JOB]")] = "",
    as_json_: Json = False,
    links: Annotated[
        bool, typer.Option("--links", help="Give each photo a link that opens it for 15 minutes.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="What changed in jobs that were run again.")
    ] = False,
    purpose: Purpose = "",
    app: App = Path(),
) -> None:
    """Show what was found in a batch's photos, or in one."""
    with exit_on_error():
        runtime = make_runtime(app)
        state_purpose(purpose)
        deed = AuditDeed.DOWNLOADED if links else AuditDeed.VIEWED
        note(runtime, deed, AuditSubject.BATCH, batch)
        saved = [each for each in runtime.results.batch(batch) if job in ("", each.id)]
        if not saved:
            what = f"job {job} in batch {batch}" if job else f"batch {batch}"
            fail(f"there are no results of {what}; see `imaginem status {batch}`")
        if not job:
            tell_unfinished(runtime, batch, {result.id for result in saved})
        if compare:
            ids = [result.id for result in saved]
            if as_json_:
                print_json([as_json_of(each) for each in comparisons(runtime, batch, ids)])
            else:
                show_comparisons(runtime, batch, ids)
            return
        if as_json_:
            print_json([result_json(runtime, result, links=links) for result in saved])
        else:
            out.print(result_table(runtime, batch, [result.id for result in saved]))
            for table in own_tables(saved, known_steps(app), out.width):
                out.print(table)
            for result in saved if links else ():
                line = f"{result.id}: {photo_link(runtime, result) or 'no photo'}"
                out.print(line, markup=False, highlight=False, soft_wrap=True)
