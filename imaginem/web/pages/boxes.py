"""What a photo's page shows of the outputs: boxes on the photo, and lists beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from imaginem.outputs import Caption, Face, FoundObject, ImageAnalysis, OcrText, Tag, TextLine
from imaginem.ports.erasing import ERASED_FACES
from imaginem.ports.own_outputs.values import MarkedBox
from imaginem.ports.seen_words import words_seen
from imaginem.usecases.searching import TextHit
from imaginem.usecases.unseen import SeenOfFile, seen_of_file

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class PhotoContents:
    """A job's outputs as the page shows them; one that doesn't fit its model is left out.

    Attributes:
        faces_unread: there is an output of `facedetection`, and it fits no model.
        faces_erased: how many faces were left out, since they were erased.
        seen: how much of the photo's file was there to be seen.
    """

    analysis: ImageAnalysis | None = None
    text: OcrText | None = None
    faces: list[Face] = field(default_factory=list)
    faces_unread: bool = False
    faces_erased: int = 0
    seen: SeenOfFile = field(default_factory=SeenOfFile)

    @property
    def objects(self) -> list[FoundObject]:
        """Objects, with their boxes."""
        return self.analysis.objects if self.analysis else []

    def is_unsought(self, part: str) -> bool:
        """Tell whether nobody looked for a part of the analysis, such as `objects`."""
        if self.analysis is None:
            return False
        return part in (*(self.analysis.not_looked_for or ()), *(self.analysis.unanswered or ()))

    @property
    def lines(self) -> list[TextLine]:
        """Lines of text."""
        return self.text.lines if self.text else []

    @property
    def places_unknown(self) -> bool:
        """Whether the engine that read the text tells no places: there are no boxes of lines."""
        return self.text is not None and bool(self.text.without_places)

    @property
    def text_turned(self) -> int:
        """Degrees by which the photo was turned to be read; 0 if it was not."""
        return self.text.turn.degrees if self.text and self.text.turn else 0

    @property
    def faces_turned(self) -> int:
        """Degrees by which the photo was turned to find its faces; 0 if it was not."""
        turns = [face.turn.degrees for face in self.faces if face.turn]
        return turns[0] if turns else 0

    @property
    def is_adult(self) -> bool:
        """Whether the photo is shown only after a warning."""
        adult = self.analysis.adult if self.analysis else None
        return adult is not None and bool(adult.is_adult_content or adult.is_gory_content)


@dataclass(frozen=True)
class ShownPage:
    """The page of a photo's file that is shown, and which boxes are on it.

    Attributes:
        number: of the page, from 1 on.
        contents: of all pages.
        hits: of a search, on all pages.
        searched: the words that were searched for.
    """

    number: int
    contents: PhotoContents
    hits: Sequence[TextHit]
    searched: str

    def has(self, item: Caption | TextHit | Face | FoundObject | TextLine | MarkedBox) -> bool:
        """Tell whether something is on this page."""
        return (item.page or 1) == self.number

    def count(self, boxes: Sequence[MarkedBox]) -> int:
        """Return how many of an own step's boxes are on this page."""
        return sum(map(self.has, boxes))

    @property
    def caption(self) -> str:
        """The first sentence that describes this page; empty if there is none."""
        analysis = self.contents.analysis
        captions = analysis.description.captions if analysis else []
        return next((caption.text for caption in captions if self.has(caption)), "")

    @property
    def counts(self) -> dict[str, int]:
        """How many boxes of each layer are on it."""
        return {
            "hits": sum(map(self.has, self.hits)),
            "faces": sum(map(self.has, self.contents.faces)),
            "objects": sum(map(self.has, self.contents.objects)),
            "words": sum(map(self.has, self.contents.lines)),
        }

    def link(self, number: int) -> str:
        """Return the address of another page, from this one."""
        searched = {"text": self.searched} if self.searched else {}
        return f"?{urlencode({**searched, 'page': number})}"


def contents_of(outputs: Mapping[str, Any]) -> PhotoContents:
    """Read a job's outputs, by step."""
    detected = outputs.get("facedetection")
    faces = detected.get("faces") if isinstance(detected, dict) else None
    erased = detected.get(ERASED_FACES) if isinstance(detected, dict) else None
    parsed = [_read(Face, face) for face in faces] if isinstance(faces, list) else []
    return PhotoContents(
        analysis=_analysis(outputs),
        text=_read(OcrText, outputs.get("ocr")),
        faces=[face for face in parsed if face is not None],
        faces_unread=not isinstance(faces, list) or None in parsed,
        faces_erased=erased if isinstance(erased, int) else 0,
        seen=seen_of_file(outputs),
    )


def _analysis(outputs: Mapping[str, Any]) -> ImageAnalysis | None:
    """Return the analysis, with the tags that text and faces give."""
    analysis = _read(ImageAnalysis, outputs.get("generalclassification"))
    if analysis is None:
        return None
    known = {tag.name for tag in analysis.tags}
    added = [
        Tag(name=word, confidence=confidence)
        for word, confidence in words_seen(outputs).items()
        if word not in known
    ]
    return analysis.model_copy(update={"tags": [*analysis.tags, *added]})


def _read(model: type[Model], value: Any) -> Model | None:
    try:
        return model.model_validate(value) if value is not None else None
    except ValidationError:
        return None


def polygon(corners: list[int]) -> str:
    """Return `[x1, y1, …]` as SVG writes points."""
    return " ".join(f"{x},{y}" for x, y in zip(corners[::2], corners[1::2], strict=False))
