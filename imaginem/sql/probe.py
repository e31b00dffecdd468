"""What every way to search the embeddings in SQL takes, and what it does."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy.orm import Session

from imaginem.ports import JobKey, Neighbor


class Kind(NamedTuple):
    """Embeddings that can be compared with each other: of one model, and of one length."""

    model: str
    dimensions: int


@dataclass(frozen=True)
class Probe:
    """What is searched for.

    Attributes:
        model: embeddings of other models, or of another length, are never compared.
        embedding: L2-normalised float32.
        min_similarity: of the faces returned.
        limit: faces of each group at most.
        exclude_job: the job whose own faces are left out.
    """

    model: str
    embedding: bytes
    min_similarity: float
    limit: int
    exclude_job: JobKey | None = None

    @property
    def kind(self) -> "Kind":
        """What it can be compared with."""
        return Kind(self.model, len(self.embedding) // 4)


class EmbeddingSearch(Protocol):
    """A way to find the embeddings nearest to one."""

    def nearest(self, session: Session, probe: Probe) -> list[Neighbor]:
        """Return the nearest faces as they are in the session's transaction, best first."""

    def forget_removed(self) -> None:
        """Leave nothing of faces that are no longer in the gallery, in memory or in files."""
