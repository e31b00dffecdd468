"""Everything a step's author needs to test a step without storage, network or models.

`job_for(photo)` makes a `JobContext`; `MemoryServices` is a whole Imaginem in memory.
The fakes here pass the same contract suite as the real adapters.
"""

import io
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from pydantic_core import to_json

from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo, PhotoCache
from imaginem.memory.face_index import MemoryFaceIndex
from imaginem.memory.gallery import MemoryGallery
from imaginem.memory.results import MemoryResults
from imaginem.memory.storage import (
    MemoryBlobs,
    MemoryLog,
    MemoryPoison,
    MemoryQueues,
    MemorySharedState,
)
from imaginem.memory.stores import MemoryStores
from imaginem.message import JobMessage, decode_message
from imaginem.outputs import (
    Face,
    FaceMatch,
    FacePrint,
    ImageAnalysis,
    OcrText,
    PhotoMetadata,
    Rectangle,
    Tag,
)
from imaginem.pipeline.advance import Transition
from imaginem.pipeline.cancelling import CancelledBatches
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.process import Delivery, PipelineStep, process_step
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, Erasable, JobKey, SimilarFace
from imaginem.telemetry.silent import SilentTelemetry
from imaginem.usecases.erasables import erasables_of

__all__ = [
    "Failing",
    "FakeFaces",
    "FakeOcr",
    "FakeRecognizer",
    "FakeVision",
    "MemoryBlobs",
    "MemoryFaceIndex",
    "MemoryGallery",
    "MemoryLog",
    "MemoryPoison",
    "MemoryQueues",
    "MemoryResults",
    "MemoryServices",
    "MemorySharedState",
    "job_for",
    "message_for",
    "no_network",
    "photo_bytes",
    "run_all",
]


class FakeVision:
    """Calls every photo by its size."""

    name = "fake"

    def analyze(self, photo: Photo) -> ImageAnalysis:
        """Return one tag."""
        size = PhotoMetadata(width=photo.width, height=photo.height, format=photo.format)
        return ImageAnalysis(tags=[Tag(name="photo", confidence=1.0)], metadata=size)


class FakeOcr:
    """Reads nothing."""

    name = "fake"

    def read(self, photo: Photo) -> OcrText:
        """Return no text."""
        return OcrText()


