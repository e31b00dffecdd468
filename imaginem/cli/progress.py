"""A batch's progress, from `pipelinelogs`: counted by step, and shown live."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from imaginem.names import property_name
from imaginem.ports import JobLog, LogEntry

_ALWAYS = ("job_state", "processing_pipeline", "imaginem_run", "imaginem_previous_runs")
ENDED = ("succeeded", "partial", "failed", "handed_over", "cancelled")
_COLORS = {
    "succeeded": "green",
    "partial": "yellow",
    "failed": "red",
    "handed_over": "cyan",
    "running": "blue",
}


@dataclass(frozen=True)
class StepCount:
    """How many of a batch's jobs a step has done, and how they stand."""

    name: str
    states: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Jobs that the step is through with."""
        return sum(self.states[s] for s in ("success", "failed", "skipped", "poisoned"))


@dataclass(frozen=True)
class BatchProgress:
    """How a batch stands."""

    batch_id: str
    jobs: dict[str, str]
    steps: list[StepCount]
    problems: list[tuple[str, str, str]]

    @property
    def ended(self) -> int:
        """Jobs that have ended."""
        return sum(state in ENDED for state in self.jobs.values())


def steps_of(entry: LogEntry) -> list[str]:
    """Return the queues of a job's pipeline."""
    return [
        name for name in str(entry.properties.get("processing_pipeline", "")).split(",") if name
    ]


def problems_of(entry: LogEntry) -> list[tuple[str, str]]:
    """Return the steps of a job that told a problem, and what."""
    told = ((s, entry.properties.get(_reason(s))) for s in steps_of(entry))
    return [(name, str(text)) for name, text in told if text]


def summarise(batch_id: str, entries: Iterable[LogEntry]) -> BatchProgress:
    """Return how a batch stands."""
    jobs: dict[str, str] = {}
    steps: dict[str, StepCount] = {}
    problems: list[tuple[str, str, str]] = []
    for entry in entries:
        jobs[entry.job_id] = str(entry.properties.get("job_state", "running"))
        for name in steps_of(entry):
            state = entry.state_of(property_name(name)) or "waiting"
            steps.setdefault(name, StepCount(name)).states[state] += 1
        problems += [(entry.job_id, name, text) for name, text in problems_of(entry)]
    return BatchProgress(batch_id, jobs, list(steps.values()), problems)


def read_batch(log: JobLog, batch_id: str, names: set[str]) -> list[LogEntry]:
    """Return what progress needs of a batch's entities, and not what its steps found.

    Args:
        names: queues known so far; those of newly seen pipelines are added.
    """
    while True:
        wanted = [p for name in names for p in (property_name(name), _reason(name))]
        entries = list(log.batch(batch_id, only=[*_ALWAYS, *wanted]))
        seen = {name for entry in entries for name in steps_of(entry)}
        if seen <= names:
            return entries
        names |= seen


def _reason(name: str) -> str:
    return f"{property_name(name)}_exception"


def as_json(progress: BatchProgress) -> dict[str, Any]:
    """Return progress as JSON values."""
    return {
        "batch_id": progress.batch_id,
        "jobs": progress.jobs,
        "steps": {step.name: dict(step.states) for step in progress.steps},
        "problems": [
            {"job": job, "step": step, "reason": reason} for job, step, reason in progress.problems
        ],
    }


def render(progress: BatchProgress, expected: int, problems: int = 10) -> Group:
    """Return progress as a table with a bar for each step."""
    total = max(expected, len(progress.jobs))
    table = Table(box=None, padding=(0, 1))
    table.add_column("step")
    table.add_column("", width=28)
    table.add_column("done", justify="right")
    table.add_column("failed", justify="right")
    table.add_column("skipped", justify="right")
    for step in progress.steps:
        failed = step.states["failed"] + step.states["poisoned"]
        table.add_row(
            step.name,
            ProgressBar(total=total, completed=step.done, width=28),
            f"{step.done}/{total}",
            f"[red]{failed}[/]" if failed else "0",
            str(step.states["skipped"]),
        )
    states = Counter(progress.jobs.values())
    parts = [
        f"[{_COLORS.get(state, 'white')}]{count} {state}[/]" for state, count in states.items()
    ]
    line = Text.from_markup(
        f"{progress.ended}/{total} jobs ended: " + (", ".join(parts) or "none yet")
    )
    told = [
        Text.from_markup(f"  [red]{escape(job)}[/] {escape(step)}: {escape(reason)}")
        for job, step, reason in progress.problems[:problems]
    ]
    return Group(table, line, *told)


def watch(
    log: JobLog,
    batch_id: str,
    runs: Mapping[str, str] | None,
    console: Console,
    *,
    timeout: float | None = None,
    stop: threading.Event | None = None,
) -> BatchProgress:
    """Show progress live until every wanted job has ended, and return it.

    Args:
        runs: the jobs to wait for, each with the id of the message that started it; None for
            the jobs that are there.
        timeout: seconds after which to stop anyway.
        stop: set to stop at once.
    """
    started = time.monotonic()
    names: set[str] = set()
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        while True:
            entries = read_batch(log, batch_id, names)
            progress = summarise(batch_id, (e for e in entries if runs is None or _is_of(e, runs)))
            expected = len(runs) if runs is not None else len(progress.jobs)
            live.update(render(progress, expected))
            late = timeout is not None and time.monotonic() - started > timeout
            asked = stop is not None and stop.is_set()
            if (progress.jobs and progress.ended >= expected) or late or asked:
                return progress
            time.sleep(0.25)


def _is_of(entry: LogEntry, runs: Mapping[str, str]) -> bool:
    """Tell whether an entity is of the run that was started, or of a later one."""
    run = runs.get(entry.job_id)
    known = (entry.properties.get("imaginem_run"), entry.properties.get("imaginem_previous_runs"))
    return run is not None and run in f"{known[0]} {known[1]}".split()
