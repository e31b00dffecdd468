"""In-memory fakes of the face gallery and of people's decisions."""

import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from imaginem.errors import NotFound, PermanentError
from imaginem.memory.batches import MemoryBatches
from imaginem.memory.database import MemoryDatabase
from imaginem.memory.erased_runs import MemoryErasedRuns
from imaginem.memory.face_index import MemoryFaceIndex
from imaginem.memory.suppressed_faces import MemorySuppressedFaces
from imaginem.outputs import FaceMatch
from imaginem.ports import (
    EnrolledFace,
    FaceIndex,
    FaceOwner,
    FacePair,
    Groups,
    JobKey,
    Review,
)


class MemoryGallery:
    """The face gallery in memory."""

    holds = ("face", "face_match", "face_verdict")

    def __init__(
        self, database: MemoryDatabase | None = None, index: FaceIndex | None = None
    ) -> None:
        self._database = database or MemoryDatabase()
        self._batches = MemoryBatches(self._database)
        self._index = index or MemoryFaceIndex(self._batches.groups_of)
        self._erased = MemoryErasedRuns(self._database)
        self._suppressed = MemorySuppressedFaces(self._database)

    def enrol(self, key: JobKey, faces: Sequence[EnrolledFace], *, run: str = "") -> None:
        """Make these the job's faces."""
        with self._erased.writing(key, run):
            self._enrol(key, faces)
            runs = self._database.runs_of_faces
            runs |= {owner.face_id: run for owner in self.faces_of(key)}

    def _enrol(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        if len({face.face_id for face in faces}) < len(faces):
            raise PermanentError("two faces have the same face_id: detect the faces again")
        boxes = {face.face_id: face.rectangle for face in faces}
        photos = {face.photo_sha256 for face in faces}
        gone = {i for photo in photos for i in self._suppressed.among(key[0], photo, boxes)}
        faces = [face for face in faces if face.face_id not in gone]
        known = self._database.faces
        for face in faces:
            if face.face_id in known and known[face.face_id][0] != key:
                raise PermanentError(f"face_id {face.face_id} belongs to another job")
        enrolled = {face.face_id: (key, face) for face in faces}
        replaced = [
            face_id
            for face_id, (owner, face) in known.items()
            if owner == key and (face_id not in enrolled or _differs(face, enrolled[face_id][1]))
        ]
        self._remove(replaced)
        self._database.faces |= enrolled
        self._index.add(key, faces)

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Remove faces."""
        self._remove(face_ids)

    def _remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        self._index.remove(face_ids)
        self._database.remove_faces(face_ids)

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove the faces of some runs."""
        known, wanted = self._database.runs_of_faces, {"", *runs}
        ids = [owner.face_id for owner in self.faces_of(key)]
        self._remove([face_id for face_id in ids if known.get(face_id, "") in wanted])

    def erase(self, key: JobKey) -> None:
        """Remove a job's faces."""
        self._remove([face.face_id for face in self.faces_of(key)])

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove the faces of a batch's jobs."""
        for job_id in job_ids:
            self.erase((batch_id, job_id))

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Read qualities."""
        faces = self._database.faces
        return {face_id: faces[face_id][1].quality for face_id in face_ids if face_id in faces}

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs."""
        faces, pairs = self._database.faces, self._database.pairs
        for match in matches:
            one, other = match.face_id, match.matched_face_id
            if one in faces and other in faces:
                pairs[one, other] = match
                swapped = {"face_id": other, "matched_face_id": one}
                pairs[other, one] = match.model_copy(update=swapped)

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Read pairs."""
        ids = set(face_ids)
        matches = [match for (one, _), match in self._database.pairs.items() if one in ids]
        return sorted(matches, key=lambda match: (-match.confidence, str(match.matched_face_id)))

    def owners(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FaceOwner]:
        """Find owners."""
        faces = self._database.faces
        return {face_id: _owner(*faces[face_id]) for face_id in face_ids if face_id in faces}

    def groups_of(self, face_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
        """Find groups."""
        faces = self._database.faces
        batches = {face_id: faces[face_id][0][0] for face_id in face_ids if face_id in faces}
        groups = self._batches.groups_of(set(batches.values()))
        return {face_id: groups[name] for face_id, name in batches.items() if name in groups}

    def faces_of(self, *keys: JobKey) -> list[FaceOwner]:
        """Find the faces of jobs."""
        return [_owner(key, face) for key, face in self._database.faces.values() if key in keys]

    def has_other_models(self, model: str, groups: Groups) -> bool:
        """Look at every face."""
        return any(
            face.model != model and self._database.may_see(key[0], groups)
            for key, face in self._database.faces.values()
        )

    def leaving(self) -> int:
        """Return 0: no service keeps faces in memory."""
        return 0

    def recent_faces(self, groups: Groups, limit: int) -> list[FaceOwner]:
        """List faces, newest first."""
        newest = reversed(self._database.faces.values())
        rows = [row for row in newest if self._database.may_see(row[0][0], groups)]
        return [_owner(*row) for row in rows[:limit]]


def _owner(key: JobKey, face: EnrolledFace) -> FaceOwner:
    return FaceOwner(face.face_id, *key, face.rectangle, face.photo_sha256)


def _differs(one: EnrolledFace, other: EnrolledFace) -> bool:
    return (one.model, one.embedding) != (other.model, other.embedding)


class MemoryReviews:
    """People's decisions in memory."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def review(self, pair: FacePair, decision: str, reviewer: str) -> None:
        """Store a decision."""
        one, other = sorted(pair)
        if not {one, other} <= set(self._database.faces):
            raise NotFound("one of the faces is not in the gallery any more")
        if decision:
            review = Review(decision, reviewer, datetime.now(UTC))
            self._database.reviews[one, other] = review
        else:
            self._database.reviews.pop((one, other), None)

    def decisions(self, face_ids: Sequence[uuid.UUID]) -> dict[FacePair, Review]:
        """Read decisions."""
        wanted = set(face_ids)
        return {
            pair: review
            for (one, other), review in self._database.reviews.items()
            if {one, other} & wanted
            for pair in ((one, other), (other, one))
        }
