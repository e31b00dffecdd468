"""The landing in memory, for tests of what becomes of it when storage forgets."""

import hashlib
import itertools
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from imaginem.errors import NotFound
from imaginem.ports import Decision, JobKey, LandedJob


class MemoryLanding:
    """Landed jobs in memory. `saved` is what a test says that storage has saved."""

    holds = ("landing",)
    active = True

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._ids = itertools.count(1)
        self._jobs: dict[str, LandedJob] = {}
        self._photos: dict[str, bytes] = {}
        self._decisions: dict[str, Decision] = {}
        self._stopped: datetime | None = None
        self.saved: datetime | None = None
        self.asked = 0

    def sending(self) -> AbstractContextManager[None]:
        """Let everybody send at any time: whoever shares this memory is one process."""
        return nullcontext()

    def land(self, job: LandedJob, photo: bytes | None = None) -> LandedJob:
        """Keep a job."""
        landed = replace(job, id=f"{next(self._ids):09}", at=self._clock())
        self._jobs[landed.id], self._photos[landed.id] = landed, photo or b""
        return landed

    def sent(self, job: LandedJob, run: str) -> None:
        """Note the run."""
        if job.id in self._jobs:
            self._jobs[job.id] = replace(self._jobs[job.id], run=run)

    def jobs(self) -> list[LandedJob]:
        """Return the landed jobs."""
        return [self._jobs[name] for name in sorted(self._jobs)]

    def photo(self, job: LandedJob) -> bytes:
        """Return a photo's bytes."""
        data = self._photos.get(job.id)
        if data is None or job.photo is None:
            raise NotFound(f"the landed photo of job {job.key[1]} is gone")
        if hashlib.sha256(data).hexdigest() != job.photo.sha256:
            raise NotFound(f"the landed photo of job {job.key[1]} is not whole")
        return data

    def remove(self, job: LandedJob) -> None:
        """Remove an entry."""
        self._jobs.pop(job.id, None)
        self._photos.pop(job.id, None)

    def decide(self, decision: Decision) -> Decision:
        """Keep a decision."""
        landed = replace(decision, id=f"{next(self._ids):09}", at=self._clock())
        self._decisions[landed.id] = landed
        return landed

    def decisions(self) -> list[Decision]:
        """Return the decisions."""
        return [self._decisions[name] for name in sorted(self._decisions)]

    def settle(self, decision: Decision) -> None:
        """Remove a decision."""
        self._decisions.pop(decision.id, None)

    def ask_storage(self) -> None:
        """Count how often it was asked."""
        self.asked += 1

    def saved_until(self) -> datetime | None:
        """Return what the test says, or when storage stopped."""
        moments = [moment for moment in (self.saved, self._stopped) if moment is not None]
        return max(moments, default=None)

    def storage_stopped(self) -> None:
        """Keep the moment."""
        self._stopped = self._clock()

    def stopped_at(self) -> datetime | None:
        """Return the moment."""
        return self._stopped

    def storage_starts(self) -> None:
        """Do nothing."""

    def storage_started(self) -> None:
        """Forget the moment."""
        self._stopped = None

    def erase(self, key: JobKey) -> None:
        """Remove a job's entries."""
        for job in self.jobs():
            if job.key == key:
                self.remove(job)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's entries."""
        for job in self.jobs():
            if job.key[0] == batch_id:
                self.remove(job)
