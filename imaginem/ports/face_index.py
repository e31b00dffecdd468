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
    """Finds the faces whose embeddings point nearly where a given one points.

    The gallery keeps the faces and tells the index of every change that it makes. Other
    instances change the same gallery, so an index that holds embeddings in memory checks
    whether it still holds what the gallery does. Every model is searched by itself.
    """

    def add(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Make a job's faces searchable, known ones again; those without embedding are not.

        Called once they are in the gallery, and again if that was interrupted.
        """

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Let no search find these faces any more.

        Called before they leave the gallery, in the transaction in which they do (so nothing
        may be written to the gallery's database here), and again if that was interrupted.
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
