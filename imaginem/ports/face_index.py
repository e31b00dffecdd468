"""Nearest-neighbour search over embeddings."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from imaginem.ports.gallery import EnrolledFace, InPhoto, file_of
from imaginem.ports.storage import JobKey

FoundT = TypeVar("FoundT")


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

    The limit of a search counts for each group to which the faces' batches belong, and for the
    batches of no group: faces that somebody may not see never take the place of one that he may.
    A file counts once, however many of its pages show similar faces and however often it was
    sent: pages and copies never take the place of another file. Of each group, `COPIES_KEPT` copies
    of a face and `FACES_OF_A_FILE` faces of a file are returned at most.
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

    def forget_removed(self) -> None:
        """Leave nothing of faces that are no longer in the gallery, in memory or in files.

        Called once the gallery has removed faces and its transaction has ended, and from time to
        time: it may have been interrupted, or another machine may have removed them.
        """

    def similar(
        self, key: JobKey, face_id: uuid.UUID, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Return other jobs' faces of the same model by cosine similarity, best first.

        Args:
            key: the job whose face this is.
            face_id: of the face.
            min_similarity: of the faces returned.
            limit: files of each group at most.

        Raises:
            NotFound: the face isn't in the gallery.
        """

    def nearest(
        self, model: str, embedding: bytes, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Return faces of a model by cosine similarity to an embedding, best first.

        Args:
            model: to which the embedding belongs.
            embedding: L2-normalised float32.
            min_similarity: of the faces returned.
            limit: files of each group at most.
        """


COPIES_KEPT = 50
"""Copies of a face that a search returns of each group at most, the best one included."""
FACES_OF_A_FILE = 200
"""Faces of one file, on its pages and in its copies, that a search returns of each group."""


class Seen(NamedTuple):
    """Who may see a face, and which one of its photo it is."""

    group: str
    face: InPhoto


def best_of_each_group(
    found: Sequence[FoundT], limit: int, seen: Callable[[Sequence[FoundT]], Sequence[Seen]]
) -> list[FoundT]:
    """Return the faces in the first `limit` files of each group, in their order.

    Args:
        found: best first.
        limit: files of each group at most, with their pages and copies.
        seen: returns group and face of each; asked only if there are more than `limit`.
    """
    if len(found) <= limit:
        return list(found)
    files: defaultdict[str, Counter[str | uuid.UUID]] = defaultdict(Counter)
    copies: Counter[tuple[str, InPhoto]] = Counter()
    kept = []
    for one, (group, face) in zip(found, seen(found), strict=True):
        known, file = files[group], file_of(face)
        if (file not in known and len(known) >= limit) or known[file] >= FACES_OF_A_FILE:
            continue
        if copies[group, face] >= COPIES_KEPT:
            continue
        known[file] += 1
        copies[group, face] += 1
        kept.append(one)
    return kept
