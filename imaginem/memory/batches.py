"""In-memory fakes of batches and submissions."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import PermanentError
from imaginem.memory.database import MemoryDatabase
from imaginem.ports import BatchInfo, BatchPage, Groups, JobKey, Submission
from imaginem.ports.cursors import cursor_to, read_cursor
from imaginem.ports.searchable import count_faces


class MemoryBatches:
    """Batches in memory."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def batches(self, groups: Groups, cursor: str = "", limit: int = 50) -> BatchPage:
        """List batches."""
        data = self._database
        rows = [
            batch
            for name, batch in data.opened.items()
            if name not in data.erased and data.may_see(name, groups)
        ]
        rows.sort(key=_place, reverse=True)
        if cursor:
            place = read_cursor(cursor)
            rows = [batch for batch in rows if _place(batch) < place]
        shown = rows[:limit]
        next_cursor = cursor_to(*_place(shown[-1])) if len(rows) > limit else ""
        return BatchPage([self._counted(batch) for batch in shown], next_cursor)

    def batch(self, batch_id: str) -> BatchInfo | None:
        """Read a batch."""
        batch = self._database.opened.get(batch_id)
        if batch is None or batch_id in self._database.erased:
            return None
        return self._counted(batch)

    def _counted(self, batch: BatchInfo) -> BatchInfo:
        name = batch.batch_id
        results = [row for key, row in self._database.results.items() if key[0] == name]
        return replace(
            batch,
            submitted=sum(key[0] == name for key in self._database.submissions),
            done=len(results),
            unsuccessful=sum(bool(result.unsuccessful) for result in results),
            faces=sum(count_faces(result.job_output) for result in results),
        )

    def groups_of(self, batch_ids: Collection[str]) -> dict[str, str]:
        """Find groups."""
        opened = self._database.opened
        known = [opened[name] for name in batch_ids if name in opened]
        return {batch.batch_id: batch.group for batch in known if batch.group}

    def open_batch(self, batch_id: str, group: str = "") -> str:
        """Record a batch."""
        owner = self._database.note_batch(batch_id, group)
        if group and owner != group:
            raise PermanentError(
                f"batch {batch_id} exists and is not this group's: choose another id"
            )
        return owner

    def forget_batch(self, batch_id: str) -> None:
        """Remove a batch; a group's batch id stays the group's."""
        batch = self._database.opened.get(batch_id)
        if batch is not None and batch.group:
            self._database.erased.add(batch_id)
        else:
            self._database.opened.pop(batch_id, None)


def _place(batch: BatchInfo) -> tuple[datetime, str]:
    return batch.created, batch.batch_id


class MemorySubmissions:
    """Submissions in memory."""

    holds = ("submission",)

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def claim(
        self, key: JobKey, photo: str, parameters: Any = None, *, over: Submission | None = None
    ) -> Submission | None:
        """Record that a photo is to be sent."""
        with self._database.lock:
            known = self._database.submissions.get(key)
            if not _as_read(known, over):
                return known or Submission("", self._database.now())
            self._put(key, "", parameters, photo, known.queue if known else "")
            return None

    def submitted(
        self,
        key: JobKey,
        run: str,
        parameters: Any = None,
        photo: str | None = None,
        *,
        queue: str | None = None,
        message: str | None = None,
    ) -> None:
        """Record that a photo was sent."""
        with self._database.lock:
            known = self._database.submissions.get(key)
            before = known or Submission(run, self._database.now())
            photo = before.photo if photo is None else photo
            self._put(key, run, parameters, photo, before.queue if queue is None else queue)
            if message is not None:
                self._database.messages[key] = message

    def _put(self, key: JobKey, run: str, parameters: Any, photo: str, queue: str) -> None:
        self._database.note_batch(key[0])
        kept = from_json(to_json(parameters, fallback=str))
        self._database.submissions[key] = Submission(run, self._database.now(), kept, photo, queue)

    def message(self, key: JobKey) -> str:
        """Read a submission's message."""
        return self._database.messages.get(key, "")

    def correct(self, key: JobKey, run: str, message: str) -> None:
        """Keep another message of a run's submission."""
        with self._database.lock:
            known = self._database.submissions.get(key)
            if known is not None and known.run == run:
                self._database.messages[key] = message

    def withdraw(self, key: JobKey) -> None:
        """Remove a submission of a photo that was not sent."""
        with self._database.lock:
            known = self._database.submissions.get(key)
            if known is not None and not known.run:
                self.erase(key)

    def submission(self, key: JobKey) -> Submission | None:
        """Read a submission."""
        return self._database.submissions.get(key)

    def photos(self, keys: Collection[JobKey]) -> dict[JobKey, str]:
        """Read what names the photos of jobs."""
        known = self._database.submissions
        return {key: known[key].photo for key in keys if key in known and known[key].photo}

    def parameters(self, keys: Collection[JobKey]) -> dict[JobKey, Any]:
        """Read the senders' parameters of jobs."""
        known = self._database.submissions
        return {key: known[key].parameters for key in keys if key in known}

    def submissions(self, batch_id: str) -> dict[str, Submission]:
        """Read a batch's submissions."""
        rows = sorted(self._database.submissions.items())
        return {key[1]: submission for key, submission in rows if key[0] == batch_id}

    def erase(self, key: JobKey) -> None:
        """Remove a submission."""
        self._database.submissions.pop(key, None)
        self._database.messages.pop(key, None)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's submissions."""
        for job_id in self.submissions(batch_id):
            self.erase((batch_id, job_id))


def _as_read(known: Submission | None, read: Submission | None) -> bool:
    if known is None or read is None:
        return known is read
    return (known.run, known.photo) == (read.run, read.photo)
