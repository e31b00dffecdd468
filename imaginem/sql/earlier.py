"""`earlier_output`: what jobs had found before they were run again."""

import uuid
from collections.abc import Collection, Sequence

from pydantic_core import from_json, to_json
from sqlalchemy import delete, select

from imaginem.ports import EARLIER_KEPT, EarlierOutput, JobKey
from imaginem.ports.erasing import without_faces
from imaginem.sql.database import Database
from imaginem.sql.erased_runs import SqlErasedRuns
from imaginem.sql.schema import EarlierOutputRow
from imaginem.sql.types import job_number
from imaginem.sql.upsert import upsert


class SqlEarlierOutputs:
    """The last outputs of jobs that were run again, in SQL."""

    holds = (EarlierOutputRow.__tablename__,)

    def __init__(self, database: Database, erased: SqlErasedRuns) -> None:
        self._database, self._erased = database, erased

    def keep(self, output: EarlierOutput, *, run: str = "") -> None:
        """Keep an output; the oldest ones of its job go."""
        key = (output.batch_id, output.job_id)
        self._database.check_key(key)
        job = job_number(*key)
        with self._erased.writing(key, run) as session:
            upsert(
                session,
                EarlierOutputRow,
                {"job": job, "made": output.made},
                {
                    "batch_id": output.batch_id,
                    "id": output.job_id,
                    "job_output": to_json(dict(output.job_output)).decode(),
                    "from_step": output.from_step,
                    "engines": to_json(dict(output.engines)).decode(),
                },
            )
            moments = select(EarlierOutputRow.made).where(EarlierOutputRow.job == job)
            newest = session.scalars(moments.order_by(EarlierOutputRow.made.desc())).all()
            if len(newest) > EARLIER_KEPT:
                old = EarlierOutputRow.made <= newest[EARLIER_KEPT]
                session.execute(delete(EarlierOutputRow).where(EarlierOutputRow.job == job, old))

    def drop_faces(self, key: JobKey, face_ids: Collection[uuid.UUID]) -> None:
        """Remove faces from the matches in a job's earlier outputs."""
        query = select(EarlierOutputRow).where(EarlierOutputRow.job == job_number(*key))
        with self._database.session() as session:
            for row in session.scalars(query).all():
                kept = without_faces(from_json(row.job_output), face_ids)
                row.job_output = to_json(kept).decode()

    def of_job(self, key: JobKey) -> Sequence[EarlierOutput]:
        """Return a job's earlier outputs, the latest first."""
        query = select(EarlierOutputRow).where(EarlierOutputRow.job == job_number(*key))
        with self._database.session(reading=True) as session:
            rows = session.scalars(query.order_by(EarlierOutputRow.made.desc())).all()
            return [_output(row) for row in rows]

    def erase(self, key: JobKey) -> None:
        """Remove a job's earlier outputs."""
        own = EarlierOutputRow.job == job_number(*key)
        with self._database.session() as session:
            session.execute(delete(EarlierOutputRow).where(own))

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's earlier outputs."""
        own = EarlierOutputRow.batch_id == batch_id
        with self._database.session() as session:
            session.execute(delete(EarlierOutputRow).where(own))


def _output(row: EarlierOutputRow) -> EarlierOutput:
    return EarlierOutput(
        batch_id=row.batch_id,
        job_id=row.id,
        made=row.made,
        job_output=from_json(row.job_output),
        from_step=row.from_step,
        engines=from_json(row.engines),
    )
