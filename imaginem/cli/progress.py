"""A batch's progress as a table, shown once or live."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from imaginem.cli.shared import err, out, print_json
from imaginem.cli.terminal import visible
from imaginem.pipeline.gathering import company
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import StepState
from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices, JobLog, Services
from imaginem.redaction import redact_shown
from imaginem.usecases.jobs import JobView, told_of
from imaginem.usecases.progress import BatchProgress, read_batch, summarise, with_waiting
from imaginem.usecases.unseen import unseen_in
from imaginem.usecases.waiting import without_result

_COLORS = {
    "succeeded": "green",
    "partial": "yellow",
    "failed": "red",
    "handed_over": "cyan",
    "running": "blue",
}


def tell_unfinished(services: DashboardServices, batch: str, shown: set[str]) -> None:
    """Say how many photos of a batch have no result, so that nobody takes those shown for all."""
    left = len(without_result(services, batch, shown))
    if left:
        what = "1 photo has" if left == 1 else f"{left} photos have"
        err.print(
            f"[yellow]note:[/] {what} no result: see `imaginem status {escape(batch)}`",
            soft_wrap=True,
            highlight=False,
        )


def show_job(
    row: ProgressRow,
    json_wanted: bool,
    name: str = "",
    gathers: str = "",
    unseen: Sequence[str] = (),
) -> None:
    """Print a job in detail.

    Args:
        row: of the job.
        json_wanted: whether it is printed as JSON.
        name: of its photo.
        gathers: how its current step stands, if it waits there for others.
        unseen: what of its photo's file nobody has looked at.
    """
    if json_wanted:
        named = {"original_name": name} if name else {}
        print_json({**redact_shown(row.as_json()), **named, "not_seen": list(unseen)})
        return
    table = Table("step", "state", "reason", box=None, padding=(0, 1))
    for step in row.pipeline:
        state = gathers if gathers and step == row.current else row.state_of(step)
        table.add_row(step, state, escape(told_of(row, step)))
    title = f"{row.job_id}: {row.job_state}"
    out.print(title, highlight=False, markup=False)
    if name:
        out.print(f"photo {name}", highlight=False, markup=False, soft_wrap=True)
    if row.dropped is not None:
        out.print(f"dropped as {row.dropped.source}", highlight=False, markup=False, soft_wrap=True)
    if row.replaced:
        out.print(f"another photo was found in its place at {row.replaced}", highlight=False)
    _say(unseen)
    out.print(table)


def who_waits(services: Services, row: ProgressRow, registry: Callable[[], Registry]) -> str:
    """Return with how many others a job waits, or is worked on, at a step over several photos."""
    step = row.current
    if not step or row.state_of(step) is not StepState.GATHERING:
        return ""
    together = company(services.shared_state, row.key[0]).get((step, row.job_id))
    if together is None:
        return "at work, with others"
    known = registry().as_set(services.core_settings)
    size = known.get(step).group if step in known else 0
    return f"gathering, {min(together, size or together)} of {size or '?'}"


def render(progress: BatchProgress, expected: int, problems: int = 10) -> Group:
    """Return progress as a table with a bar for each step.

    Args:
        progress: of the batch.
        expected: number of jobs submitted, of which some may not have begun.
        problems: most problems that are listed below the table.
    """
    total = max(expected, len(progress.jobs))
    states = Counter(progress.jobs.values())
    parts = [
        f"[{_COLORS.get(state, 'white')}]{count} {state}[/]" for state, count in states.items()
    ]
    line = Text.from_markup(
        f"{progress.ended}/{total} jobs ended: " + (", ".join(parts) or "none yet")
    )
    reasons = [
        Text.assemble("  ", (visible(job), "red"), visible(f" {step}: {reason}"))
        for job, step, reason in progress.problems[:problems]
    ]
    reasons += [
        Text(f"  {visible(step.name)}: {count} {'waits' if count == 1 else 'wait'} for others")
        for step in progress.steps
        if (count := step.states[StepState.GATHERING])
    ]
    if len(progress.problems) > problems:
        reasons.append(Text(f"  … and {len(progress.problems) - problems} more"))
    return Group(_step_table(progress, total), line, *reasons)


def _step_table(progress: BatchProgress, total: int) -> Table:
    """Return a table with a bar for each step; jobs that have not begun may have every step."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("step")
    table.add_column("", width=28)
    table.add_column("ended", justify="right")
    table.add_column("failed", justify="right")
    table.add_column("skipped", justify="right")
    for step in progress.steps:
        failed = step.states[StepState.FAILED] + step.states[StepState.POISONED]
        most = step.jobs + total - progress.begun
        table.add_row(
            step.name,
            ProgressBar(total=most, completed=step.done, width=28),
            f"{step.done}/{most}",
            f"[red]{failed}[/]" if failed else "0",
            str(step.states[StepState.SKIPPED]),
        )
    return table


def watch(
    log: JobLog,
    batch_id: str,
    runs: Mapping[str, str] | None,
    console: Console,
    *,
    timeout: float | None = None,
    stop: threading.Event | None = None,
    waiting: Callable[[Sequence[ProgressRow]], Mapping[str, str]] = lambda _: {},
    is_paused: Callable[[], bool] = lambda: False,
) -> BatchProgress:
    """Show progress live until every job has ended, and return it.

    Args:
        log: the table that is read.
        batch_id: of the batch.
        runs: the jobs to wait for, each with the id of the message that started its run; None
            for all jobs of the batch that have a row.
        console: where to show it.
        timeout: seconds after which to return anyway; None to wait for any time.
        stop: event that makes it return.
        waiting: returns the states of jobs that have not ended, by the rows of the batch.
        is_paused: tells whether the batch is paused, which makes it return, too.
    """
    started = time.monotonic()
    names: set[str] = set()
    with (
        _ending_its_line(console),
        Live(console=console, refresh_per_second=8, transient=False) as live,
    ):
        while True:
            rows = read_batch(log, batch_id, names)
            shown = (row for row in rows if runs is None or _is_of_run(row, runs))
            progress = with_waiting(summarise(batch_id, shown), waiting(rows))
            expected = len(runs) if runs is not None else len(progress.jobs)
            live.update(render(progress, expected))
            late = timeout is not None and time.monotonic() - started > timeout
            stopped = stop is not None and stop.is_set()
            if (progress.jobs and progress.ended >= expected) or late or stopped or is_paused():
                return progress
            time.sleep(0.25)


@contextmanager
def _ending_its_line(console: Console) -> Iterator[None]:
    """End the last line of what is shown live: rich does so on a terminal alone."""
    try:
        yield
    finally:
        if not console.is_terminal:
            console.line()


def show_view(job: JobView, json_wanted: bool) -> None:
    """Print a job that has no row: it waits for its first step, or only its result is left."""
    if json_wanted:
        told = {"batch_id": job.batch_id, "job_id": job.job_id, "job_state": job.state}
        steps = {step.name: step.state for step in job.steps}
        print_json({**told, "steps": steps, "not_seen": unseen_in(job.outputs)})
        return
    out.print(f"{job.job_id}: {job.state}", highlight=False, markup=False)
    _say(unseen_in(job.outputs))
    table = Table("step", "state", box=None, padding=(0, 1))
    for step in job.steps:
        table.add_row(step.name, step.state)
    if job.steps:
        out.print(table)


def _say(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        out.print(sentence, highlight=False, markup=False, soft_wrap=True)


def _is_of_run(row: ProgressRow, runs: Mapping[str, str]) -> bool:
    """Tell whether a row is of the run that is waited for, or of a later one."""
    run = runs.get(row.job_id)
    return run is not None and row.has_begun(run)
