"""What looks at photos."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from imaginem.outputs import Face, FaceMatch, FacePrint, ImageAnalysis, OcrText
from imaginem.ports.storage import JobKey

if TYPE_CHECKING:
    from imaginem.images.decoding import Photo


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

    def detect(self, photo: "Photo", *, for_recognition: bool = False) -> list[Face]:
        """Return the faces, largest first, not yet named.

        Args:
            photo: to look at.
            for_recognition: prints will be made of them, for which some engines can prepare.
        """


SEARCH_LIMIT = 200
"""Faces that a search returns at most; whoever asked may see only some of them."""


@dataclass(frozen=True)
class SimilarFace:
    """A face of the gallery that looks like one that was searched for."""

    face_id: uuid.UUID
    confidence: float
    band: str


class FaceRecognizer(Protocol):
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

    def search(self, photo: "Photo", faces: Sequence[Face]) -> list[tuple[Face, list[SimilarFace]]]:
        """Return who looks like the faces of a photo, best first for each; nothing is kept.

        Args:
            photo: that the faces are in.
            faces: as detected, to be printed; one that can't be is left out.
        """
