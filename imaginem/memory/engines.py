"""In-memory fakes of the engines: quick, without models, and always with the same answer."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from imaginem.images.decoding import Photo
from imaginem.outputs import (
    Face,
    FaceMatch,
    FacePrint,
    ImageAnalysis,
    OcrText,
    PhotoMetadata,
    PhotoReply,
    Rectangle,
    Tag,
)
from imaginem.ports import CallContext, JobKey, SimilarFace


class FakeVision:
    """Says of every photo that it is a photo, and its size."""

    name = "fake"

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        """Return one tag."""
        size = PhotoMetadata(width=photo.width, height=photo.height, format=photo.format)
        return ImageAnalysis(tags=[Tag(name="photo", confidence=1.0)], metadata=size)


class FakeOcr:
    """Finds no text."""

    name = "fake"

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return no text."""
        return OcrText()


class FakeFaces:
    """Finds one face in the middle of every photo."""

    name = "fake"

    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        """Return one face."""
        where = Rectangle(
            left=photo.width // 4,
            top=photo.height // 4,
            width=max(photo.width // 2, 1),
            height=max(photo.height // 2, 1),
        )
        return [Face(face_rectangle=where, detection_confidence=1.0)]


class FakeRecognizer:
    """Enrols every face, and finds none that look alike."""

    name = "fake"

    def enrol(
        self, key: JobKey, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[FacePrint]:
        """Return an enrolled face for each that has a face id."""
        return [
            FacePrint(face_id=face.face_id, model=self.name, dimensions=1, quality=1.0)
            for face in faces
            if face.face_id is not None
        ]

    def match(
        self,
        key: JobKey,
        face_ids: Sequence[uuid.UUID],
        photo: Callable[[], Photo],
        call: CallContext,
    ) -> list[FaceMatch]:
        """Return no match."""
        return []

    def search(
        self, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[tuple[Face, list[SimilarFace]]]:
        """Return the faces, none with a similar one."""
        return [(face, []) for face in faces]


class FakeQuestions:
    """Answers every question with "yes"."""

    name = "fake"

    def answer(self, photo: Photo, question: str, call: CallContext) -> PhotoReply:
        """Return an answer."""
        return PhotoReply(question=question, answer="yes", can_tell=True)


class Failing:
    """An engine of any kind whose first calls fail.

    Args:
        problem: what is raised.
        times: calls that fail, 0 for all; later ones return the analysis of an empty photo.
    """

    name = "failing"

    def __init__(self, problem: Exception, times: int = 0) -> None:
        self._problem = problem
        self._left = times or -1

    def _fail(self, *args: object, **more: object) -> Any:
        if self._left == 0:
            return ImageAnalysis(metadata=PhotoMetadata(width=1, height=1, format="PNG"))
        self._left -= 1
        raise self._problem

    analyze = read = detect = enrol = match = search = answer = _fail
