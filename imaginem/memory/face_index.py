"""In-memory fake of the face index."""

import uuid
from collections.abc import Callable, Collection, Sequence

from imaginem.errors import NotFound
from imaginem.ports import EnrolledFace, JobKey, Neighbor, Seen, best_of_each_group

GroupsOf = Callable[[Collection[str]], dict[str, str]]
"""Returns the group of each batch that belongs to one, as `Batches.groups_of` does."""


class MemoryFaceIndex:
    """Compares with every embedding that was added.

    Args:
        groups_of: tells the groups of batches; without it all batches are everybody's.
    """

    def __init__(self, groups_of: GroupsOf = lambda _: {}) -> None:
        self._groups_of = groups_of
        self._faces: dict[uuid.UUID, tuple[JobKey, EnrolledFace]] = {}

    def add(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Make faces searchable."""
        self._faces |= {face.face_id: (key, face) for face in faces if face.embedding}

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Make faces unsearchable."""
        for face_id in face_ids:
            self._faces.pop(face_id, None)

    def forget_removed(self) -> None:
        """Do nothing: `remove` has left nothing."""

    def similar(
        self, key: JobKey, face_id: uuid.UUID, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Find similar faces."""
        if face_id not in self._faces:
            raise NotFound(f"the embedding of face {face_id} is not here")
        mine = self._faces[face_id][1]
        return self._nearest(mine.model, mine.embedding, min_similarity, limit, exclude_job=key)

    def nearest(
        self, model: str, embedding: bytes, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Find the nearest faces."""
        return self._nearest(model, embedding, min_similarity, limit)

    def _nearest(
        self,
        model: str,
        embedding: bytes,
        min_similarity: float,
        limit: int,
        exclude_job: JobKey | None = None,
    ) -> list[Neighbor]:
        neighbors = [
            Neighbor(face.face_id, _cosine(embedding, face.embedding), face.quality)
            for owner, face in self._faces.values()
            if owner != exclude_job and face.model == model
        ]
        similar = [neighbor for neighbor in neighbors if neighbor.similarity >= min_similarity]
        similar.sort(key=lambda neighbor: -neighbor.similarity)
        return best_of_each_group(similar, limit, self._seen)

    def _seen(self, neighbors: Sequence[Neighbor]) -> list[Seen]:
        faces = [self._faces[neighbor.face_id] for neighbor in neighbors]
        groups = self._groups_of({key[0] for key, _ in faces})
        return [Seen(groups.get(key[0], ""), face.in_photo) for key, face in faces]


def _cosine(one: bytes, other: bytes) -> float:
    import numpy as np

    return float(np.frombuffer(one, np.float32) @ np.frombuffer(other, np.float32))