class FakeFaces:
    """Finds one face in the middle of every photo."""

    name = "fake"

    def detect(self, photo: Photo, *, for_recognition: bool = False) -> list[Face]:
        """Return one face."""
        where = Rectangle(
            left=photo.width // 4,
            top=photo.height // 4,
            width=max(photo.width // 2, 1),
            height=max(photo.height // 2, 1),
        )
        return [Face(face_rectangle=where, detection_confidence=1.0)]


class FakeRecognizer:
    """Gives every face a print, and matches none."""

    name = "fake"

    def enrol(self, key: JobKey, photo: Photo, faces: Sequence[Face]) -> list[FacePrint]:
        """Return one print a face."""
        return [
            FacePrint(face_id=face.face_id, model=self.name, dimensions=1, quality=1.0)
            for face in faces
            if face.face_id is not None
        ]

    def match(
        self, key: JobKey, face_ids: Sequence[uuid.UUID], photo: Callable[[], Photo]
    ) -> list[FaceMatch]:
        """Return no match."""
        return []

    def search(self, photo: Photo, faces: Sequence[Face]) -> list[tuple[Face, list[SimilarFace]]]:
        """Find nobody."""
        return [(face, []) for face in faces]


class Failing:
    """An engine of any kind that raises `problem` for its first `times` calls (0: always)."""

    name = "failing"

    def __init__(self, problem: Exception, times: int = 0) -> None:
        self._problem = problem
        self._left = times or -1

    def _fail(self, *args: object, **more: object) -> Any:
        if self._left == 0:
            return ImageAnalysis(metadata=PhotoMetadata(width=1, height=1, format="PNG"))
        self._left -= 1
        raise self._problem

    analyze = read = detect = enrol = match = search = _fail


def no_network(url: str) -> bytes:
    """Refuse to fetch."""
    raise PermanentError(f"{url}: tests fetch nothing")


@dataclass
class MemoryServices(MemoryStores):
    """A whole Imaginem in memory; replace any part by passing it."""

    core_settings: CoreSettings = field(default_factory=CoreSettings)
    queues: MemoryQueues = field(default_factory=MemoryQueues)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    log: MemoryLog = field(default_factory=MemoryLog)
    poison: MemoryPoison = field(default_factory=MemoryPoison)
    fetch: Any = no_network
    photos: PhotoCache = field(default_factory=lambda: PhotoCache(pixels=0))
    telemetry: Any = field(default_factory=SilentTelemetry)
    vision: Any = field(default_factory=FakeVision)
    ocr: Any = field(default_factory=FakeOcr)
    faces: Any = field(default_factory=FakeFaces)
    recognizer: Any = field(default_factory=FakeRecognizer)
    engine_names: Mapping[str, str] = field(
        default_factory=lambda: dict.fromkeys(("vision", "ocr", "faces", "prints"), "fake")
    )
    shared_state: MemorySharedState = field(default_factory=MemorySharedState)
    cancellations: Any = None

    def __post_init__(self) -> None:
        """Make the stores; read cancellations from the shared state unless others are given."""
        super().__post_init__()
        if self.cancellations is None:
            self.cancellations = CancelledBatches(self.shared_state)

    @property
    def erasables(self) -> Sequence[Erasable]:
        """Every store that keeps something of a job, in the order of erasing."""
        return erasables_of(self)

    def maintenance(self) -> None:
        """Do nothing."""


def photo_bytes(
    width: int = 64, height: int = 48, color: str = "teal", format_name: str = "PNG"
) -> bytes:
    """Return a plain photo's file."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, format=format_name)
    return out.getvalue()


def message_for(
    image_url: str,
    pipeline: Iterable[str],
    *,
    job_id: str = "job-1",
    batch_id: str = "batch-1",
    step: int = 0,
    outputs: Mapping[str, Any] | None = None,
) -> JobMessage:
    """Return a job message as a sender writes it."""
    value = {
        "job_definition": {
            "id": job_id,
            "batch_id": batch_id,
            "input": {"image_url": image_url},
            "processing_pipeline": list(pipeline),
            "processing_step": step,
        },
        "job_output": dict(outputs or {}),
    }
    return decode_message(to_json(value), ())


def job_for(
    photo: bytes | None = None,
    *,
    outputs: Mapping[str, Any] | None = None,
    services: MemoryServices | None = None,
) -> JobContext:
    """Return a job to call a step with: `blurriness(job_for(photo))`.

    Args:
        photo: the photo's file; a plain one by default.
        outputs: what earlier steps found, as JSON values by step name.
        services: where engines and storage come from; all in memory by default.
    """
    services = services or MemoryServices()
    data = photo_bytes() if photo is None else photo
    container = services.core_settings.input_container
    url = services.blobs.put(container, "batch-1/photo", data, "image/png")
    message = message_for(url, ["steptotest"], outputs=outputs)
    return JobContext(message, services)


def run_all(
    services: MemoryServices, registry: Registry, *, most: int = 1000
) -> list[tuple[str, Transition]]:
    """Run every visible message on every step's queue until none is left.

    Raises:
        Exception: whatever a step raises; the message then stays on its queue.
    """
    done: list[tuple[str, Transition]] = []
    while len(done) < most:
        moved = [found for step in registry if (found := _run_one(services, step, registry))]
        if not moved:
            return done
        done += moved
    raise AssertionError(f"the pipeline did not come to an end within {most} step executions")


def _run_one(
    services: MemoryServices, step: PipelineStep, registry: Registry
) -> tuple[str, Transition] | None:
    services.queues.create(step.name)
    for item in services.queues.receive(step.name, 1, 30):
        delivery = Delivery(item.body, item.id, item.dequeue_count)
        moved = process_step(step, delivery, services, registry)
        services.queues.delete(step.name, item)
        return step.name, moved
    return None
