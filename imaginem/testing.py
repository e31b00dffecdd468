"""Everything a step's author needs to test a step without storage, network or models.

`job_for(photo)` makes a `JobContext`; `MemoryServices` is a whole Imaginem in memory.
The twins here pass the same contract suite as the real adapters.
"""

import io
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from imaginem.context import JobContext
from imaginem.errors import FenceLost, NotFound, PermanentError
from imaginem.imaging import Photo, decode_photo
from imaginem.models import JobMessage, decode_message
from imaginem.names import is_plain_path, table_key
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
from imaginem.ports import (
    Alike,
    EnrolledFace,
    FaceOwner,
    JobKey,
    JobResult,
    Limits,
    LogEntry,
    PoisonEntry,
    QueueItem,
)
from imaginem.process import Delivery, Transition, process_step
from imaginem.registry import Registry, Step


@dataclass
class _Held:
    item: QueueItem
    visible_at: float


class MemoryQueues:
    """Queues in memory. `clock` can be moved to make delayed messages appear."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._queues: dict[str, dict[str, _Held]] = {}
        self._lock = threading.Lock()
        self._clock = clock

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message."""
        item = QueueItem(str(uuid.uuid4()), body, 0, "", datetime.now(UTC))
        with self._lock:
            held = _Held(item, self._clock() + delay)
            self._queues.setdefault(queue, {})[item.id] = held
        return item.id

    def receive(self, queue: str, count: int, lease: float) -> list[QueueItem]:
        """Take messages."""
        with self._lock:
            if queue not in self._queues:
                raise NotFound(f"no queue {queue}")
            now = self._clock()
            taken: list[QueueItem] = []
            for held in self._queues[queue].values():
                if held.visible_at <= now and len(taken) < count:
                    held.item = replace(
                        held.item,
                        dequeue_count=held.item.dequeue_count + 1,
                        receipt=str(uuid.uuid4()),
                    )
                    held.visible_at = now + lease
                    taken.append(held.item)
            return taken

    def _mine(self, queue: str, item: QueueItem) -> _Held:
        held = self._queues.get(queue, {}).get(item.id)
        if held is None or held.item.receipt != item.receipt:
            raise NotFound(f"message {item.id} of {queue} is not ours")
        return held

    def extend(self, queue: str, item: QueueItem, lease: float) -> QueueItem:
        """Hide a message longer."""
        with self._lock:
            held = self._mine(queue, item)
            held.item = replace(held.item, receipt=str(uuid.uuid4()))
            held.visible_at = self._clock() + lease
            return held.item

    def delete(self, queue: str, item: QueueItem) -> None:
        """Remove a message."""
        with self._lock:
            self._mine(queue, item)
            del self._queues[queue][item.id]

    def create(self, queue: str) -> None:
        """Make a queue."""
        with self._lock:
            self._queues.setdefault(queue, {})

    def count(self, queue: str) -> int | None:
        """Count messages."""
        with self._lock:
            return len(self._queues[queue]) if queue in self._queues else None

    def clear(self, queue: str) -> None:
        """Remove all messages."""
        with self._lock:
            if queue not in self._queues:
                raise NotFound(f"no queue {queue}")
            self._queues[queue] = {}

    def names(self) -> list[str]:
        """List queues."""
        with self._lock:
            return sorted(self._queues)


class MemoryBlobs:
    """Blobs in memory, at addresses under `https://memory.test/`."""

    root = "https://memory.test/"

    def __init__(self) -> None:
        self._blobs: dict[tuple[str, str], bytes] = {}

    def put(self, container: str, name: str, data: bytes, content_type: str) -> str:
        """Write a blob."""
        self._blobs[container, name] = data
        return self.address(container, name)

    def address(self, container: str, name: str) -> str:
        """Return a blob's address."""
        from urllib.parse import quote

        return f"{self.root}{container}/{quote(name, safe='/~')}"

    def get(self, container: str, name: str, limit: int) -> bytes:
        """Read a blob."""
        if (container, name) not in self._blobs:
            raise NotFound(f"no blob {container}/{name}")
        data = self._blobs[container, name]
        if len(data) > limit:
            raise PermanentError(f"{container}/{name} has {len(data)} bytes; the limit is {limit}")
        return data

    def delete(self, container: str, name: str) -> None:
        """Remove a blob."""
        self._blobs.pop((container, name), None)

    def list(self, container: str, prefix: str) -> list[str]:
        """List blobs."""
        return sorted(n for c, n in self._blobs if c == container and n.startswith(prefix))

    def locate(self, url: str) -> tuple[str, str] | None:
        """Find container and name."""
        from urllib.parse import unquote

        rest = url.removeprefix(self.root)
        container, _, name = rest.partition("/")
        name = unquote(name)
        return (container, name) if rest != url and is_plain_path(name) else None


