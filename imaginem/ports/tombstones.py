"""What tells that a job was erased, once nothing else of it is left."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from imaginem.ports.storage import JobKey


class JobErased(Exception):
    """The job was erased: nobody may do anything more for that run of it."""


class Tombstones(Protocol):
    """The table `pipelinetombstones`: marks, named by keyed hashes, with storage's time."""

    def lay(self, batch: str, marks: Collection[str]) -> None:
        """Write marks of a batch; one that is there gets the time of now."""

    def lift(self, batch: str, marks: Collection[str]) -> None:
        """Remove marks of a batch if they exist."""

    def find(self, batch: str, marks: Collection[str]) -> Mapping[str, datetime]:
        """Return those of these marks that there are, and when each was laid: one call."""

    def all(self) -> Iterator[tuple[str, str, datetime]]:
        """Return batch, mark and time of every mark, a page at a time."""

    def restore(self, marks: Iterable[tuple[str, str, datetime]]) -> None:
        """Write marks with their times; one that is there keeps the later time."""

    def settle(self) -> None:
        """Wait until a message's time tells that it was put after the marks that we have laid."""


class ErasedJobs(Protocol):
    """Which runs and jobs were erased; jobs and runs are named by keyed hashes alone."""

    def covers(self, key: JobKey, runs: Collection[str], put: datetime | None) -> bool:
        """Tell whether a message is of something that was erased: one storage call.

        Args:
            key: of its job.
            runs: those that it is of, or stands for.
            put: when it was put on its queue; None if that is not known.
        """

    def are_known(self) -> bool:
        """Tell, without a call, whether this process knows that anything was ever erased."""

    def begin(self, batch_id: str, job_ids: Collection[str], *, whole: bool = False) -> None:
        """Commit that jobs, or a whole batch, are erased; from now on their messages are dropped.

        Messages that are put on a queue after this are dropped only if `add_runs` names their run.
        """

    def add_runs(self, batch_id: str, runs: Mapping[str, Collection[str]]) -> None:
        """Commit runs of jobs, by job id, as erased."""

    def end(self, batch_id: str, job_ids: Collection[str], *, whole: bool = False) -> None:
        """Note that nothing is left of what `begin` named."""

    def is_begun(self, batch_id: str, job_id: str = "") -> bool:
        """Tell whether an erasure of a batch, or of a job, was begun and has not ended."""

    def all(self) -> Iterator[tuple[str, str, datetime]]:
        """Return batch, mark and time of every tombstone."""

    def key(self) -> str:
        """Return the key by which tombstones are matched; empty if nothing was ever erased."""

    def restore(self, secret: str, marks: Iterable[tuple[str, str, datetime]]) -> None:
        """Add tombstones of a backup, laid with this key, which becomes ours if we have none.

        Raises:
            PermanentError: we have another key.
        """

    def settle(self) -> None:
        """Wait until jobs that are sent again can be told from those that were erased."""

    def mark(self, *words: str) -> str:
        """Return what stands for some words wherever it is kept that something was erased.

        A keyed hash: without the key of the tombstones nobody can tell whom it names.
        """


class ErasedRuns(Protocol):
    """The table `erased_run`: what is written to SQL for a run is refused once it is there."""

    def lay(self, batch_id: str, runs: Mapping[str, Collection[str]]) -> None:
        """Commit runs of a batch's jobs, by job id, as erased: before anything is deleted.

        When this returns, whatever was written for them is committed, and nothing more will be.
        """

    def all(self) -> Collection[str]:
        """Return what stands for each run that was erased: keyed hashes."""

    def restore(self, marks: Iterable[str]) -> None:
        """Add runs that a backup did not have; nothing may be at work."""
