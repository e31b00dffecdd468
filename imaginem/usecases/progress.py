"""A batch's progress, from `pipelinelogs`, counted by step."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from imaginem.names import property_name
from imaginem.ports import JobLog, LogEntry

_ALWAYS = ("job_state", "processing_pipeline", "imaginem_run", "imaginem_previous_runs")
ENDED = ("succeeded", "partial", "failed", "handed_over", "cancelled")


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


def has_begun(entry: LogEntry, run: str) -> bool:
    """Tell whether an entity is of a run, or of a later one of the same job."""
    known = (entry.properties.get("imaginem_run"), entry.properties.get("imaginem_previous_runs"))
    if not known[0]:  # it was poisoned before it could begin
        return True
    return run in f"{known[0]} {known[1]}".split()
