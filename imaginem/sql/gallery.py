"""The face gallery in SQL: faces, and the pairs that look alike."""

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session, defer

from imaginem.errors import PermanentError
from imaginem.outputs import FaceMatch
from imaginem.ports import EnrolledFace, FaceIndex, FaceOwner, Groups, JobKey
from imaginem.sql.batches import hidden_from
from imaginem.sql.changes import note_change
from imaginem.sql.database import Database
from imaginem.sql.embeddings import differs
from imaginem.sql.erased_runs import SqlErasedRuns
from imaginem.sql.face_rows import rows_of
from imaginem.sql.pairs import store_pairs
from imaginem.sql.removal import forget_at_azure, lock_faces
from imaginem.sql.reviews import remove_reviews
from imaginem.sql.schema import (
    FaceMatchRow,
    FaceRow,
    PhotoBatch,
    RemovalRow,
    ReviewRow,
    ServiceFaceRow,
)
from imaginem.sql.suppressed_faces import SqlSuppressedFaces
from imaginem.sql.types import job_number, portions


class SqlGallery:
    """Faces and their embeddings in SQL.

    Args:
        database: that has them.
        index: is told of every face added or removed.
        erased: tells which runs may add none.
        suppressed: faces that are not to be enrolled again.
    """

    holds = (
        FaceRow.__tablename__,
        FaceMatchRow.__tablename__,
        ReviewRow.__tablename__,
        ServiceFaceRow.__tablename__,
    )

    def __init__(
        self,
        database: Database,
        index: FaceIndex,
        erased: SqlErasedRuns,
        suppressed: SqlSuppressedFaces,
    ) -> None:
        self._database = database
        self._index = index
        self._erased = erased
        self._suppressed = suppressed

    def enrol(self, key: JobKey, faces: Sequence[EnrolledFace], *, run: str = "") -> None:
        """Make `faces` the job's faces in one transaction."""
        if len({face.face_id for face in faces}) < len(faces):
            raise PermanentError("two faces have the same face_id: detect the faces again")
        self._database.check_key(key)
        with self._erased.writing(key, run) as session:
            faces = self._suppressed.without_suppressed(session, key[0], faces)
            known = {
                row.face_id: row
                for row in rows_of(session, [f.face_id for f in faces], with_embeddings=True)
            }
            for face in faces:
                row = known.get(face.face_id)
                if row is not None and (row.batch_id, row.job_id) != key:
                    raise PermanentError(f"face_id {face.face_id} belongs to another job")
            new_ids = {face.face_id for face in faces}
            dropped = [face_id for face_id in _ids_of(session, key) if face_id not in new_ids]
            changed = [
                f.face_id for f in faces if f.face_id in known and differs(known[f.face_id], f)
            ]
            new = [f for f in faces if f.face_id not in known or f.face_id in changed]
            if new and not (dropped or changed):
                note_change(session)
            self._remove(session, [*dropped, *changed])
            session.flush()
            session.add_all(_row(key, face, run) for face in new)
            for face_id in known.keys() - set(changed):
                known[face_id].run = run
        if dropped or changed:
            self._index.forget_removed()
        self._index.add(key, faces)

    def _remove(self, session: Session, ids: Sequence[uuid.UUID]) -> None:
        """Remove faces and all that belongs to them, from the index first."""
        if ids:
            self._index.remove(ids)
            note_change(session, ids)
            _delete(session, ids)

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Remove faces and all that belongs to them, in one transaction."""
        with self._database.session() as session:
            self._remove(session, face_ids)
        self._index.forget_removed()

    def erase(self, key: JobKey) -> None:
        """Remove a job's faces and all that belongs to them, in one transaction."""
        with self._database.session() as session:
            self._remove(session, _ids_of(session, key))
        self._index.forget_removed()

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove the faces that these runs of a job enrolled last, and those of no known run."""
        wanted = FaceRow.run.in_(["", *runs])
        with self._database.session() as session:
            own = select(FaceRow.face_id).where(FaceRow.job == job_number(*key), wanted)
            self._remove(session, list(session.scalars(own)))
        self._index.forget_removed()

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove the faces of a batch's jobs, job by job, so that locks are short."""
        for job_id in sorted(job_ids):
            self.erase((batch_id, job_id))

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Return the quality of each face that is in the gallery."""
        with self._database.session(reading=True) as session:
            return {row.face_id: row.quality for row in rows_of(session, face_ids)}

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs from both sides, without faces that were erased meanwhile."""
        if not matches:
            return
        with self._database.session() as session:
            store_pairs(session, matches)

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Return the stored pairs of these faces."""
        with self._database.session(reading=True) as session:
            rows = [
                row
                for portion in portions(face_ids)
                for row in session.scalars(
                    select(FaceMatchRow).where(FaceMatchRow.face_id.in_(portion))
                )
            ]
        rows.sort(key=lambda row: (-row.confidence, str(row.matched_face_id)))
        return [
            FaceMatch(
                face_id=row.face_id,
                matched_face_id=row.matched_face_id,
                confidence=row.confidence,
                band=row.band,
            )
            for row in rows
        ]

    def owners(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FaceOwner]:
        """Return whose photos these faces are in."""
        with self._database.session(reading=True) as session:
            return {row.face_id: owner_of(row) for row in rows_of(session, face_ids)}

    def groups_of(self, face_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
        """Return the group of each face whose batch belongs to one."""
        query = (
            select(FaceRow.face_id, PhotoBatch.group_name)
            .join(PhotoBatch, PhotoBatch.batch_id == FaceRow.batch_id)
            .where(PhotoBatch.group_name != "")
        )
        with self._database.session(reading=True) as session:
            return {
                row[0]: row[1]
                for portion in portions(list(face_ids))
                for row in session.execute(query.where(FaceRow.face_id.in_(portion)))
            }

    def faces_of(self, *keys: JobKey) -> list[FaceOwner]:
        """Return the faces of jobs; those of one job in the order they were enrolled."""
        query = select(FaceRow).options(defer(FaceRow.embedding)).order_by(FaceRow.number)
        jobs = [job_number(*key) for key in keys]
        with self._database.session(reading=True) as session:
            return [
                owner_of(row)
                for portion in portions(jobs)
                for row in session.scalars(query.where(FaceRow.job.in_(portion)))
            ]

    def has_other_models(self, model: str, groups: Groups) -> bool:
        """Look for one such face, in the index of models."""
        other = or_(FaceRow.model < model, FaceRow.model > model)  # != would read all rows
        query = select(FaceRow.number).where(other)
        if groups is not None:
            query = query.where(~hidden_from(FaceRow.batch_id, groups))
        with self._database.session(reading=True) as session:
            return session.scalar(query.limit(1)) is not None

    def leaving(self) -> int:
        """Count the faces that are queued for removal at a service."""
        with self._database.session(reading=True) as session:
            return session.scalar(select(func.count()).select_from(RemovalRow)) or 0

    def recent_faces(self, groups: Groups, limit: int) -> list[FaceOwner]:
        """Return the faces that were enrolled last."""
        query = select(FaceRow).options(defer(FaceRow.embedding)).order_by(FaceRow.number.desc())
        if groups is not None:
            query = query.where(~hidden_from(FaceRow.batch_id, groups))
        with self._database.session(reading=True) as session:
            return [owner_of(row) for row in session.scalars(query.limit(limit))]


def _ids_of(session: Session, key: JobKey) -> list[uuid.UUID]:
    return list(session.scalars(select(FaceRow.face_id).where(FaceRow.job == job_number(*key))))


def _delete(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Delete faces, their pairs and decisions, and queue their removal at the service."""
    lock_faces(session, ids, alone=True)
    for portion in portions(ids):
        pairs = or_(FaceMatchRow.face_id.in_(portion), FaceMatchRow.matched_face_id.in_(portion))
        session.execute(delete(FaceMatchRow).where(pairs))
        session.execute(delete(FaceRow).where(FaceRow.face_id.in_(portion)))
    remove_reviews(session, ids)
    forget_at_azure(session, ids)


def _row(key: JobKey, face: EnrolledFace, run: str) -> FaceRow:
    left, top, width, height = face.rectangle
    return FaceRow(
        face_id=face.face_id,
        job=job_number(*key),
        batch_id=key[0],
        job_id=key[1],
        photo_sha256=face.photo_sha256,
        left=left,
        top=top,
        width=width,
        height=height,
        model=face.model,
        embedding=face.embedding or None,
        quality=face.quality,
        run=run,
    )


def owner_of(row: FaceRow) -> FaceOwner:
    """Return whose photo a face is in."""
    rectangle = (row.left, row.top, row.width, row.height)
    return FaceOwner(row.face_id, row.batch_id, row.job_id, rectangle, row.photo_sha256)
