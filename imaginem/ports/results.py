"""Results, and the face gallery."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from imaginem.outputs import FaceMatch
from imaginem.ports.storage import JobKey

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class JobResult:
    """A job as SQL keeps it; `job_output` has every linked output inlined."""

    batch_id: str
    id: str
    processing_pipeline: Sequence[str]
    image_url: str
    image_parameters: Any
    job_output: Mapping[str, Any]
    photo_url: str = ""
    unsuccessful: Sequence[str] = ()
    timestamp: datetime | None = None


class Results(Protocol):
    """The table `pipeline_output`, and what search needs."""

    def save(self, result: JobResult) -> None:
        """Write a job's result; the same job again replaces it."""

    def read(self, key: JobKey) -> JobResult | None:
        """Return a job's result."""

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Return a batch's results, by job id."""


@dataclass(frozen=True)
class EnrolledFace:
    """A face of the gallery.

    Attributes:
        embedding: L2-normalised float32, as bytes; empty where a service keeps the print.
    """

    face_id: uuid.UUID
    model: str
    embedding: bytes
    quality: float
    rectangle: tuple[int, int, int, int]
    photo_sha256: str = ""


@dataclass(frozen=True)
class Neighbor:
    """A face that looks like the one asked for; similarity is the cosine, -1 to 1."""

    face_id: uuid.UUID
    similarity: float
    quality: float


@dataclass(frozen=True)
class FaceOwner:
    """Whose photo a face was found in."""

    face_id: uuid.UUID
    batch_id: str
    job_id: str
    rectangle: tuple[int, int, int, int]


class FaceGallery(Protocol):
    """Faces with their embeddings, and the pairs that look alike."""

    def enrol(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Make `faces` the job's faces: new ones added, known ones kept, others removed.

        Raises:
            PermanentError: a face id belongs to another job.
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

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Return the quality of each face that is in the gallery."""

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs so that both sides show them; a pair stored before is updated."""

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Return the stored pairs of these faces, best first, each seen from its face."""

    def owners(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FaceOwner]:
        """Return whose photos these faces are in."""

    def faces_of(self, *keys: JobKey) -> list[FaceOwner]:
        """Return the faces of jobs."""
