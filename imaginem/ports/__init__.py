"""What the pipeline needs from the outside world, as protocols.

Adapters implement them (`storage`, `results`, `engines`), `imaginem.testing` has
in-memory twins, and one contract suite holds all of them to the same behaviour.
"""

from imaginem.ports.engines import (
    SEARCH_LIMIT,
    FaceEngine,
    FacePrintEngine,
    OcrEngine,
    SimilarFace,
    VisionEngine,
)
from imaginem.ports.results import Alike, EnrolledFace, FaceGallery, FaceOwner, JobResult, Results
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
    DashboardServices,
    Fetcher,
    Limits,
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
    Registers,
)
from imaginem.ports.telemetry import Span, Telemetry

__all__ = [
    "SEARCH_LIMIT",
    "Alike",
    "Archive",
    "BatchInfo",
    "BatchPage",
    "Blobs",
    "Cancellations",
    "DashboardServices",
    "EnrolledFace",
    "FaceEngine",
    "FaceGallery",
    "FaceList",
    "FaceOwner",
    "FacePair",
    "FacePrintEngine",
    "Fetcher",
    "FoundPhoto",
    "Groups",
    "JobKey",
    "JobLog",
    "JobResult",
    "Limits",
    "LogEntry",
    "OcrEngine",
    "PhotoFilter",
    "PhotoPage",
    "Photos",
    "PoisonEntry",
    "PoisonLog",
    "QueueItem",
    "Queues",
    "Registers",
    "Results",
    "ServiceFace",
    "ServiceFaces",
    "Services",
    "SimilarFace",
    "Span",
    "Submission",
    "Telemetry",
    "Verdict",
    "VisionEngine",
]
