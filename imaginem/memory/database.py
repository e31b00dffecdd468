"""In-memory twins of results and face gallery."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from imaginem.errors import NotFound, PermanentError
from imaginem.outputs import FaceMatch
from imaginem.ports import (
    EnrolledFace,
    FaceOwner,
    JobKey,
    JobResult,
    Neighbor,
)


class MemoryResults:
    """`pipeline_output` in memory."""

    def __init__(self) -> None:
        self._rows: dict[JobKey, JobResult] = {}

    def save(self, result: JobResult) -> None:
        """Write a result."""
        self._rows[result.batch_id, result.id] = replace(result, timestamp=datetime.now(UTC))

    def read(self, key: JobKey) -> JobResult | None:
        """Read a result."""
        return self._rows.get(key)

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Read a batch."""
        return iter([row for key, row in sorted(self._rows.items()) if key[0] == batch_id])


def _cosine(vector: Any, embedding: bytes) -> float:
    import numpy as np

    return float(vector @ np.frombuffer(embedding, np.float32))


class MemoryGallery:
    """The face gallery in memory."""

    def __init__(self) -> None:
        self._faces: dict[uuid.UUID, tuple[JobKey, EnrolledFace]] = {}
        self._pairs: dict[tuple[uuid.UUID, uuid.UUID], FaceMatch] = {}

    def enrol(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Make these the job's faces."""
        if len({face.face_id for face in faces}) < len(faces):
            raise PermanentError("two faces have the same face_id: detect the faces again")
        for face in faces:
            if face.face_id in self._faces and self._faces[face.face_id][0] != key:
                raise PermanentError(f"face {face.face_id} belongs to another job")
        kept = {face.face_id for face in faces}
        gone = {i for i, (owner, _) in self._faces.items() if owner == key and i not in kept}
        self._faces = {i: f for i, f in self._faces.items() if i not in gone}
        self._pairs = {p: m for p, m in self._pairs.items() if not gone & set(p)}
        self._faces |= {face.face_id: (key, face) for face in faces}

    def similar(
        self, key: JobKey, face_id: uuid.UUID, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Find alike faces."""
        if face_id not in self._faces:
            raise NotFound(f"face {face_id} is not in the gallery")
        mine = self._faces[face_id][1]
        return self._nearest(mine.model, mine.embedding, min_similarity, limit, exclude_job=key)

    def nearest(
        self, model: str, embedding: bytes, *, min_similarity: float, limit: int
    ) -> list[Neighbor]:
        """Find faces alike."""
        return self._nearest(model, embedding, min_similarity, limit)

    def _nearest(
        self,
        model: str,
        embedding: bytes,
        min_similarity: float,
        limit: int,
        exclude_job: JobKey | None = None,
    ) -> list[Neighbor]:
        import numpy as np

        vector = np.frombuffer(embedding, np.float32)
        found = [
            Neighbor(other.face_id, _cosine(vector, other.embedding), other.quality)
            for owner, other in self._faces.values()
            if owner != exclude_job and other.model == model
        ]
        alike = [face for face in found if face.similarity >= min_similarity]
        alike.sort(key=lambda face: -face.similarity)
        return alike[:limit]

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Read qualities."""
        return {i: self._faces[i][1].quality for i in face_ids if i in self._faces}

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs."""
        for match in matches:
            one, other = match.face_id, match.matched_face_id
            if one in self._faces and other in self._faces:
                self._pairs[one, other] = match
                swapped = {"face_id": other, "matched_face_id": one}
                self._pairs[other, one] = match.model_copy(update=swapped)

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Read pairs."""
        mine = [match for (one, _), match in self._pairs.items() if one in set(face_ids)]
        return sorted(mine, key=lambda match: (-match.confidence, str(match.matched_face_id)))

    def owners(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FaceOwner]:
        """Find owners."""
        known = [i for i in face_ids if i in self._faces]
        return {i: FaceOwner(i, *self._faces[i][0], self._faces[i][1].rectangle) for i in known}

    def faces_of(self, *keys: JobKey) -> list[FaceOwner]:
        """Find the faces of jobs."""
        return list(self.owners([i for i, (o, _) in self._faces.items() if o in keys]).values())
