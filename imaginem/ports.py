"""What the pipeline needs from the outside world, as protocols.

Adapters implement them (`storage`, `results`, `engines`), `imaginem.testing` has
in-memory twins, and one contract suite holds all of them to the same behaviour.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from imaginem.outputs import (
    Face,
    FaceMatch,
    FacePrint,
    ImageAnalysis,
    OcrText,
)

if TYPE_CHECKING:
    from imaginem.imaging import Photo

JobKey = tuple[str, str]
"""Batch id and job id, as the message has them."""


@dataclass(frozen=True)
class QueueItem:
    """A message taken from a queue; `receipt` proves that we hold it."""

    id: str
    body: str
    dequeue_count: int
    receipt: str
    inserted: datetime | None = None


class Queues(Protocol):
    """Named queues that deliver at least once."""

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message that never expires; make the queue if it is missing; return its id."""

    def receive(self, queue: str, count: int, lease: float) -> list[QueueItem]:
        """Take up to `count` messages, hidden from others for `lease` seconds."""

    def extend(self, queue: str, item: QueueItem, lease: float) -> QueueItem:
        """Hide a message for `lease` seconds from now. Raises NotFound if it isn't ours."""

    def delete(self, queue: str, item: QueueItem) -> None:
        """Remove a message that is done. Raises NotFound if it isn't ours."""

    def create(self, queue: str) -> None:
        """Make a queue unless it exists."""

    def count(self, queue: str) -> int | None:
        """Return about how many messages wait or are hidden; None if there is no such queue."""

    def clear(self, queue: str) -> None:
        """Remove every message. Raises NotFound."""

    def names(self) -> list[str]:
        """Return the queues' names, sorted."""


class Blobs(Protocol):
    """Private containers of bytes."""

    def put(self, container: str, name: str, data: bytes, content_type: str) -> str:
        """Write a blob, making the container if it is missing; return its address."""

    def get(self, container: str, name: str, limit: int) -> bytes:
        """Return a blob's bytes. Raises NotFound; PermanentError over `limit` bytes."""

    def delete(self, container: str, name: str) -> None:
        """Remove a blob if it exists."""

    def list(self, container: str, prefix: str) -> list[str]:
        """Return the names that start with `prefix`, sorted."""

    def locate(self, url: str) -> tuple[str, str] | None:
        """Return container and name of an address in our own account, else None."""

    def link(self, container: str, name: str, minutes: int) -> str:
        """Return an address that lets whoever has it read this blob for some minutes."""


@dataclass(frozen=True)
class LogEntry:
    """A job's row in `pipelinelogs`."""

    batch_id: str
    job_id: str
    properties: Mapping[str, Any]
    fence: str
    updated: datetime | None = None

    def state_of(self, queue_property: str) -> str:
        """Return a step's state without its `step N: `; empty when it has none."""
        return str(self.properties.get(queue_property, "")).partition(": ")[2]


class JobLog(Protocol):
    """The table `pipelinelogs`: one entity a job. Fences are ETags."""

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        """Create the entity, return its fence. Raises FenceLost if it exists."""

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Change some properties, return the new fence. Raises FenceLost, also when missing."""

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Set all properties, return the new fence. Raises FenceLost, also when missing."""

    def read(self, key: JobKey) -> LogEntry | None:
        """Return a job's entity."""

    def batch(self, batch_id: str, *, only: Sequence[str] = ()) -> Iterator[LogEntry]:
        """Return a batch's entities, by job id; with `only`, just these properties."""


@dataclass(frozen=True)
class PoisonEntry:
    """A message that could not be processed, and why."""

    queue: str
    id: str
    reason: str
    body: str
    attempts: int = 1
    batch_id: str = ""
    job_id: str = ""
    at: datetime | None = None


class PoisonLog(Protocol):
    """The table `pipelinepoison`."""

    def add(self, entry: PoisonEntry) -> None:
        """Keep an entry; the same queue and id again replaces it."""

    def list(self, queue: str | None = None) -> list[PoisonEntry]:
        """Return the entries of one queue or of all, by queue and id."""

    def read(self, queue: str, message_id: str) -> PoisonEntry | None:
        """Return one entry."""

    def drop(self, queue: str, message_id: str) -> None:
        """Remove an entry if it exists."""


