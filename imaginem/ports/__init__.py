"""What the pipeline needs from the outside world, as protocols.

Adapters implement them (`storage`, `sql`, `engines`), `imaginem.memory` has in-memory
fakes, and one contract suite holds all of them to the same behaviour.
"""

from imaginem.ports.alarms import Alarm, Alarms
from imaginem.ports.audit import (
    NO_DIGEST,
    AuditDeed,
    AuditEntry,
    AuditLog,
    AuditSubject,
    AuditTrail,
)
from imaginem.ports.barred import BarredPhoto, BarredPhotos
from imaginem.ports.batch_work import Cancellations, OpenBatches
from imaginem.ports.batches import Batches, BatchInfo, BatchPage, Groups
from imaginem.ports.budgets import Budgets
from imaginem.ports.catalogue import FoundPhoto, PhotoCatalogue, PhotoFilter, PhotoPage
from imaginem.ports.core_settings import ONE_PHOTO, CoreSettings, FaceGrid, Fusion, RetentionDays
from imaginem.ports.drops import Drop, Drops
from imaginem.ports.earlier import EARLIER_KEPT, EarlierOutput, EarlierOutputs
from imaginem.ports.engines import (
    FACE_SEARCH,
    FACES,
    OCR,
    QUESTIONS,
    RECOGNIZER,
    SEARCH_LIMIT,
    VISION,
    CallContext,
    EngineKind,
    Engines,
    EngineT,
    FaceEngine,
    FaceRecognizer,
    OcrEngine,
    Probed,
    QuestionEngine,
    SimilarFace,
    VisionEngine,
)
from imaginem.ports.erasing import Erasable, ErasableRuns
from imaginem.ports.face_index import (
    COPIES_KEPT,
    FACES_OF_A_FILE,
    FaceIndex,
    Neighbor,
    Seen,
    best_of_each_group,
)
from imaginem.ports.faces_in_many import (
    FacesOfMany,
    FacesOfOne,
    GridFaceEngine,
    PhotoOfMany,
    faces_in_many,
)
from imaginem.ports.gallery import (
    EnrolledFace,
    FaceGallery,
    FaceOwner,
    InPhoto,
    file_of,
    in_photo,
)
from imaginem.ports.installation_key import InstallationKey, is_signed
from imaginem.ports.known_photos import KnownPhotos
from imaginem.ports.landing import (
    Decision,
    Deed,
    LandedJob,
    LandedPhoto,
    Landing,
    NoLanding,
)
from imaginem.ports.ledger import Amount, Amounts, Ledger, LedgerEntry, LedgerItem
from imaginem.ports.models import Models, Network
from imaginem.ports.pauses import Pause, Pauses
from imaginem.ports.poison import PoisonEntry, PoisonFilter, PoisonLog, PoisonPage
from imaginem.ports.prices import Price, PriceList
from imaginem.ports.receipts import Receipts
from imaginem.ports.remains import NoRemains, Remains
from imaginem.ports.results import JobResult, ResultOfAnotherRun, Results
from imaginem.ports.reviews import FacePair, Review, Reviews
from imaginem.ports.service_faces import FaceList, ServiceFace, ServiceFaces
from imaginem.ports.services import (
    DashboardServices,
    EngineChoices,
    Fetcher,
    MaintenanceJob,
    Photos,
    Services,
)
from imaginem.ports.storage import (
    BlobInfo,
    Blobs,
    JobKey,
    JobLog,
    LogEntry,
    QueueItem,
    Queues,
    SharedState,
    StateChange,
)
from imaginem.ports.submissions import Submission, Submissions
from imaginem.ports.suppressed_faces import Box, SuppressedFace, SuppressedFaces, SuppressedMark
from imaginem.ports.telemetry import Span, Telemetry
from imaginem.ports.tombstones import ErasedJobs, ErasedRuns, JobErased, Tombstones

__all__ = [
    "COPIES_KEPT",
    "EARLIER_KEPT",
    "FACES",
    "FACES_OF_A_FILE",
    "FACE_SEARCH",
    "NO_DIGEST",
    "OCR",
    "ONE_PHOTO",
    "QUESTIONS",
    "RECOGNIZER",
    "SEARCH_LIMIT",
    "VISION",
    "Alarm",
    "Alarms",
    "Amount",
    "Amounts",
    "AuditDeed",
    "AuditEntry",
    "AuditLog",
    "AuditSubject",
    "AuditTrail",
    "BarredPhoto",
    "BarredPhotos",
    "BatchInfo",
    "BatchPage",
    "Batches",
    "BlobInfo",
    "Blobs",
    "Box",
    "Budgets",
    "CallContext",
    "Cancellations",
    "CoreSettings",
    "DashboardServices",
    "Decision",
    "Deed",
    "Drop",
    "Drops",
    "EarlierOutput",
    "EarlierOutputs",
    "EngineChoices",
    "EngineKind",
    "EngineT",
    "Engines",
    "EnrolledFace",
    "Erasable",
    "ErasableRuns",
    "ErasedJobs",
    "ErasedRuns",
    "FaceEngine",
    "FaceGallery",
    "FaceGrid",
    "FaceIndex",
    "FaceList",
    "FaceOwner",
    "FacePair",
    "FaceRecognizer",
    "FacesOfMany",
    "FacesOfOne",
    "Fetcher",
    "FoundPhoto",
    "Fusion",
    "GridFaceEngine",
    "Groups",
    "InPhoto",
    "InstallationKey",
    "JobErased",
    "JobKey",
    "JobLog",
    "JobResult",
    "KnownPhotos",
    "LandedJob",
    "LandedPhoto",
    "Landing",
    "Ledger",
    "LedgerEntry",
    "LedgerItem",
    "LogEntry",
    "MaintenanceJob",
    "Models",
    "Neighbor",
    "Network",
    "NoLanding",
    "NoRemains",
    "OcrEngine",
    "OpenBatches",
    "Pause",
    "Pauses",
    "PhotoCatalogue",
    "PhotoFilter",
    "PhotoOfMany",
    "PhotoPage",
    "Photos",
    "PoisonEntry",
    "PoisonFilter",
    "PoisonLog",
    "PoisonPage",
    "Price",
    "PriceList",
    "Probed",
    "QuestionEngine",
    "QueueItem",
    "Queues",
    "Receipts",
    "Remains",
    "ResultOfAnotherRun",
    "Results",
    "RetentionDays",
    "Review",
    "Reviews",
    "Seen",
    "ServiceFace",
    "ServiceFaces",
    "Services",
    "SharedState",
    "SimilarFace",
    "Span",
    "StateChange",
    "Submission",
    "Submissions",
    "SuppressedFace",
    "SuppressedFaces",
    "SuppressedMark",
    "Telemetry",
    "Tombstones",
    "VisionEngine",
    "best_of_each_group",
    "faces_in_many",
    "file_of",
    "in_photo",
    "is_signed",
]
