"""`pipeline_output`, and the labels and text that search needs."""

import uuid
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from imaginem.ports import JobKey, JobResult, ResultOfAnotherRun
from imaginem.ports.erasing import without_faces
from imaginem.ports.own_outputs.index import PLACED_STEPS, OutputIndexer, index_nothing
from imaginem.ports.searchable import count_faces, text_in
from imaginem.sql.batches import groups_of, note_batch
from imaginem.sql.database import Database
from imaginem.sql.erased_runs import SqlErasedRuns
from imaginem.sql.removal import LOCK
from imaginem.sql.schema import PhotoBatch, PipelineOutput, ReusableRow, now
from imaginem.sql.search_rows import SEARCHED, drop_search_rows, write_search_rows
from imaginem.sql.types import job_number, portions
from imaginem.sql.upsert import Written, upsert


class SqlResults:
    """Jobs' results in SQL.

    Args:
        database: where they are.
        erased: which runs may not write.
        index: says what photos are found by of own steps' outputs.
    """

    holds = (
        PipelineOutput.__tablename__,
        *(table.__tablename__ for table in (*SEARCHED, ReusableRow)),
    )

    def __init__(
        self, database: Database, erased: SqlErasedRuns, index: OutputIndexer = index_nothing
    ) -> None:
        self._database, self._erased, self._index = database, erased, index

    def save(self, result: JobResult, *, replaces: str = "") -> None:
        """Write a job's result and what it is searched by, unless another run has one."""
        key = (result.batch_id, result.id)
        self._database.check_key(key)
        outputs, job, own = result.job_output, job_number(*key), self._index(result.job_output)
        replaceable = PipelineOutput.run.in_(("", result.run, replaces))
        with self._erased.writing(key, result.run) as session:
            note_batch(session, result.batch_id)
            at = now()
            saved = upsert(
                session,
                PipelineOutput,
                {"batch_id": result.batch_id, "id": result.id},
                {
                    "processing_pipeline": ",".join(result.processing_pipeline),
                    "image_url": result.image_url,
                    "image_parameters": to_json(result.image_parameters).decode(),
                    "photo_url": result.photo_url,
                    "job_output": to_json(dict(outputs)).decode(),
                    "unfinished": ",".join(result.unsuccessful),
                    "full_text": text_in(outputs),
                    "problems": int(bool(result.unsuccessful)),
                    "faces": count_faces(outputs),
                    "timestamp": at,
                    "run": result.run,
                },
                *((replaceable,) if result.run else ()),
                job=job,
            )
            if saved is Written.LEFT:
                found = select(PipelineOutput.run).where(PipelineOutput.job == job)
                raise ResultOfAnotherRun(session.scalar(found) or "")
            new = saved is Written.ADDED
            write_search_rows(session, key, outputs, own, at, new=new)
            if not new:
                _forget_reusable(session, [job])
            session.add_all(
                ReusableRow(job=job, step=step, made=made)
                for step, made in result.made.items()
                if step in outputs
            )

    def drop_faces(self, key: JobKey, face_ids: Collection[uuid.UUID]) -> None:
        """Remove faces from the matches in a result; the row is locked, so no newer one is lost."""
        own = PipelineOutput.job == job_number(*key)
        found = select(PipelineOutput.job_output, PipelineOutput.timestamp)
        query = found.where(own).with_for_update()
        with self._database.session() as session:
            row = session.execute(query.with_hint(PipelineOutput, LOCK, "mssql")).first()
            if row is None:
                return
            outputs = from_json(row.job_output)
            kept = without_faces(outputs, face_ids)
            same_moment = {
                "job_output": to_json(kept).decode(),
                "faces": count_faces(kept),
                "timestamp": PipelineOutput.timestamp,
            }
            session.execute(update(PipelineOutput).where(own).values(same_moment))
            _forget_reusable(session, [job_number(*key)])
            if any(kept[step] != outputs[step] for step in kept if step not in PLACED_STEPS):
                found_by = self._index(kept)
                write_search_rows(session, key, kept, found_by, row.timestamp, in_place=True)

    def read(self, key: JobKey) -> JobResult | None:
        """Return a job's result."""
        with self._database.session(reading=True) as session:
            row = session.get(PipelineOutput, key)
            return None if row is None else _result(row)

    def reusable(self, batch_id: str, step: str, made: str) -> Any:
        """Return what a step has made of the same for a job of the batch's group."""
        with self._database.session(reading=True) as session:
            group = groups_of(session, [batch_id]).get(batch_id, "")
            query = (
                select(PipelineOutput.job_output)
                .join(ReusableRow, ReusableRow.job == PipelineOutput.job)
                .join(PhotoBatch, PhotoBatch.batch_id == PipelineOutput.batch_id)
                .where(ReusableRow.made == made, ReusableRow.step == step)
                .where(PhotoBatch.group_name == group)
                .order_by(PipelineOutput.timestamp.desc())
                .limit(1)
            )
            text = session.scalar(query)
        return None if text is None else from_json(text).get(step)

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Return a batch's results, by job id."""
        query = (
            select(PipelineOutput)
            .where(PipelineOutput.batch_id == batch_id)
            .order_by(PipelineOutput.id)
        )
        with self._database.session(reading=True) as session:
            rows = session.scalars(query).all()
        return (_result(row) for row in rows)

    def finished(self, batch_id: str) -> list[str]:
        """Return the ids of a batch's jobs that have a result."""
        query = select(PipelineOutput.id).where(PipelineOutput.batch_id == batch_id)
        with self._database.session(reading=True) as session:
            return list(session.scalars(query.order_by(PipelineOutput.id)))

    def erase(self, key: JobKey) -> None:
        """Remove a job's result and its labels."""
        self.erase_batch(key[0], [key[1]])

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove a job's result and its labels if it is of one of these runs."""
        own = PipelineOutput.job == job_number(*key)
        of_runs = PipelineOutput.run.in_(["", *runs])
        with self._database.session() as session:
            found: Any = session.execute(delete(PipelineOutput).where(own, of_runs))
            if found.rowcount:
                drop_search_rows(session, [job_number(*key)])
                _forget_reusable(session, [job_number(*key)])

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove results and labels of a batch's jobs."""
        jobs = [job_number(batch_id, job_id) for job_id in job_ids]
        for portion in portions(jobs):
            with self._database.session() as session:
                # First: who writes one of these results meanwhile waits, and so do we for him.
                session.execute(delete(PipelineOutput).where(PipelineOutput.job.in_(portion)))
                drop_search_rows(session, portion)
                _forget_reusable(session, portion)


def _forget_reusable(session: Session, jobs: Sequence[uuid.UUID]) -> None:
    """Remove what outputs were made of, so that they are not reused."""
    session.execute(delete(ReusableRow).where(ReusableRow.job.in_(jobs)))


def _result(row: PipelineOutput) -> JobResult:
    return JobResult(
        batch_id=row.batch_id,
        id=row.id,
        processing_pipeline=row.processing_pipeline.split(","),
        image_url=row.image_url,
        image_parameters=from_json(row.image_parameters),
        photo_url=row.photo_url,
        job_output=from_json(row.job_output),
        unsuccessful=tuple(name for name in row.unfinished.split(",") if name),
        timestamp=row.timestamp,
        run=row.run,
    )
