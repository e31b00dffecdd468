"""Submissions in SQL: the photos that were sent."""

from collections.abc import Collection
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import delete, select

from imaginem.ports import JobKey, Submission
from imaginem.sql.batches import note_batch
from imaginem.sql.database import Database
from imaginem.sql.schema import SubmissionRow, now
from imaginem.sql.types import job_number
from imaginem.sql.upsert import upsert


class SqlSubmissions:
    """The photos that were sent."""

    holds = (SubmissionRow.__tablename__,)

    def __init__(self, database: Database) -> None:
        self._database = database

    def submitted(self, key: JobKey, run: str, parameters: Any = None) -> None:
        """Record that a photo was sent."""
        self._database.check_key(key)
        text = to_json(parameters, fallback=str).decode()
        with self._database.session() as session:
            note_batch(session, key[0])
            values = {"batch_id": key[0], "id": key[1], "since": now()}
            values |= {"run": run, "parameters": text}
            upsert(session, SubmissionRow, {"job": job_number(*key)}, values)

    def withdraw(self, key: JobKey) -> None:
        """Remove the submission of a photo that was not sent after all."""
        with self._database.session() as session:
            session.execute(delete(SubmissionRow).where(SubmissionRow.job == job_number(*key)))

    def submission(self, key: JobKey) -> Submission | None:
        """Return a job's latest submission."""
        with self._database.session(reading=True) as session:
            row = session.get(SubmissionRow, job_number(*key))
            return _submission(row) if row else None

    def submissions(self, batch_id: str) -> dict[str, Submission]:
        """Return a batch's submissions."""
        query = select(SubmissionRow).where(SubmissionRow.batch_id == batch_id)
        with self._database.session(reading=True) as session:
            rows = session.scalars(query.order_by(SubmissionRow.id)).all()
            return {row.id: _submission(row) for row in rows}

    def erase(self, key: JobKey) -> None:
        """Remove a job's submission."""
        self.withdraw(key)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's submissions."""
        with self._database.session() as session:
            session.execute(delete(SubmissionRow).where(SubmissionRow.batch_id == batch_id))


def _submission(row: SubmissionRow) -> Submission:
    return Submission(row.run, row.since, from_json(row.parameters))
