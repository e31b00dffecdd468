"""The in-memory fakes of SQL together, made of one database."""

from dataclasses import dataclass, field
from typing import Any

from imaginem.memory.batches import MemoryBatches, MemorySubmissions
from imaginem.memory.catalogue import MemoryCatalogue
from imaginem.memory.database import MemoryDatabase
from imaginem.memory.earlier import MemoryEarlierOutputs
from imaginem.memory.erased_runs import MemoryErasedRuns
from imaginem.memory.face_index import MemoryFaceIndex
from imaginem.memory.gallery import MemoryGallery, MemoryReviews
from imaginem.memory.ledger import MemoryLedger
from imaginem.memory.photos import MemoryBarredPhotos, MemoryKnownPhotos
from imaginem.memory.results import MemoryResults
from imaginem.memory.suppressed_faces import MemorySuppressedFaces
from imaginem.ports import (
    BarredPhotos,
    Batches,
    EarlierOutputs,
    ErasedRuns,
    FaceGallery,
    FaceIndex,
    KnownPhotos,
    Ledger,
    PhotoCatalogue,
    Results,
    Reviews,
    Submissions,
    SuppressedFaces,
)

_FROM_DATABASE: Any = None


@dataclass
class MemoryStores:
    """The stores that SQL has, in memory, on one shared database; pass any to replace it."""

    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    results: Results = _FROM_DATABASE
    catalogue: PhotoCatalogue = _FROM_DATABASE
    batches: Batches = _FROM_DATABASE
    submissions: Submissions = _FROM_DATABASE
    earlier_outputs: EarlierOutputs = _FROM_DATABASE
    face_index: FaceIndex = _FROM_DATABASE
    gallery: FaceGallery = _FROM_DATABASE
    reviews: Reviews = _FROM_DATABASE
    erased_runs: ErasedRuns = _FROM_DATABASE
    barred: BarredPhotos = _FROM_DATABASE
    known_photos: KnownPhotos = _FROM_DATABASE
    suppressed_faces: SuppressedFaces = _FROM_DATABASE
    ledger: Ledger = _FROM_DATABASE

    def __post_init__(self) -> None:
        """Make the stores that were not passed."""
        self.results = self.results or MemoryResults(self.database)
        self.catalogue = self.catalogue or MemoryCatalogue(self.database)
        self.batches = self.batches or MemoryBatches(self.database)
        self.submissions = self.submissions or MemorySubmissions(self.database)
        self.earlier_outputs = self.earlier_outputs or MemoryEarlierOutputs(self.database)
        self.face_index = self.face_index or MemoryFaceIndex(self.batches.groups_of)
        self.gallery = self.gallery or MemoryGallery(self.database, self.face_index)
        self.reviews = self.reviews or MemoryReviews(self.database)
        self.erased_runs = self.erased_runs or MemoryErasedRuns(self.database)
        self.barred = self.barred or MemoryBarredPhotos(self.database)
        self.known_photos = self.known_photos or MemoryKnownPhotos(self.database)
        self.suppressed_faces = self.suppressed_faces or MemorySuppressedFaces(self.database)
        self.ledger = self.ledger or MemoryLedger(self.database)
