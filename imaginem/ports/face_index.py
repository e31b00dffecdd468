"""Nearest-neighbour search over embeddings."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from imaginem.ports.gallery import EnrolledFace
from imaginem.ports.storage import JobKey


@dataclass(frozen=True)
class Neighbor:
    """A face that looks like the one asked for; similarity is the cosine, -1 to 1."""

    face_id: uuid.UUID
    similarity: float
    quality: float


class FaceIndex(Protocol):
    """Finds the faces whose embeddings are nearest to a given one, by cosine similarity.

    The gallery keeps the faces and tells the index of every change that it makes. Other
    instances change the same gallery, so an index that holds embeddings in memory checks
    before each search whether it is up to date. Each model is searched separately.
    """

    def add(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Make a job's faces searchable, also those added before; skip faces without embedding.

        Called once they are in the gallery, and again if that was interrupted.
        """

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Make these faces unsearchable.

        Called before the gallery deletes them, inside its transaction (so this must not write
        to the gallery's database), and again if that was interrupted.
        """

    def similar(
        self, key: JobKey, face_id: uuid.UUID, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Return other jobs' faces of the same model by cosine similarity, best first.

        Raises:
            NotFound: the face isn't in the gallery.
        """

    def nearest(
        self, model: str, embedding: bytes, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Return faces of a model by cosine similarity to an embedding, best first."""
