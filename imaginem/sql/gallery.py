"""The face gallery: embeddings, exact cosine search, and the pairs that look alike."""

import threading
import uuid
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session, defer

from imaginem.errors import NotFound, PermanentError
from imaginem.outputs import FaceMatch
from imaginem.ports import EnrolledFace, FaceOwner, JobKey, Neighbor
from imaginem.sql.database import Database
from imaginem.sql.nearest import nearest_in_sql_server
from imaginem.sql.removal import LOCK, forget_at_azure
from imaginem.sql.schema import FaceMatchRow, FaceRow, VerdictRow, now
from imaginem.sql.types import job_number, portions
from imaginem.sql.upsert import upsert

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAME = 1e-5  # of a component, between two readings of one print

_Read = tuple[uuid.UUID, bytes, str, str, float]


@dataclass(frozen=True)
class _Matrix:
    """The embeddings of one model, as rows."""

    rows: "NDArray[np.float32]"
    ids: list[uuid.UUID]
    jobs: list[JobKey]
    qualities: list[float]
    last: int


class SqlGallery:
    """Faces in SQL; the embeddings in use are also kept in this process's memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._matrices: dict[str, _Matrix] = {}
        self._lock = threading.Lock()

    def enrol(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Make `faces` the job's faces in one transaction."""
        if len({face.face_id for face in faces}) < len(faces):
            raise PermanentError("two faces have the same face_id: detect the faces again")
        self._database.check_key(key)
        with self._database.session() as session:
            known = {
                row.face_id: row
                for row in _rows_of(session, [f.face_id for f in faces], prints=True)
            }
            for face in faces:
                row = known.get(face.face_id)
                if row is not None and (row.batch_id, row.job_id) != key:
                    raise PermanentError(f"face_id {face.face_id} belongs to another job")
            mine = select(FaceRow.face_id).where(FaceRow.job == job_number(*key))
            kept = {face.face_id for face in faces}
            _forget(session, [i for i in session.scalars(mine) if i not in kept])
            changed = [
                f.face_id for f in faces if f.face_id in known and _differs(known[f.face_id], f)
            ]
            _forget(session, changed)
            session.flush()
            session.add_all(
                _row(key, face)
                for face in faces
                if face.face_id not in known or face.face_id in changed
            )

    def similar(
        self, key: JobKey, face_id: uuid.UUID, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Compare a face with every other of its model, exactly."""
        with self._database.session(reading=True) as session:
            row = session.scalar(select(FaceRow).where(FaceRow.face_id == face_id))
            if row is None:
                raise NotFound(f"face {face_id} is not in the gallery")
            if row.embedding is None:
                raise NotFound(f"the print of face {face_id} is kept by {row.model}, not here")
            return self._nearest(
                session, row.model, row.embedding, min_similarity, limit, exclude_job=key
            )

    def nearest(
        self, model: str, embedding: bytes, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Compare an embedding with every face of a model, exactly."""
        with self._database.session(reading=True) as session:
            return self._nearest(session, model, embedding, min_similarity, limit)

    def _nearest(
        self,
        session: Session,
        model: str,
        embedding: bytes,
        min_similarity: float,
        limit: int,
        exclude_job: JobKey | None = None,
    ) -> list[Neighbor]:
        import numpy as np

        if session.get_bind().dialect.name == "mssql":
            return nearest_in_sql_server(
                session, exclude_job, model, embedding, min_similarity, limit
            )
        matrix = self._matrix(session, model)
        if not matrix.ids:
            return []
        scores = matrix.rows @ np.frombuffer(embedding, np.float32)
        found: list[Neighbor] = []
        for index in np.argsort(-scores, kind="stable"):
            if scores[index] < min_similarity or len(found) == limit:
                break
            if matrix.jobs[index] != exclude_job:
                found.append(
                    Neighbor(matrix.ids[index], float(scores[index]), matrix.qualities[index])
                )
        return found

    def _matrix(self, session: Session, model: str) -> _Matrix:
        """Return the model's embeddings; new rows are added, after a removal all are read."""
        import numpy as np

        count, last = session.execute(
            select(func.count(), func.max(FaceRow.number)).where(
                FaceRow.model == model, FaceRow.embedding.is_not(None)
            )
        ).one()
        with self._lock:
            held = self._matrices.get(model)
            if held is not None and held.last == last and len(held.ids) == count:
                return held
            start = held.last if held is not None else 0
            new = self._read(session, model, start)
            if held is not None and len(held.ids) + len(new) != count:
                held, new = None, self._read(session, model, 0)
            rows = np.array([np.frombuffer(row[1], np.float32) for row in new], np.float32)
            made = _Matrix(
                rows=rows if held is None else np.concatenate([held.rows, rows]),
                ids=[*(held.ids if held else []), *(row[0] for row in new)],
                jobs=[*(held.jobs if held else []), *((row[2], row[3]) for row in new)],
                qualities=[*(held.qualities if held else []), *(row[4] for row in new)],
                last=last or 0,
            )
            self._matrices[model] = made
            return made

    @staticmethod
    def _read(session: Session, model: str, after: int) -> list[_Read]:
        query = (
            select(
                FaceRow.face_id,
                FaceRow.embedding,
                FaceRow.batch_id,
                FaceRow.job_id,
                FaceRow.quality,
            )
            .where(FaceRow.model == model, FaceRow.number > after, FaceRow.embedding.is_not(None))
            .order_by(FaceRow.number)
        )
        return [(row[0], row[1] or b"", row[2], row[3], row[4]) for row in session.execute(query)]

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Return the quality of each face that is in the gallery."""
        with self._database.session(reading=True) as session:
            return {row.face_id: row.quality for row in _rows_of(session, face_ids)}

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs from both sides; a face that is gone by now is left out."""
        pairs: dict[tuple[uuid.UUID, uuid.UUID], FaceMatch] = {}
        for match in matches:
            pairs[match.face_id, match.matched_face_id] = match
            pairs[match.matched_face_id, match.face_id] = match
        with self._database.session() as session:
            known = _held(session, list({face_id for pair in pairs for face_id in pair}))
            # In one order, whoever writes: two jobs that find each other would deadlock.
            for one, other in sorted(pairs):
                if one in known and other in known:
                    _keep(session, one, other, pairs[one, other])

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Return the stored pairs of these faces."""
        with self._database.session(reading=True) as session:
            rows = [
                row
                for some in portions(face_ids)
                for row in session.scalars(
                    select(FaceMatchRow).where(FaceMatchRow.face_id.in_(some))
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
            return {row.face_id: owner_of(row) for row in _rows_of(session, face_ids)}

    def faces_of(self, *keys: JobKey) -> list[FaceOwner]:
        """Return the faces of jobs; those of one job in the order they were enrolled."""
        query = select(FaceRow).options(defer(FaceRow.embedding)).order_by(FaceRow.number)
        jobs = [job_number(*key) for key in keys]
        with self._database.session(reading=True) as session:
            return [
                owner_of(row)
                for some in portions(jobs)
                for row in session.scalars(query.where(FaceRow.job.in_(some)))
            ]


def _rows_of(session: Session, ids: Sequence[uuid.UUID], *, prints: bool = False) -> list[FaceRow]:
    """Return rows; their embeddings stay where they are unless they are asked for."""
    query = select(FaceRow) if prints else select(FaceRow).options(defer(FaceRow.embedding))
    return [
        row
        for some in portions(ids)
        for row in session.scalars(query.where(FaceRow.face_id.in_(some)))
    ]


def _held(session: Session, ids: Sequence[uuid.UUID], *, to_remove: bool = False) -> set[uuid.UUID]:
    """Return which faces are here; none of them goes before the transaction ends.

    Whoever writes faces or pairs comes here first, and in one order: so nobody waits for
    somebody who waits for him.
    """
    query = (
        select(FaceRow.face_id)
        .order_by(FaceRow.face_id)
        .with_for_update(read=not to_remove)
        .with_hint(FaceRow, LOCK, "mssql")
    )
    return {
        face_id
        for some in portions(sorted(ids))
        for face_id in session.scalars(query.where(FaceRow.face_id.in_(some)))
    }


def _forget(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Remove faces and their pairs, from both sides."""
    _held(session, ids, to_remove=True)
    for some in portions(ids):
        pairs = or_(FaceMatchRow.face_id.in_(some), FaceMatchRow.matched_face_id.in_(some))
        session.execute(delete(FaceMatchRow).where(pairs))
        judged = or_(VerdictRow.face_id.in_(some), VerdictRow.other_face_id.in_(some))
        session.execute(delete(VerdictRow).where(judged))
        session.execute(delete(FaceRow).where(FaceRow.face_id.in_(some)))
    forget_at_azure(session, ids)


def _differs(row: FaceRow, face: EnrolledFace) -> bool:
    """Tell whether a print is another one; a server's vectors come back not quite exact."""
    if row.model != face.model:
        return True
    held, given = array("f", row.embedding or b""), array("f", face.embedding)
    if len(held) != len(given):
        return True
    return any(abs(one - other) > _SAME for one, other in zip(held, given, strict=True))


def _row(key: JobKey, face: EnrolledFace) -> FaceRow:
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
    )


def _keep(session: Session, one: uuid.UUID, other: uuid.UUID, match: FaceMatch) -> None:
    pair = {"face_id": one, "matched_face_id": other}
    told = {"confidence": match.confidence, "band": match.band}
    upsert(session, FaceMatchRow, pair, told, found=now())


def owner_of(row: FaceRow) -> FaceOwner:
    """Return whose photo a face is in."""
    rectangle = (row.left, row.top, row.width, row.height)
    return FaceOwner(row.face_id, row.batch_id, row.job_id, rectangle)