class Registers(Protocol):
    """Small named texts that all instances share, changed by compare-and-swap."""

    def read(self, name: str) -> tuple[str, str] | None:
        """Return a register's text and its fence; None if it was never written."""

    def write(self, name: str, text: str, fence: str) -> str:
        """Change a register, return its new fence. An empty fence creates it.

        Raises:
            FenceLost: somebody else has written it.
        """


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
    unfinished: Sequence[str] = ()
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
class Alike:
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

    def similar(self, key: JobKey, face_id: uuid.UUID, *, least: float, limit: int) -> list[Alike]:
        """Return other jobs' faces of the same model by cosine similarity, best first.

        Raises:
            NotFound: the face isn't in the gallery.
        """

    def qualities(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, float]:
        """Return the quality of each face that is in the gallery."""

    def keep_matches(self, matches: Sequence[FaceMatch]) -> None:
        """Store pairs so that both sides show them; a pair stored before is updated."""

    def matches_of(self, face_ids: Sequence[uuid.UUID]) -> list[FaceMatch]:
        """Return the stored pairs of these faces, best first, each seen from its face."""

    def owners(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FaceOwner]:
        """Return whose photos these faces are in."""

    def faces_of(self, key: JobKey) -> list[FaceOwner]:
        """Return a job's faces."""


@dataclass(frozen=True)
class ServiceFace:
    """What a face is called by a service that keeps its print.

    Attributes:
        service_face_id: searchable at once; empty when there is none that lives.
        lapses: when it is forgotten by the service.
        list_id: face list that it is in or is being added to.
        persisted_face_id: its name there; empty while it is being added.
    """

    face_id: uuid.UUID
    service_face_id: str = ""
    lapses: datetime | None = None
    list_id: str = ""
    persisted_face_id: str = ""


@dataclass(frozen=True)
class FaceList:
    """A face list of a service; lists are filled one after the other.

    Attributes:
        changed: it holds faces that no training covers, or some were removed.
        training: of ours that runs now; empty when none does.
        training_began: when it did.
        searchable: it has been trained.
        uncertain: it may hold faces that nobody knows, after an interrupted addition.
    """

    list_id: str
    number: int
    full: bool = False
    changed: bool = False
    training: str = ""
    training_began: datetime | None = None
    searchable: bool = False
    uncertain: bool = False


class ServiceFaces(Protocol):
    """Which face is called what by the service, and what is left to do there.

    Many instances write at once, so every method changes no more than it names. A face that is
    erased meanwhile never comes back: what the service got of it is queued for removal.
    """

    def read(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, ServiceFace]:
        """Return what is known of faces."""

    def note(self, faces: Mapping[uuid.UUID, tuple[str, datetime]]) -> None:
        """Keep the service's ids of faces, each with the moment that it lapses."""

    def lapsed(self, service_face_ids: Sequence[str]) -> None:
        """Forget ids that the service knows no more."""

    def adding(self, face_id: uuid.UUID, list_id: str) -> bool:
        """Note, before the call, that a face is added to a list; False if it is erased."""

    def added(self, face_id: uuid.UUID, list_id: str, persisted_face_id: str) -> None:
        """Note, after the call, what it is called there."""

    def not_added(self, face_id: uuid.UUID, list_id: str) -> None:
        """Note that the call was refused, so that the list has nothing of it."""

    def fresh(self, now: datetime) -> dict[str, uuid.UUID]:
        """Return faces that live and that no trained list covers, by the service's ids."""

    def owners(self, list_id: str, persisted: Sequence[str]) -> dict[str, uuid.UUID]:
        """Return which faces these are; those that nobody knows are left out."""

    def lists(self) -> list[FaceList]:
        """Return the lists of this account, the first one first."""

    def add_list(self, list_id: str, number: int) -> None:
        """Note a list that was made."""

    def mark(
        self,
        list_id: str,
        *,
        full: bool | None = None,
        changed: bool | None = None,
        uncertain: bool | None = None,
        searchable: bool | None = None,
    ) -> None:
        """Change what is given of a list, and nothing else."""

    def cover(self, list_id: str, training: str) -> None:
        """Note which faces a training covers, before it is asked for."""

    def begin_training(self, list_id: str, training: str) -> None:
        """Note that it runs."""

    def end_training(self, list_id: str, training: str, *, succeeded: bool) -> None:
        """Note how it ended: when it succeeded, its faces are found through their list."""

    def removals(self, list_id: str, most: int) -> list[str]:
        """Return faces that are gone here and must go there."""

    def removed(self, list_id: str, persisted_face_ids: Sequence[str]) -> None:
        """Note that they are gone there."""

    def stranded(self) -> int:
        """Return how many faces must go from lists of another account."""


class Span(Protocol):
    """Something that takes time, seen in a trace."""

    @property
    def traceparent(self) -> str:
        """Return the W3C trace context that continues the trace from here; may be empty."""

    def note(self, **attributes: str | int | float | bool) -> None:
        """Add attributes."""

    def fail(self, reason: str) -> None:
        """Mark it as failed."""


