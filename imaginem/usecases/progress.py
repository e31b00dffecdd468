"""A batch's progress, from `pipelinelogs`, counted by step."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from imaginem.pipeline.progress_row import (
    ENDED,
    JobState,
    ProgressRow,
    StepState,
    progress_properties,
)
from imaginem.ports import JobLog

_DONE = (StepState.SUCCESS, StepState.FAILED, StepState.SKIPPED, StepState.POISONED)


@dataclass(frozen=True)
class StepCount:
    """How many of a batch's jobs a step has done, and how they stand."""

    name: str
    states: Counter[StepState] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Jobs that the step is through with."""
        return sum(self.states[state] for state in _DONE)


@dataclass(frozen=True)
class BatchProgress:
    """How a batch stands."""

    batch_id: str
    jobs: dict[str, JobState]
    steps: list[StepCount]
    problems: list[tuple[str, str, str]]

    @property
    def ended(self) -> int:
        """Jobs that have ended."""
        return sum(state in ENDED for state in self.jobs.values())


def summarise(batch_id: str, rows: Iterable[ProgressRow]) -> BatchProgress:
    """Return how a batch stands."""
    jobs: dict[str, JobState] = {}
    steps: dict[str, StepCount] = {}
    problems: list[tuple[str, str, str]] = []
    for row in rows:
        jobs[row.job_id] = row.job_state
        for name in row.pipeline:
            steps.setdefault(name, StepCount(name)).states[row.state_of(name)] += 1
        problems += [(row.job_id, name, reason) for name, reason in row.problems()]
    return BatchProgress(batch_id, jobs, list(steps.values()), problems)


def read_batch(log: JobLog, batch_id: str, names: set[str]) -> list[ProgressRow]:
    """Return what progress needs of a batch's rows, and not what its steps found.

    Args:
        log: to read from.
        batch_id: of the batch.
        names: queues known so far; those of newly seen pipelines are added.
    """
    while True:
        entries = log.batch(batch_id, only=progress_properties(names))
        rows = [ProgressRow(entry) for entry in entries]
        seen = {name for row in rows for name in row.pipeline}
        if seen <= names:
            return rows
        names |= seen


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
