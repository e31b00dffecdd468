"""The rows that the in-memory fakes of SQL share, as the SQL adapters share a database."""

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from imaginem.outputs import FaceMatch
from imaginem.ports import (
    BarredPhoto,
    BatchInfo,
    EarlierOutput,
    EnrolledFace,
    FacePair,
    Groups,
    JobKey,
    JobResult,
    Review,
    Submission,
    SuppressedFace,
)
from imaginem.ports.ledger import LedgerEntry
from imaginem.ports.own_outputs.index import OutputIndexer, index_nothing


@dataclass
class MemoryDatabase:
    """Tables as dictionaries.

    Attributes:
        opened: batches without their counts.
        now: returns the moment at which something is sent.
        erased: ids of erased batches that still belong to their group.
        runs_of_faces: in which run each face was enrolled last.
        erased_runs: of which jobs which runs were erased.
        suppressed: faces that are not to be enrolled, each with its group.
        index: says what photos are found by of own steps' outputs.
        lock: held by whoever changes several rows together.
    """

    results: dict[JobKey, JobResult] = field(default_factory=dict)
    submissions: dict[JobKey, Submission] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    messages: dict[JobKey, str] = field(default_factory=dict)
    earlier: dict[JobKey, list[EarlierOutput]] = field(default_factory=dict)
    opened: dict[str, BatchInfo] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    faces: dict[uuid.UUID, tuple[JobKey, EnrolledFace]] = field(default_factory=dict)
    runs_of_faces: dict[uuid.UUID, str] = field(default_factory=dict)
    pairs: dict[FacePair, FaceMatch] = field(default_factory=dict)
    reviews: dict[FacePair, Review] = field(default_factory=dict)
    erased_runs: set[tuple[JobKey, str]] = field(default_factory=set)
    barred: dict[str, BarredPhoto] = field(default_factory=dict)
    suppressed: dict[uuid.UUID, tuple[str, SuppressedFace]] = field(default_factory=dict)
    index: OutputIndexer = index_nothing
    ledger: list[LedgerEntry] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def note_batch(self, batch_id: str, group: str = "") -> str:
        """Record a batch unless it exists; return its group."""
        with self.lock:
            self.erased.discard(batch_id)
            batch = BatchInfo(batch_id, group, datetime.now(UTC))
            return self.opened.setdefault(batch_id, batch).group

    def may_see(self, batch_id: str, groups: Groups) -> bool:
        """Tell whether these groups may see a batch."""
        batch = self.opened.get(batch_id)
        return groups is None or batch is None or not batch.group or batch.group in groups

    def remove_faces(self, face_ids: Iterable[uuid.UUID]) -> None:
        """Remove faces with their pairs and the decisions on them."""
        ids = set(face_ids)
        with self.lock:
            self.faces = {i: face for i, face in self.faces.items() if i not in ids}
            self.pairs = {p: match for p, match in self.pairs.items() if not ids & set(p)}
            self.reviews = {p: review for p, review in self.reviews.items() if not ids & set(p)}
