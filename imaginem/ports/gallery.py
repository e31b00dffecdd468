"""The face gallery: whose photo each face is in, and which faces look alike."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from imaginem.ports.batches import Groups
from imaginem.ports.erasing import Erasable
from imaginem.ports.outputs.faces import FaceMatch
from imaginem.ports.storage import JobKey

InPhoto = tuple[str, int, int, int, int] | uuid.UUID
"""What is the same of a face in every copy of its photo: that photo's SHA-256, and the face's place
in it. Where the SHA-256 is not known, it is the face's id, so that it is nobody's copy."""


def in_photo(
    face_id: uuid.UUID, photo_sha256: str, rectangle: tuple[int, int, int, int]
) -> InPhoto:
    """Return what is the same of a face in every copy of its photo."""
    return (photo_sha256, *rectangle) if photo_sha256 else face_id


def file_of(face: InPhoto) -> str | uuid.UUID:
    """Return what is the same of all faces of a file, on whichever page or copy of it they are.

    A face of which that is not known is in a file of its own.
    """
    return face if isinstance(face, uuid.UUID) else face[0]


@dataclass(frozen=True)
class EnrolledFace:
    """A face of the gallery.

    Attributes:
        embedding: L2-normalised float32, as bytes; empty where a service keeps it.
        rectangle: as of `place_in_file`.
    """

    face_id: uuid.UUID
    model: str
    embedding: bytes
    quality: float
    rectangle: tuple[int, int, int, int]
    photo_sha256: str = ""

    @property
    def in_photo(self) -> InPhoto:
        """What is the same of it in every copy of its photo."""
        return in_photo(self.face_id, self.photo_sha256, self.rectangle)


@dataclass(frozen=True)
class FaceOwner:
    """Whose photo a face was found in; its SHA-256 is empty if the engine did not tell it."""

    face_id: uuid.UUID
    batch_id: str
    job_id: str
    rectangle: tuple[int, int, int, int]
    photo_sha256: str = ""

    @property
    def key(self) -> JobKey:
        """Batch id and job id."""
        return self.batch_id, self.job_id

    @property
    def in_photo(self) -> InPhoto:
        """What is the same of it in every copy of its photo."""
        return in_photo(self.face_id, self.photo_sha256, self.rectangle)


class FaceGallery(Erasable, Protocol):
    """Faces with their owners, and the pairs that look alike.

    Removing a face also removes its pairs, people's decisions on it, and its ids at a service.
    """

    def enrol(self, key: JobKey, faces: Sequence[EnrolledFace], *, run: str = "") -> None:
        """Make `faces` the job's faces: new ones added, known ones kept, others removed.

        A face that is suppressed in its photo is left out.

        Args:
            key: of the job.
            faces: of its photo.
            run: of the job, in which they were found, as SQL holds it (`stored_run`); nothing is
                looked up without one.

        Raises:
            PermanentError: a face id belongs to another job.
            JobErased: that run was erased.
        """

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove the faces that these runs of a job enrolled last, and those of no known run."""

    def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
        """Remove faces; those that are not there are no error."""

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Return the quality of each face that is in the gallery."""

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs so that both sides show them; a pair stored before is updated."""

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Return the stored pairs of these faces, best first, each seen from its face."""

    def owners(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FaceOwner]:
        """Return whose photos these faces are in."""

    def groups_of(self, face_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
        """Return the group of each face whose batch belongs to one."""

    def faces_of(self, *keys: JobKey) -> list[FaceOwner]:
        """Return the faces of jobs."""

    def has_other_models(self, model: str, groups: Groups) -> bool:
        """Tell whether these groups may see faces of another model, which is never compared."""

    def leaving(self) -> int:
        """Return how many erased faces a service that keeps them has still to forget."""

    def recent_faces(self, groups: Groups, limit: int) -> list[FaceOwner]:
        """Return the faces that were enrolled last and that these groups may see, newest first."""
