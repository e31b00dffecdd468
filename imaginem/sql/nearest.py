"""The faces nearest to one, found by Azure SQL itself."""

import uuid

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from imaginem.ports import JobKey, Neighbor
from imaginem.sql.schema import FaceRow
from imaginem.sql.types import cosine_distance, job_number


def nearest_in_sql_server(
    session: Session,
    exclude_job: JobKey | None,
    model: str,
    embedding: bytes,
    min_similarity: float,
    limit: int,
) -> list[Neighbor]:
    """Let the server compare: Azure SQL has a vector type, so no embedding leaves it."""
    rows = session.execute(nearest_query(exclude_job, model, embedding, limit))
    neighbors = [Neighbor(row[0], 1.0 - row[1], row[2]) for row in rows]
    return [neighbor for neighbor in neighbors if neighbor.similarity >= min_similarity]


def nearest_query(
    exclude_job: JobKey | None, model: str, embedding: bytes | None, limit: int
) -> Select[uuid.UUID, float, float]:
    """Return the query for the faces nearest to one, each with its cosine distance; T-SQL only.

    Args:
        exclude_job: the job whose own faces are left out.
        model: embeddings of other models are never compared.
        embedding: L2-normalised float32.
        limit: faces at most.
    """
    mine = bindparam("mine", embedding, FaceRow.embedding.type)
    distance = cosine_distance(FaceRow.embedding, mine)
    query = select(FaceRow.face_id, distance.label("distance"), FaceRow.quality).where(
        FaceRow.model == model, FaceRow.embedding.is_not(None)
    )
    if exclude_job is not None:
        query = query.where(FaceRow.job != job_number(*exclude_job))
    return query.order_by("distance").limit(limit)
