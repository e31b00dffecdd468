"""Results of jobs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from imaginem.ports.erasing import Erasable
from imaginem.ports.storage import JobKey


@dataclass(frozen=True)
class JobResult:
    """A job as SQL keeps it; `job_output` has every linked output inlined."""

    batch_id: str
    id: str
    processing_pipeline: Sequence[str]
    image_url: str
    image_parameters: Any
    job_output: Mapping[str, Any]
    photo_url: str = ""
    unsuccessful: Sequence[str] = ()
    timestamp: datetime | None = None


class Results(Erasable, Protocol):
    """The table `pipeline_output`, and what search needs."""

    def save(self, result: JobResult) -> None:
        """Write a job's result; the same job again replaces it."""

    def read(self, key: JobKey) -> JobResult | None:
        """Return a job's result."""

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Return a batch's results, by job id."""

    def finished(self, batch_id: str) -> list[str]:
        """Return the ids of a batch's jobs that have a result, sorted."""
