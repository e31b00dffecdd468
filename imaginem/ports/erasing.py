"""Stores from which a job's data can be erased."""

from collections.abc import Collection, Sequence
from typing import Protocol

from imaginem.ports.storage import JobKey


class Erasable(Protocol):
    """A store that keeps something of a job.

    An erasure may be interrupted and is then done again from the start, so both methods
    do nothing where nothing is left.
    """

    @property
    def holds(self) -> Sequence[str]:
        """Return the tables, containers and folders from which this erases a job's data."""

    def erase(self, key: JobKey) -> None:
        """Remove everything that is kept of a job."""

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove everything that is kept of a batch.

        Args:
            batch_id: of the batch.
            job_ids: its jobs as far as they are known; a store that can find a batch's
                entries by itself removes those of unknown jobs too.
        """
