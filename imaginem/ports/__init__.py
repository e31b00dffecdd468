"""What the pipeline needs from the outside world, as protocols.

Adapters implement them (`storage`, `results`, `engines`), `imaginem.testing` has
in-memory twins, and one contract suite holds all of them to the same behaviour.
"""

from imaginem.ports.engines import FaceEngine, FacePrintEngine, OcrEngine, VisionEngine
from imaginem.ports.results import Alike, EnrolledFace, FaceGallery, FaceOwner, JobResult, Results
from imaginem.ports.service_faces import FaceList, ServiceFace, ServiceFaces
from imaginem.ports.services import Fetcher, Limits, Photos, Services
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
    "Alike",
    "Blobs",
    "EnrolledFace",
    "FaceEngine",
    "FaceGallery",
    "FaceList",
    "FaceOwner",
    "FacePrintEngine",
    "Fetcher",
    "JobKey",
    "JobLog",
    "JobResult",
    "Limits",
    "LogEntry",
    "OcrEngine",
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
    "Span",
    "Telemetry",
    "VisionEngine",
]
