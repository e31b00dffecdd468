"""A batch's progress: how many of its jobs are in which state, by step, from `pipelinelogs`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from imaginem.pipeline.progress_row import ProgressRow, progress_properties
from imaginem.pipeline.states import ENDED, StepState
from imaginem.ports import JobLog
from imaginem.usecases.reasons import told

_DONE = (StepState.SUCCESS, StepState.FAILED, StepState.SKIPPED, StepState.POISONED)


@dataclass(frozen=True)
class StepCount:
    """How many of a batch's jobs are in which state at one step."""

    name: str
    states: Counter[StepState] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Number of jobs for which the step has ended, well or not."""
        return sum(self.states[state] for state in _DONE)

    @property
    def jobs(self) -> int:
        """Number of jobs that have begun and have the step in their pipeline."""
        return self.states.total()


@dataclass(frozen=True)
class BatchProgress:
    """The progress of a batch.

    Attributes:
        batch_id: of the batch.
        jobs: state of each job that has begun, by job id; see `with_waiting`.
        steps: counts of each step, in the order of the pipeline.
        problems: job id, step and reason of each step that failed or was skipped, as people
            read them.
        begun: number of jobs that have begun: of others it is not known which steps they have.
    """

    batch_id: str
    jobs: Mapping[str, str]
    steps: list[StepCount]
    problems: list[tuple[str, str, str]]
    begun: int = 0

    @property
    def ended(self) -> int:
        """Number of jobs that have ended."""
        return sum(state in ENDED for state in self.jobs.values())


def summarise(batch_id: str, rows: Iterable[ProgressRow]) -> BatchProgress:
    """Count the rows of a batch's jobs."""
    jobs: dict[str, str] = {}
    steps: dict[str, StepCount] = {}
    problems: list[tuple[str, str, str]] = []
    for row in rows:
        jobs[row.job_id] = row.job_state
        for name in row.pipeline:
            steps.setdefault(name, StepCount(name)).states[row.state_of(name)] += 1
        problems += [(row.job_id, name, told(reason)) for name, reason in row.problems()]
    return BatchProgress(batch_id, jobs, list(steps.values()), problems, len(jobs))


def with_waiting(progress: BatchProgress, working: Mapping[str, str]) -> BatchProgress:
    """Return progress with the jobs that wait for their first step, too.

    Args:
        progress: of the jobs that have begun.
        working: states of the batch's jobs that have not ended; `queued` before the first step.
    """
    return replace(progress, jobs={**progress.jobs, **working})


def read_batch(log: JobLog, batch_id: str, names: set[str]) -> list[ProgressRow]:
    """Return the rows of a batch's jobs, without the outputs of their steps.

    Args:
        log: the table that is read.
        batch_id: of the batch.
        names: names of the queues that jobs visit, as far as they are known; further ones that
            the rows name are added.
    """
    while True:
        entries = log.batch(batch_id, only=progress_properties(names))
        rows = [ProgressRow(entry) for entry in entries]
        visited = {name for row in rows for name in row.pipeline}
        if visited <= names:
            return rows
        names |= visited


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