class MemoryLog:
    """`pipelinelogs` in memory."""

    def __init__(self) -> None:
        self._entries: dict[JobKey, LogEntry] = {}
        self._fences = itertools.count(1)
        self._lock = threading.Lock()

    def _put(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        fence = f"fence-{next(self._fences)}"
        self._entries[key] = LogEntry(*key, dict(properties), fence, datetime.now(UTC))
        return fence

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        """Create an entity."""
        _check_keys(key)
        with self._lock:
            if key in self._entries:
                raise FenceLost(f"{key} exists")
            return self._put(key, properties)

    def _fenced(self, key: JobKey, fence: str) -> LogEntry:
        entry = self._entries.get(key)
        if entry is None or entry.fence != fence:
            raise FenceLost(f"{key} has changed")
        return entry

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Change properties."""
        with self._lock:
            return self._put(key, {**self._fenced(key, fence).properties, **properties})

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Set properties."""
        with self._lock:
            self._fenced(key, fence)
            return self._put(key, properties)

    def read(self, key: JobKey) -> LogEntry | None:
        """Read an entity."""
        return self._entries.get(key)

    def batch(self, batch_id: str, *, only: Sequence[str] = ()) -> Iterator[LogEntry]:
        """Read a batch."""
        for key in sorted(key for key in self._entries if key[0] == batch_id):
            entry = self._entries[key]
            chosen = {n: v for n, v in entry.properties.items() if not only or n in only}
            yield replace(entry, properties=chosen)


def _check_keys(key: JobKey) -> None:
    table_key(key[0], "batch_id")
    table_key(key[1], "id")


class MemoryPoison:
    """`pipelinepoison` in memory."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], PoisonEntry] = {}

    def add(self, entry: PoisonEntry) -> None:
        """Keep an entry."""
        self._entries[entry.queue, entry.id] = replace(entry, at=datetime.now(UTC))

    def list(self, queue: str | None = None) -> list[PoisonEntry]:
        """List entries."""
        return [e for k, e in sorted(self._entries.items()) if queue in (None, k[0])]

    def read(self, queue: str, message_id: str) -> PoisonEntry | None:
        """Read an entry."""
        return self._entries.get((queue, message_id))

    def drop(self, queue: str, message_id: str) -> None:
        """Remove an entry."""
        self._entries.pop((queue, message_id), None)


class MemoryResults:
    """`pipeline_output` in memory."""

    def __init__(self) -> None:
        self._rows: dict[JobKey, JobResult] = {}

    def save(self, result: JobResult) -> None:
        """Write a result."""
        self._rows[result.batch_id, result.id] = replace(result, timestamp=datetime.now(UTC))

    def read(self, key: JobKey) -> JobResult | None:
        """Read a result."""
        return self._rows.get(key)

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Read a batch."""
        return iter([row for key, row in sorted(self._rows.items()) if key[0] == batch_id])


def _cosine(vector: Any, embedding: bytes) -> float:
    import numpy as np

    return float(vector @ np.frombuffer(embedding, np.float32))


class MemoryGallery:
    """The face gallery in memory."""

    def __init__(self) -> None:
        self._faces: dict[uuid.UUID, tuple[JobKey, EnrolledFace]] = {}
        self._pairs: dict[tuple[uuid.UUID, uuid.UUID], FaceMatch] = {}

    def enrol(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
        """Make these the job's faces."""
        if len({face.face_id for face in faces}) < len(faces):
            raise PermanentError("two faces have the same face_id: detect the faces again")
        for face in faces:
            if face.face_id in self._faces and self._faces[face.face_id][0] != key:
                raise PermanentError(f"face {face.face_id} belongs to another job")
        kept = {face.face_id for face in faces}
        gone = {i for i, (owner, _) in self._faces.items() if owner == key and i not in kept}
        self._faces = {i: f for i, f in self._faces.items() if i not in gone}
        self._pairs = {p: m for p, m in self._pairs.items() if not gone & set(p)}
        self._faces |= {face.face_id: (key, face) for face in faces}

    def similar(self, key: JobKey, face_id: uuid.UUID, *, least: float, limit: int) -> list[Alike]:
        """Find alike faces."""
        import numpy as np

        if face_id not in self._faces:
            raise NotFound(f"face {face_id} is not in the gallery")
        mine = self._faces[face_id][1]
        vector = np.frombuffer(mine.embedding, np.float32)
        found = [
            Alike(other.face_id, _cosine(vector, other.embedding), other.quality)
            for owner, other in self._faces.values()
            if owner != key and other.model == mine.model
        ]
        alike = [face for face in found if face.similarity >= least]
        alike.sort(key=lambda face: -face.similarity)
        return alike[:limit]

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Read qualities."""
        return {i: self._faces[i][1].quality for i in face_ids if i in self._faces}

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs."""
        for match in matches:
            one, other = match.face_id, match.matched_face_id
            if one in self._faces and other in self._faces:
                self._pairs[one, other] = match
                swapped = {"face_id": other, "matched_face_id": one}
                self._pairs[other, one] = match.model_copy(update=swapped)

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Read pairs."""
        mine = [match for (one, _), match in self._pairs.items() if one in set(face_ids)]
        return sorted(mine, key=lambda match: (-match.confidence, str(match.matched_face_id)))

    def owners(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FaceOwner]:
        """Find owners."""
        known = [i for i in face_ids if i in self._faces]
        return {i: FaceOwner(i, *self._faces[i][0], self._faces[i][1].rectangle) for i in known}

    def faces_of(self, key: JobKey) -> list[FaceOwner]:
        """Find a job's faces."""
        return list(self.owners([i for i, (o, _) in self._faces.items() if o == key]).values())


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

    def detect(self, photo: Photo) -> list[Face]:
        """Return one face."""
        where = Rectangle(
            left=photo.width // 4,
            top=photo.height // 4,
            width=max(photo.width // 2, 1),
            height=max(photo.height // 2, 1),
        )
        return [Face(face_rectangle=where, detection_confidence=1.0)]


class FakePrints:
    """Gives every face a print, and matches none."""

    name = "fake"

    def enrol(self, key: JobKey, photo: Photo, faces: Sequence[Face]) -> list[FacePrint]:
        """Return one print a face."""
        return [
            FacePrint(face_id=face.face_id, model=self.name, dimensions=1, quality=1.0)
            for face in faces
            if face.face_id is not None
        ]

    def match(self, key: JobKey, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Return no match."""
        return []


class Failing:
    """An engine of any kind that raises `problem` for its first `times` calls (0: always)."""

    name = "failing"

    def __init__(self, problem: Exception, times: int = 0) -> None:
        self._problem = problem
        self._left = times or -1

    def _fail(self, *args: object) -> Any:
        if self._left == 0:
            return ImageAnalysis(metadata=PhotoMetadata(width=1, height=1, format="PNG"))
        self._left -= 1
        raise self._problem

    analyze = read = detect = enrol = match = _fail


def no_network(url: str) -> bytes:
    """Refuse to fetch."""
    raise PermanentError(f"{url}: tests fetch nothing")


@dataclass
class MemoryServices:
    """A whole Imaginem in memory; replace any part by passing it."""

    limits: Limits = field(default_factory=Limits)
    queues: MemoryQueues = field(default_factory=MemoryQueues)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    log: MemoryLog = field(default_factory=MemoryLog)
    poison: MemoryPoison = field(default_factory=MemoryPoison)
    results: MemoryResults = field(default_factory=MemoryResults)
    gallery: MemoryGallery = field(default_factory=MemoryGallery)
    fetch: Any = no_network
    decode: Any = decode_photo
    vision: Any = field(default_factory=FakeVision)
    ocr: Any = field(default_factory=FakeOcr)
    faces: Any = field(default_factory=FakeFaces)
    prints: Any = field(default_factory=FakePrints)


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
    from pydantic_core import to_json

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
    container = services.limits.input_container
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
    raise AssertionError(f"the pipeline did not come to an end within {most} hops")


def _run_one(
    services: MemoryServices, step: Step[Any], registry: Registry
) -> tuple[str, Transition] | None:
    services.queues.create(step.name)
    for item in services.queues.receive(step.name, 1, 30):
        delivery = Delivery(item.body, item.id, item.dequeue_count)
        moved = process_step(step, delivery, services, registry)
        services.queues.delete(step.name, item)
        return step.name, moved
    return None