class Telemetry(Protocol):
    """Traces and metrics. Attributes never hold an address's query, a key or a face."""

    def span(
        self, name: str, *, parent: str = "", kind: str = "internal", **attributes: str | int
    ) -> AbstractContextManager[Span]:
        """Begin a span; without `parent`, inside the span that this thread is in.

        Args:
            name: of few values.
            parent: W3C trace context of what caused it.
            kind: `internal`, `client` (a call of ours) or `consumer` (a message taken).
            attributes: to find it by.
        """

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Add to a counter."""

    def measure(self, name: str, value: float, **attributes: str) -> None:
        """Add to a histogram."""

    def flush(self) -> None:
        """Send what is waiting, before the process ends."""


class VisionEngine(Protocol):
    """Says what is in a photo."""

    @property
    def name(self) -> str:
        """Return the engine's name."""

    def analyze(self, photo: "Photo") -> ImageAnalysis:
        """Return tags, categories, objects, colours and the rest."""


class OcrEngine(Protocol):
    """Reads text."""

    @property
    def name(self) -> str:
        """Return the engine's name."""

    def read(self, photo: "Photo") -> OcrText:
        """Return the text in reading order."""


class FaceEngine(Protocol):
    """Finds faces."""

    @property
    def name(self) -> str:
        """Return the detector's name; it is part of each face's id."""

    def detect(self, photo: "Photo", *, to_print: bool = False) -> list[Face]:
        """Return the faces, largest first, not yet named.

        Args:
            photo: to look at.
            to_print: prints will be made of them, for which some engines can prepare.
        """


class FacePrintEngine(Protocol):
    """Tells faces apart: keeps their prints and finds who looks alike."""

    @property
    def name(self) -> str:
        """Return the model's name."""

    def enrol(self, key: JobKey, photo: "Photo", faces: Sequence[Face]) -> list[FacePrint]:
        """Make these named faces the job's faces in the gallery."""

    def match(
        self, key: JobKey, face_ids: Sequence[uuid.UUID], photo: "Callable[[], Photo]"
    ) -> list[FaceMatch]:
        """Return and keep who looks like these faces, best first for each.

        Args:
            key: the job whose faces these are.
            face_ids: as enrolled.
            photo: gives the job's photo; asked only where the print has lapsed meanwhile.
        """


class Fetcher(Protocol):
    """Gets a photo from an address outside our account."""

    def __call__(self, url: str) -> bytes:
        """Return its bytes. Raises PermanentError or RetryableError."""


class Photos(Protocol):
    """Photos that were decoded lately."""

    def photo(self, key: str, read: Callable[[], bytes]) -> "Photo":
        """Return the photo of this key, reading it if need be. Raises PermanentError."""


@dataclass(frozen=True)
class Limits:
    """The numbers and names of the settings that the core needs."""

    default_pipeline: Sequence[str] = ()
    input_container: str = "inputimages"
    faces_container: str = "faces"
    max_attempts: int = 5
    max_waits: int = 100
    max_dequeue_count: int = 5
    retry_seconds: float = 2.0


class Services(Protocol):
    """Everything that a hop can reach; made by `runtime`, or by `testing` in memory."""

    @property
    def limits(self) -> Limits:
        """Return the numbers and names of the settings."""

    @property
    def queues(self) -> Queues:
        """Return the queues."""

    @property
    def blobs(self) -> Blobs:
        """Return the blobs."""

    @property
    def log(self) -> JobLog:
        """Return the progress table."""

    @property
    def poison(self) -> PoisonLog:
        """Return the table of what could not be processed."""

    @property
    def results(self) -> Results:
        """Return the results."""

    @property
    def gallery(self) -> FaceGallery:
        """Return the face gallery."""

    @property
    def fetch(self) -> Fetcher:
        """Return the guarded fetcher."""

    @property
    def photos(self) -> Photos:
        """Return the photos that were decoded lately."""

    @property
    def telemetry(self) -> Telemetry:
        """Return where traces and metrics go."""

    @property
    def vision(self) -> VisionEngine:
        """Return the engine of generalclassification."""

    @property
    def ocr(self) -> OcrEngine:
        """Return the engine of ocr."""

    @property
    def faces(self) -> FaceEngine:
        """Return the engine of facedetection."""

    @property
    def prints(self) -> FacePrintEngine:
        """Return the engine of faceprint and facematch."""

    def upkeep(self) -> None:
        """Do what is to be done now and then, however often it is called."""
