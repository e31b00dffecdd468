"""The port `FaceIndex` over the gallery's embeddings in SQL."""

import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from imaginem.errors import NotFound
from imaginem.ports import EnrolledFace, JobKey, Neighbor
from imaginem.sql.database import Database
from imaginem.sql.embeddings import read_one
from imaginem.sql.pgvector import store_vectors
from imaginem.sql.probe import EmbeddingSearch, Probe


class SqlFaceIndex:
    """Searches the embeddings of a database; see `imaginem.sql.choosing`.

    Args:
        database: that has them.
        choose: returns the way to search, given a connected session; called once.
        folder: where processes of this machine may have put files for searching.
    """

    def __init__(
        self, database: Database, choose: Callable[[Session], EmbeddingSearch], folder: Path
    ) -> None:
        self._database = database
        self._choose = choose
        self._folder = folder
        self._search: EmbeddingSearch | None = None
        self._lock = threading.Lock()

    def add(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Let PostgreSQL have their vectors; else the next search reads all new rows anyway."""
        if faces and self._database.engine.dialect.name == "postgresql":
            with self._database.session() as session:
                store_vectors(session, faces)

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Do nothing: the next search learns from the database what was removed."""

    def forget_removed(self) -> None:
        """Leave nothing of removed faces in this process, or in files of this machine."""
        if self._search is None and not self._folder.is_dir():
            return  # nothing was ever searched
        with self._database.session(reading=True) as session:
            search = self._chosen(session)
        search.forget_removed()

    def similar(
        self, key: JobKey, face_id: uuid.UUID, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Compare a face with every other of its model."""
        with self._database.session(reading=True) as session:
            row = read_one(session, face_id)
            if row is None:
                raise NotFound(f"face {face_id} is not in the gallery")
            model, embedding = row
            if embedding is None:
                raise NotFound(f"the embedding of face {face_id} is kept by {model}, not here")
            probe = Probe(model, embedding, min_similarity, limit, exclude_job=key)
            return self._chosen(session).nearest(session, probe)

    def nearest(
        self, model: str, embedding: bytes, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Compare an embedding with every face of a model."""
        with self._database.session(reading=True) as session:
            probe = Probe(model, embedding, min_similarity, limit)
            return self._chosen(session).nearest(session, probe)

    def _chosen(self, session: Session) -> EmbeddingSearch:
        with self._lock:
            if self._search is None:
                self._search = self._choose(session)
            return self._search
