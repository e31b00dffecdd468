"""In-memory fake of the outputs from before a rerun."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace

from imaginem.memory.database import MemoryDatabase
from imaginem.memory.erased_runs import MemoryErasedRuns
from imaginem.ports import EARLIER_KEPT, EarlierOutput, JobKey
from imaginem.ports.erasing import without_faces


class MemoryEarlierOutputs:
    """`earlier_output` in memory."""

    holds = ("earlier_output",)

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def keep(self, output: EarlierOutput, *, run: str = "") -> None:
        """Keep an output."""
        key = (output.batch_id, output.job_id)
        with MemoryErasedRuns(self._database).writing(key, run):
            others = [each for each in self.of_job(key) if each.made != output.made]
            kept = sorted([output, *others], key=lambda each: each.made, reverse=True)
            self._database.earlier[key] = kept[:EARLIER_KEPT]

    def drop_faces(self, key: JobKey, face_ids: Collection[uuid.UUID]) -> None:
        """Remove faces from the matches in earlier outputs."""
        with self._database.lock:
            self._database.earlier[key] = [
                replace(each, job_output=without_faces(each.job_output, face_ids))
                for each in self.of_job(key)
            ]

    def of_job(self, key: JobKey) -> Sequence[EarlierOutput]:
        """List a job's outputs."""
        return self._database.earlier.get(key, [])

    def erase(self, key: JobKey) -> None:
        """Remove a job's outputs."""
        self._database.earlier.pop(key, None)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's outputs."""
        for key in [key for key in self._database.earlier if key[0] == batch_id]:
            self.erase(key)
