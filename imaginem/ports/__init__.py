"""What the pipeline needs from the outside world, as protocols.

Adapters implement them (`storage`, `results`, `engines`), `imaginem.testing` has
in-memory twins, and one contract suite holds all of them to the same behaviour.
"""

from imaginem.ports.engines import (
    SEARCH_LIMIT,
    FaceEngine,
    FaceRecognizer,
    OcrEngine,
    SimilarFace,
    VisionEngine,
)
from imaginem.ports.results import (
    EnrolledFace,
    FaceGallery,
    FaceOwner,
    JobResult,
    Neighbor,
    Results,
)
from imaginem.ports.search import (
    Archive,
    BatchInfo,
    BatchPage,
    FacePair,
    FoundPhoto,
    Groups,
    PhotoFilter,
    PhotoPage,
    Submission,
    Verdict,
)
from imaginem.ports.service_faces import FaceList, ServiceFace, ServiceFaces
from imaginem.ports.services import (
    Cancellations,
    CoreSettings,
    DashboardServices,
    Fetcher,
    Photos,
    Services,
)
from imaginem.ports.storage import (
    Blobs,
    JobKey,
    JobLog,
    LogEntry,
    PoisonEntry,
    PoisonLog,
    QueueItem,
    Queues,
    SharedState,
)
from imaginem.ports.telemetry import Span, Telemetry

__all__ = [
    "SEARCH_LIMIT",
    "Archive",
    "BatchInfo",
    "BatchPage",
    "Blobs",
    "Cancellations",
    "CoreSettings",
    "DashboardServices",
    "EnrolledFace",
    "FaceEngine",
    "FaceGallery",
    "FaceList",
    "FaceOwner",
    "FacePair",
    "FaceRecognizer",
    "Fetcher",
    "FoundPhoto",
    "Groups",
    "JobKey",
    "JobLog",
    "JobResult",
    "LogEntry",
    "Neighbor",
    "OcrEngine",
    "PhotoFilter",
    "PhotoPage",
    "Photos",
    "PoisonEntry",
    "PoisonLog",
    "QueueItem",
    "Queues",
    "Results",
    "ServiceFace",
    "ServiceFaces",
    "Services",
    "SharedState",
    "SimilarFace",
    "Span",
    "Submission",
    "Telemetry",
    "Verdict",
    "VisionEngine",
]
