"""Results of jobs."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from imaginem.errors import Conflict
from imaginem.ports.erasing import Erasable
from imaginem.ports.storage import JobKey


@dataclass(frozen=True)
class JobResult:
    """A job as SQL keeps it; `job_output` has every linked output inlined.

    Attributes:
        run: id of the run of the job that made it; empty if it is not known.
        made: what outputs were made of, by step, so that they may be reused.
    """

    batch_id: str
    id: str
    processing_pipeline: Sequence[str]
    image_url: str
    image_parameters: Any
    job_output: Mapping[str, Any]
    photo_url: str = ""
    unsuccessful: Sequence[str] = ()
    timestamp: datetime | None = None
    run: str = ""
    made: Mapping[str, str] = field(default_factory=dict)


class ResultOfAnotherRun(Conflict):
    """A job's result is another run's, which may be a later one.

    Attributes:
        run: id of that run.
    """

    def __init__(self, run: str) -> None:
        super().__init__(f"the job's result is that of the run {run}")
        self.run = run


class Results(Erasable, Protocol):
    """The table `pipeline_output`, and what search needs."""

    def save(self, result: JobResult, *, replaces: str = "") -> None:
        """Write a job's result; the same run again replaces it.

        Args:
            result: replaces any other one if it names no run.
            replaces: id of an earlier run, whose result it takes the place of.

        Raises:
            ResultOfAnotherRun: there is a result of neither run.
            JobErased: its run was erased.
        """

    def reusable(self, batch_id: str, step: str, made: str) -> Any:
        """Return the output that a step has made of the same for a job of the batch's group.

        Args:
            batch_id: of the job that it is for.
            step: name of the step.
            made: what the output must have been made of.

        Returns:
            The latest such output, as a JSON value; None if there is none.
        """

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove a job's result if it is of one of these runs, or names none."""

    def drop_faces(self, key: JobKey, face_ids: Collection[uuid.UUID]) -> None:
        """Remove erased faces from a job's result; its moment stays.

        What is in the result is reused for no other job from then on.
        """

    def read(self, key: JobKey) -> JobResult | None:
        """Return a job's result."""

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Return a batch's results, by job id."""

    def finished(self, batch_id: str) -> list[str]:
        """Return the ids of a batch's jobs that have a result, sorted."""
