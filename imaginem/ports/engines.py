"""Engines analyse photos. Each kind of engine has a protocol and a typed key."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from imaginem.ports.outputs.analysis import ImageAnalysis
from imaginem.ports.outputs.faces import Face, FaceMatch, FacePrint
from imaginem.ports.outputs.questions import PhotoReply
from imaginem.ports.outputs.text import OcrText
from imaginem.ports.storage import JobKey

if TYPE_CHECKING:
    from imaginem.images.decoding import Photo

EngineT = TypeVar("EngineT")


@dataclass(frozen=True)
class CallContext:
    """The job and step that an engine is called for; for spans, metrics and log lines.

    Attributes:
        batch_id: of the job; empty when the call belongs to no job.
        job_id: of the job; empty when the call belongs to no job.
        step: name of the step, or the purpose of a call that belongs to no job.
        run: of the job; what is kept in its name is refused once that run was erased.
        continues: this step has called before, for another page: going back to the queue would pay
            for that again, so it waits for a service's quota.
    """

    batch_id: str
    job_id: str
    step: str
    run: str = ""
    continues: bool = False

    @classmethod
    def without_job(cls, purpose: str) -> "CallContext":
        """Return the context of a call that belongs to no job.

        Args:
            purpose: of few values, since metrics carry it; with a space in it, so that no step
                has the same name.
        """
        return cls("", "", purpose)

    @property
    def ids(self) -> dict[str, str]:
        """The job's ids and the step, by name; without the ids when the call has no job."""
        job = {"batch_id": self.batch_id, "job_id": self.job_id} if self.job_id else {}
        return {**job, "step": self.step}


FACE_SEARCH = CallContext.without_job("face search")
"""A person searches the gallery for the faces of a photo that is not kept."""


class VisionEngine(Protocol):
    """Says what is in a photo."""

    @property
    def name(self) -> str:
        """Return the engine's name."""

    def analyze(self, photo: "Photo", call: CallContext) -> ImageAnalysis:
        """Return tags, categories, objects, colours and the rest; boxes are in pixels."""


class OcrEngine(Protocol):
    """Reads text."""

    @property
    def name(self) -> str:
        """Return the engine's name."""

    def read(self, photo: "Photo", call: CallContext) -> OcrText:
        """Return the text in reading order; polygons are in pixels."""


class FaceEngine(Protocol):
    """Finds faces."""

    @property
    def name(self) -> str:
        """Return the detector's name; it is part of each face's id."""

    def detect(
        self, photo: "Photo", call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        """Return the faces, largest first, without face ids.

        Args:
            photo: to look at.
            call: whom the engine is called for.
            for_recognition: the faces will be recognized; some engines prepare for that here.
        """


SEARCH_LIMIT = 200
"""Most faces of each group that a search returns, before hidden ones are left out."""


@dataclass(frozen=True)
class SimilarFace:
    """A face of the gallery that looks like the one searched for."""

    face_id: uuid.UUID
    confidence: float
    band: str


class FaceRecognizer(Protocol):
    """Tells faces apart: keeps an embedding of each, and finds faces that look alike."""

    @property
    def name(self) -> str:
        """Return the model's name; embeddings of different models are never compared."""

    def enrol(
        self, key: JobKey, photo: "Photo", faces: Sequence[Face], call: CallContext
    ) -> list[FacePrint]:
        """Put faces with face ids into the gallery, in place of the job's earlier faces.

        The faces may be on any pages of the photo's file: `by_page` gives each its page.
        """

    def match(
        self,
        key: JobKey,
        face_ids: Sequence[uuid.UUID],
        photo: "Callable[[], Photo]",
        call: CallContext,
    ) -> list[FaceMatch]:
        """Find faces of other jobs that look like these, keep the pairs and return them.

        Args:
            key: the job whose faces these are.
            face_ids: as enrolled.
            photo: returns the job's photo; called only when an embedding has expired meanwhile.
            call: whom the engine is called for.

        Returns:
            The pairs, best first for each face; limits count for each group of batches.
        """

    def search(
        self, photo: "Photo", faces: Sequence[Face], call: CallContext
    ) -> list[tuple[Face, list[SimilarFace]]]:
        """Return faces of the gallery that look like those of a photo; nothing is kept.

        Args:
            photo: that the faces are in.
            faces: as detected; one that can't be recognized is left out.
            call: whom the engine is called for.

        Returns:
            Each face with those that look like it, best first.
        """


class QuestionEngine(Protocol):
    """Answers questions about photos."""

    @property
    def name(self) -> str:
        """Return the engine's name."""

    def answer(self, photo: "Photo", question: str, call: CallContext) -> PhotoReply:
        """Return an answer in words; it is a suggestion.

        Raises:
            PermanentError: nobody answers here, or not this question.
        """


@runtime_checkable
class Probed(Protocol):
    """An engine that can look whether what it needs answers; `imaginem doctor` does."""

    def probe(self) -> None:
        """Look whether it would serve; it may make a call that is paid.

        Raises:
            ImaginemError: it would not; says what to do.
        """


@dataclass(frozen=True)
class EngineKind(Generic[EngineT]):
    """A kind of engine, typed by its protocol: `job.engine(OCR)` is an `OcrEngine`.

    Attributes:
        name: of the kind; also of the property of `Engines`.
    """

    name: str


VISION: EngineKind[VisionEngine] = EngineKind("vision")
OCR: EngineKind[OcrEngine] = EngineKind("ocr")
FACES: EngineKind[FaceEngine] = EngineKind("faces")
RECOGNIZER: EngineKind[FaceRecognizer] = EngineKind("recognizer")
QUESTIONS: EngineKind[QuestionEngine] = EngineKind("questions")


class Engines(Protocol):
    """Gives the engines that the settings choose; subclasses inherit the short names."""

    def engine(self, kind: EngineKind[EngineT]) -> EngineT:
        """Return the engine of a kind."""

    @property
    def vision(self) -> VisionEngine:
        """The engine that says what is in a photo."""
        return self.engine(VISION)

    @property
    def ocr(self) -> OcrEngine:
        """The engine that reads text."""
        return self.engine(OCR)

    @property
    def faces(self) -> FaceEngine:
        """The engine that finds faces."""
        return self.engine(FACES)

    @property
    def recognizer(self) -> FaceRecognizer:
        """The engine that tells faces apart."""
        return self.engine(RECOGNIZER)

    @property
    def questions(self) -> QuestionEngine:
        """The engine that answers questions about a photo."""
        return self.engine(QUESTIONS)
