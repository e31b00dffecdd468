"""Search over the gallery's embeddings: by a matrix in memory, or by the server itself."""

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from imaginem.errors import NotFound
from imaginem.ports import EnrolledFace, JobKey, Neighbor, best_of_each_group
from imaginem.sql.batches import groups_of
from imaginem.sql.candidates import best_candidates
from imaginem.sql.database import Database
from imaginem.sql.embeddings import StoredEmbedding, extent, read_after, read_one
from imaginem.sql.nearest import nearest_in_sql_server
from imaginem.sql.pgvector import is_ready, nearest_in_postgresql, store_vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class _Matrix:
    """The embeddings of one model, as rows."""

    rows: "NDArray[np.float32]"
    ids: list[uuid.UUID]
    jobs: list[JobKey]
    qualities: list[float]
    last: int


class SqlFaceIndex:
    """Compares with every embedding of a model; the matrices in use stay in memory.

    Each search first asks the database whether its matrix is up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._matrices: dict[str, _Matrix] = {}
        self._lock = threading.Lock()

    def add(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Let PostgreSQL have their vectors; else the next search reads all new rows anyway."""
        if faces and self._database.engine.dialect.name == "postgresql":
            with self._database.session() as session:
                store_vectors(session, faces)

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Drop the matrices that hold these faces; the next search reads the rows again."""
        removed = set(face_ids)
        with self._lock:
            self._matrices = {
                model: matrix
                for model, matrix in self._matrices.items()
                if removed.isdisjoint(matrix.ids)
            }

    def similar(
        self, key: JobKey, face_id: uuid.UUID, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Compare a face with every other of its model, exactly."""
        with self._database.session(reading=True) as session:
            row = read_one(session, face_id)
            if row is None:
                raise NotFound(f"face {face_id} is not in the gallery")
            model, embedding = row
            if embedding is None:
                raise NotFound(f"the embedding of face {face_id} is kept by {model}, not here")
            return self._nearest(session, model, embedding, min_similarity, limit, exclude_job=key)

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
        dialect = session.get_bind().dialect.name
        if dialect == "mssql":
            return nearest_in_sql_server(
                session, exclude_job, model, embedding, min_similarity, limit
            )
        if dialect == "postgresql" and is_ready(session):
            return best_candidates(
                nearest_in_postgresql,
                session,
                exclude_job,
                model,
                embedding,
                min_similarity,
                limit,
            )
        import numpy as np  # servers compare by themselves, and numpy may not be there

        matrix = self._matrix(session, model)
        if not matrix.ids:
            return []
        scores = matrix.rows @ np.frombuffer(embedding, np.float32)
        similar = np.flatnonzero(scores >= min_similarity)
        similar = similar[np.argsort(-scores[similar], kind="stable")]
        found = [index for index in similar.tolist() if matrix.jobs[index] != exclude_job]

        def groups(places: Sequence[int]) -> list[str]:
            batches = [matrix.jobs[index][0] for index in places]
            known = groups_of(session, set(batches))
            return [known.get(batch_id, "") for batch_id in batches]

        return [
            Neighbor(matrix.ids[index], float(scores[index]), matrix.qualities[index])
            for index in best_of_each_group(found, limit, groups)
        ]

    def _matrix(self, session: Session, model: str) -> _Matrix:
        """Return the model's matrix, with new rows added; after a removal it is read anew."""
        count, last = extent(session, model)
        with self._lock:
            cached = self._matrices.get(model)
            if cached is not None and cached.last == last and len(cached.ids) == count:
                return cached
            new = read_after(session, model, cached.last if cached is not None else 0)
            if cached is not None and len(cached.ids) + len(new) != count:
                cached, new = None, read_after(session, model, 0)
            self._matrices[model] = matrix = _grown(cached, new, last)
            return matrix


def _grown(cached: _Matrix | None, new: Sequence[StoredEmbedding], last: int) -> _Matrix:
    import numpy as np

    rows = np.array([np.frombuffer(row.embedding, np.float32) for row in new], np.float32)
    return _Matrix(
        rows=rows if cached is None else np.concatenate([cached.rows, rows]),
        ids=[*(cached.ids if cached else []), *(row.face_id for row in new)],
        jobs=[*(cached.jobs if cached else []), *(row.job for row in new)],
        qualities=[*(cached.qualities if cached else []), *(row.quality for row in new)],
        last=last,
    )
