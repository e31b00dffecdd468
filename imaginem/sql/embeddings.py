"""Reads embeddings from the table `face`; every search in SQL uses this module."""

import uuid
from array import array
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from imaginem.ports import EnrolledFace, InPhoto, JobKey, in_photo
from imaginem.sql.probe import Kind
from imaginem.sql.schema import FaceRow

_TOLERANCE = 1e-5  # by which a component may differ between two readings of one embedding
IN_PHOTO = (FaceRow.photo_sha256, FaceRow.left, FaceRow.top, FaceRow.width, FaceRow.height)
"""With a face's id, the columns that `row_in_photo` reads."""


def row_in_photo(row: Any) -> InPhoto:
    """Return what is the same of a face in every copy of its photo."""
    return in_photo(row.face_id, row.photo_sha256, (row.left, row.top, row.width, row.height))


@dataclass(frozen=True)
class StoredEmbedding:
    """A face as a search needs it; numbers grow in the order of enrolment, never used twice."""

    number: int
    face_id: uuid.UUID
    embedding: bytes
    job: JobKey
    quality: float
    in_photo: InPhoto


def read_after(session: Session, kind: Kind, number: int, limit: int) -> list[StoredEmbedding]:
    """Return the first embeddings of a kind with numbers above this one, by number."""
    query = (
        select(
            FaceRow.number,
            FaceRow.face_id,
            FaceRow.embedding,
            FaceRow.batch_id,
            FaceRow.job_id,
            FaceRow.quality,
            *IN_PHOTO,
        )
        .where(*_is_of(kind), FaceRow.number > number)
        .order_by(FaceRow.number)
        .limit(limit)
    )
    return [
        StoredEmbedding(
            number=row.number,
            face_id=row.face_id,
            embedding=row.embedding or b"",
            job=(row.batch_id, row.job_id),
            quality=row.quality,
            in_photo=row_in_photo(row),
        )
        for row in session.execute(query)
    ]


def read_vectors(session: Session, kind: Kind, number: int, limit: int) -> list[tuple[int, bytes]]:
    """Return numbers and embeddings, as `read_after` does."""
    query = (
        select(FaceRow.number, FaceRow.embedding)
        .where(*_is_of(kind), FaceRow.number > number)
        .order_by(FaceRow.number)
        .limit(limit)
    )
    return [(row[0], row[1] or b"") for row in session.execute(query)]


def _is_of(kind: Kind) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return FaceRow.model == kind.model, func.length(FaceRow.embedding) == 4 * kind.dimensions


def read_one(session: Session, face_id: uuid.UUID) -> tuple[str, bytes | None] | None:
    """Return a face's model and embedding, which is None where a service keeps it."""
    query = select(FaceRow.model, FaceRow.embedding).where(FaceRow.face_id == face_id)
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def differs(row: FaceRow, face: EnrolledFace) -> bool:
    """Tell whether a face's model or embedding has changed; servers return vectors rounded."""
    if row.model != face.model:
        return True
    stored, given = array("f", row.embedding or b""), array("f", face.embedding)
    if len(stored) != len(given):
        return True
    return any(abs(one - other) > _TOLERANCE for one, other in zip(stored, given, strict=True))
