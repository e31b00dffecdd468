"""Rows of faces, as several read them."""

import uuid
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, defer

from imaginem.sql.schema import FaceRow
from imaginem.sql.types import portions


def rows_of(
    session: Session, ids: Sequence[uuid.UUID], *, with_embeddings: bool = False
) -> list[FaceRow]:
    """Return the rows of faces; embeddings are large, so they are read only if they are needed."""
    query = (
        select(FaceRow) if with_embeddings else select(FaceRow).options(defer(FaceRow.embedding))
    )
    return [
        row
        for portion in portions(ids)
        for row in session.scalars(query.where(FaceRow.face_id.in_(portion)))
    ]


def count_with_embeddings(connection: Connection) -> int:
    """Count the faces that have an embedding."""
    query = select(func.count()).select_from(FaceRow).where(FaceRow.embedding.is_not(None))
    return connection.scalar(query) or 0
