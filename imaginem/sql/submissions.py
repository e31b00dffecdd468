"""Submissions in SQL: the photos that were sent."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic_core import from_json, to_json
from sqlalchemy import Delete, Update, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session

from imaginem.ports import JobKey, Submission
from imaginem.sql.batches import note_batch
from imaginem.sql.database import Database
from imaginem.sql.schema import SubmissionRow, now
from imaginem.sql.types import job_number, portions
from imaginem.sql.upsert import upsert

StatementT = TypeVar("StatementT", Delete, Update)


class SqlSubmissions:
    """The photos that were sent."""

    holds = (SubmissionRow.__tablename__,)

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, key: JobKey, photo: str, parameters: Any = None, *, over: Submission | None = None
    ) -> Submission | None:
        """Record that a photo is to be sent, unless another sender has the job's id."""
        self._database.check_key(key)
        values = {**_values(key, "", parameters), "photo": photo}
        with self._database.session() as session:
            note_batch(session, key[0])
            took = _add(session, key, values) if over is None else _swap(session, key, over, values)
        return None if took else self.submission(key) or Submission("", now())

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
        self._database.check_key(key)
        told = {"photo": photo, "queue": queue, "message": message}
        values = _values(key, run, parameters)
        values |= {name: value for name, value in told.items() if value is not None}
        with self._database.session() as session:
            note_batch(session, key[0])
            upsert(session, SubmissionRow, {"job": job_number(*key)}, values)

    def message(self, key: JobKey) -> str:
        """Return the message of a job's latest submission."""
        query = select(SubmissionRow.message).where(SubmissionRow.job == job_number(*key))
        with self._database.session(reading=True) as session:
            return session.scalar(query) or ""

    def correct(self, key: JobKey, run: str, message: str) -> None:
        """Keep another message of a run's submission."""
        change = _of(update(SubmissionRow), key).where(SubmissionRow.run == run)
        with self._database.session() as session:
            session.execute(change.values(message=message))

    def withdraw(self, key: JobKey) -> None:
        """Remove the submission of a photo that was not sent after all."""
        unsent = _of(delete(SubmissionRow), key).where(SubmissionRow.run == "")
        with self._database.session() as session:
            session.execute(unsent)

    def submission(self, key: JobKey) -> Submission | None:
        """Return a job's latest submission."""
        with self._database.session(reading=True) as session:
            row = session.get(SubmissionRow, job_number(*key))
            return _submission(row) if row else None

    def photos(self, keys: Collection[JobKey]) -> dict[JobKey, str]:
        """Return what names the photos of these jobs."""
        return {key: photo for key, photo in self._each(SubmissionRow.photo, keys) if photo}

    def parameters(self, keys: Collection[JobKey]) -> dict[JobKey, Any]:
        """Return the senders' parameters of these jobs."""
        return {key: from_json(text) for key, text in self._each(SubmissionRow.parameters, keys)}

    def _each(self, column: Mapped[str], keys: Collection[JobKey]) -> list[tuple[JobKey, str]]:
        query = select(SubmissionRow.batch_id, SubmissionRow.id, column)
        found: list[tuple[JobKey, str]] = []
        with self._database.session(reading=True) as session:
            for portion in portions([job_number(*key) for key in keys]):
                rows = session.execute(query.where(SubmissionRow.job.in_(portion)))
                found += [((batch_id, job_id), text) for batch_id, job_id, text in rows]
        return found

    def submissions(self, batch_id: str) -> dict[str, Submission]:
        """Return a batch's submissions."""
        query = select(SubmissionRow).where(SubmissionRow.batch_id == batch_id)
        with self._database.session(reading=True) as session:
            rows = session.scalars(query.order_by(SubmissionRow.id)).all()
            return {row.id: _submission(row) for row in rows}

    def erase(self, key: JobKey) -> None:
        """Remove a job's submission."""
        with self._database.session() as session:
            session.execute(_of(delete(SubmissionRow), key))

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's submissions."""
        with self._database.session() as session:
            session.execute(delete(SubmissionRow).where(SubmissionRow.batch_id == batch_id))


def _values(key: JobKey, run: str, parameters: Any) -> dict[str, Any]:
    text = to_json(parameters, fallback=str).decode()
    return {"batch_id": key[0], "id": key[1], "since": now(), "run": run, "parameters": text}


def _of(statement: StatementT, key: JobKey) -> StatementT:
    return statement.where(SubmissionRow.job == job_number(*key))


def _add(session: Session, key: JobKey, values: Mapping[str, Any]) -> bool:
    """Insert a job's row; False if there is one."""
    try:
        with session.begin_nested():
            session.execute(insert(SubmissionRow).values(job=job_number(*key), **values))
    except IntegrityError:
        return False
    return True


def _swap(session: Session, key: JobKey, over: Submission, values: Mapping[str, Any]) -> bool:
    """Change a job's row; False if it is no longer as it was read."""
    change = _of(update(SubmissionRow), key).where(
        SubmissionRow.run == over.run, SubmissionRow.photo == over.photo
    )
    result: Any = session.execute(change.values(**values))
    return bool(result.rowcount)


def _submission(row: SubmissionRow) -> Submission:
    return Submission(row.run, row.since, from_json(row.parameters), row.photo, row.queue)
