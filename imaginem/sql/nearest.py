"""The faces nearest to one, found by Azure SQL itself: exactly, or with an index of vectors.

The index (DiskANN) is made by `imaginem db vectors`. What it finds is compared exactly here.
"""

import uuid

from sqlalchemy import Engine, Select, String, bindparam, case, cast, func, select, text
from sqlalchemy.orm import Session

from imaginem.errors import ConfigurationError
from imaginem.ports import COPIES_KEPT, FACES_OF_A_FILE, JobKey, Neighbor
from imaginem.sql.candidates import Candidate, best_candidates
from imaginem.sql.embeddings import IN_PHOTO
from imaginem.sql.face_rows import count_with_embeddings
from imaginem.sql.probe import Probe
from imaginem.sql.schema import DIMENSIONS, FaceRow, PhotoBatch
from imaginem.sql.types import as_text, cosine_distance, job_number

_FEWEST_INDEXED = 100  # fewer, and Azure SQL refuses to make the index (its error 42266)
HAS_VECTOR_INDEX = (
    "SELECT COUNT(*) FROM sys.indexes "
    "WHERE object_id = OBJECT_ID('face') AND name = 'ix_face_embedding'"
)
VECTOR_INDEX = (
    "CREATE VECTOR INDEX ix_face_embedding ON face (embedding) "
    "WITH (METRIC = 'cosine', TYPE = 'DiskANN')"
)
APPROXIMATE = (
    f"DECLARE @mine VECTOR({DIMENSIONS}) = CAST(:mine AS VECTOR({DIMENSIONS})); "  # noqa: S608
    "SELECT TOP (:wanted) WITH APPROXIMATE f.face_id, s.distance "
    "FROM VECTOR_SEARCH(TABLE = face AS f, COLUMN = embedding, SIMILAR_TO = @mine, "
    "METRIC = 'cosine') AS s WHERE f.model = :model ORDER BY s.distance"
)


def nearest_in_sql_server(session: Session, probe: Probe) -> list[Neighbor]:
    """Let the server compare: Azure SQL has a vector type.

    Without an index it compares with every face, and no embedding leaves it.
    """
    if len(probe.embedding) == 4 * DIMENSIONS and session.scalar(text(HAS_VECTOR_INDEX)):
        return best_candidates(_candidates, session, probe)
    query = nearest_query(probe.exclude_job, probe.model, probe.embedding, probe.limit)
    neighbors = [Neighbor(row[0], 1.0 - row[1], row[2]) for row in session.execute(query)]
    return [neighbor for neighbor in neighbors if neighbor.similarity >= probe.min_similarity]


def make_vector_index(engine: Engine) -> int:
    """Make the index if it is missing; return how many faces there are.

    Raises:
        ConfigurationError: there are too few.
        sqlalchemy.exc.DBAPIError: the user may not do this, or the server has no such index.
    """
    with engine.begin() as connection:
        count = count_with_embeddings(connection)
        if not connection.scalar(text(HAS_VECTOR_INDEX)):
            if count < _FEWEST_INDEXED:
                raise ConfigurationError(
                    f"the gallery has {count} faces with embeddings, and Azure SQL indexes "
                    f"vectors from {_FEWEST_INDEXED} on: until then it compares with each"
                )
            connection.execute(text(VECTOR_INDEX))
        return count


def _candidates(session: Session, model: str, embedding: bytes, wanted: int) -> list[Candidate]:
    values = {"mine": as_text(embedding), "model": model, "wanted": wanted}
    rows = session.execute(text(APPROXIMATE), values)
    return [(uuid.UUID(str(row[0])), 1.0 - row[1]) for row in rows]


def nearest_query(
    exclude_job: JobKey | None, model: str, embedding: bytes | None, limit: int
) -> Select[uuid.UUID, float, float]:
    """Return the query for the faces nearest to one, each with its cosine distance; T-SQL only.

    Args:
        exclude_job: the job whose own faces are left out.
        model: embeddings of other models are never compared.
        embedding: L2-normalised float32.
        limit: files of each group at most.
    """
    mine = bindparam("mine", embedding, FaceRow.embedding.type)
    distance = cosine_distance(FaceRow.embedding, mine)
    group = func.coalesce(PhotoBatch.group_name, "")
    # A face whose photo is not known is nobody's copy.
    photo = case(
        (FaceRow.photo_sha256 != "", FaceRow.photo_sha256), else_=cast(FaceRow.number, String(64))
    )
    measured = (
        select(
            FaceRow.face_id,
            distance.label("distance"),
            FaceRow.quality,
            group.label("group_name"),
            photo.label("photo"),
            *IN_PHOTO[1:],
        )
        .outerjoin(PhotoBatch, PhotoBatch.batch_id == FaceRow.batch_id)
        .where(FaceRow.model == model, FaceRow.embedding.is_not(None))
    )
    if exclude_job is not None:
        measured = measured.where(FaceRow.job != job_number(*exclude_job))
    each = measured.subquery("measured")
    face = each.c.photo, each.c.left, each.c.top, each.c.width, each.c.height
    of_face, of_file = [each.c.group_name, *face], [each.c.group_name, each.c.photo]
    copies = select(
        each,
        func.min(each.c.distance).over(partition_by=of_file).label("best"),
        func.row_number().over(partition_by=of_face, order_by=each.c.distance).label("copy"),
    ).subquery("copies")
    place = func.dense_rank().over(
        partition_by=copies.c.group_name, order_by=[copies.c.best, copies.c.photo]
    )
    within = func.row_number().over(
        partition_by=[copies.c.group_name, copies.c.photo], order_by=copies.c.distance
    )
    ranked = (
        select(copies, place.label("place"), within.label("within"))
        .where(copies.c.copy <= COPIES_KEPT)
        .subquery("ranked")
    )
    return (
        select(ranked.c.face_id, ranked.c.distance, ranked.c.quality)
        .where(ranked.c.place <= limit, ranked.c.within <= FACES_OF_A_FILE)
        .order_by(ranked.c.distance)
    )
