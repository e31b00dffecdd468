"""`imaginem status` and `results`: follow jobs, show what was found."""

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from imaginem.cli.comparison import as_json as as_json_of
from imaginem.cli.comparison import comparisons, show_comparisons
from imaginem.cli.own_outputs import outputs_so_far, own_tables, row_table
from imaginem.cli.pausing import as_told, is_paused, tell_paused
from imaginem.cli.progress import render, show_job, show_view, tell_unfinished, watch, who_waits
from imaginem.cli.report import photo_link, result_json, result_table
from imaginem.cli.shared import (
    App,
    Json,
    Purpose,
    exit_on_error,
    fail,
    known_steps,
    load_registry,
    make_reader,
    make_runtime,
    out,
    print_json,
)
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.states import JobState
from imaginem.ports import AuditDeed, AuditSubject, PoisonFilter, Services
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.at_work import at_work
from imaginem.usecases.audit.acting import note, state_purpose
from imaginem.usecases.batches import batch_overview
from imaginem.usecases.jobs import photo_name, view_job
from imaginem.usecases.progress import BatchProgress, as_json
from imaginem.usecases.unseen import READERS, unseen_in
from imaginem.usecases.waiting import progress_of

_POISON_COUNTED = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("results")(results)


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
            unseen = unseen_in(outputs_so_far(row, runtime.blobs, READERS))
            gathers = who_waits(runtime, row, partial(load_registry, app))
            show_job(row, as_json_, name, gathers, unseen)
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
        runtime = make_reader(app)
        state_purpose(purpose)
        deed = AuditDeed.DOWNLOADED if links else AuditDeed.VIEWED
        note(runtime, deed, AuditSubject.BATCH, batch)
        saved = [each for each in runtime.results.batch(batch) if job in ("", each.id)]
        if not saved:
            batch_overview(runtime, batch)
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
