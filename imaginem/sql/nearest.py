"""The faces nearest to one, found by Azure SQL itself."""

import uuid

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session

from imaginem.ports import JobKey, Neighbor
from imaginem.sql.schema import FaceRow, PhotoBatch
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
        limit: faces of each group at most.
    """
    mine = bindparam("mine", embedding, FaceRow.embedding.type)
    distance = cosine_distance(FaceRow.embedding, mine)
    group = func.coalesce(PhotoBatch.group_name, "")
    measured = (
        select(
            FaceRow.face_id,
            distance.label("distance"),
            FaceRow.quality,
            group.label("group_name"),
        )
        .outerjoin(PhotoBatch, PhotoBatch.batch_id == FaceRow.batch_id)
        .where(FaceRow.model == model, FaceRow.embedding.is_not(None))
    )
    if exclude_job is not None:
        measured = measured.where(FaceRow.job != job_number(*exclude_job))
    each = measured.subquery("measured")
    place = func.row_number().over(partition_by=each.c.group_name, order_by=each.c.distance)
    ranked = select(each.c.face_id, each.c.distance, each.c.quality, place.label("place")).subquery(
        "ranked"
    )
    return (
        select(ranked.c.face_id, ranked.c.distance, ranked.c.quality)
        .where(ranked.c.place <= limit)
        .order_by(ranked.c.distance)
    )
