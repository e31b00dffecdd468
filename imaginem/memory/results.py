"""In-memory fake of the results."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from imaginem.memory.database import MemoryDatabase
from imaginem.memory.erased_runs import MemoryErasedRuns
from imaginem.ports import JobKey, JobResult, ResultOfAnotherRun
from imaginem.ports.erasing import without_faces


class MemoryResults:
    """`pipeline_output` in memory; labels are read from the outputs when needed."""

    holds = ("pipeline_output", "photo_label", "photo_fact", "reusable_output")

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()
        self._erased = MemoryErasedRuns(self._database)

    def save(self, result: JobResult, *, replaces: str = "") -> None:
        """Write a result, unless there is one of another run."""
        with self._erased.writing((result.batch_id, result.id), result.run):
            self._save(result, replaces)

    def _save(self, result: JobResult, replaces: str) -> None:
        there = self.read((result.batch_id, result.id))
        if there is not None and result.run and there.run not in ("", result.run, replaces):
            raise ResultOfAnotherRun(there.run)
        self._database.note_batch(result.batch_id)
        kept = replace(result, timestamp=self._database.now())
        self._database.results[result.batch_id, result.id] = kept

    def drop_faces(self, key: JobKey, face_ids: Collection[uuid.UUID]) -> None:
        """Remove faces from the matches in a result."""
        with self._database.lock:
            result = self._database.results.get(key)
            if result is not None:
                kept = without_faces(result.job_output, face_ids)
                self._database.results[key] = replace(result, job_output=kept, made={})

    def read(self, key: JobKey) -> JobResult | None:
        """Read a result."""
        return self._database.results.get(key)

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Read a batch."""
        rows = sorted(self._database.results.items())
        return iter([result for key, result in rows if key[0] == batch_id])

    def finished(self, batch_id: str) -> list[str]:
        """List jobs that have a result."""
        return sorted(key[1] for key in self._database.results if key[0] == batch_id)

    def reusable(self, batch_id: str, step: str, made: str) -> Any:
        """Find an output of the same group."""
        groups = {name: batch.group for name, batch in self._database.opened.items()}
        found = [
            result
            for result in self._database.results.values()
            if result.made.get(step) == made
            and groups.get(result.batch_id, "") == groups.get(batch_id, "")
        ]
        oldest = datetime.min.replace(tzinfo=UTC)
        latest = max(found, key=lambda result: result.timestamp or oldest, default=None)
        return None if latest is None else latest.job_output.get(step)

    def erase(self, key: JobKey) -> None:
        """Remove a result."""
        self._database.results.pop(key, None)

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove a result of some runs."""
        with self._database.lock:
            there = self._database.results.get(key)
            if there is not None and there.run in {"", *runs}:
                self.erase(key)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's results."""
        for job_id in job_ids:
            self.erase((batch_id, job_id))
