"""What engines return for a photo, with the field names of Azure Vision and Azure Face.

Coordinates are pixels of the photo, turned as its Exif says. Scores and confidences are from 0 to
1. None means that the engine does not tell; a confidence that can't be None is 0.0 then. `page`
says on which page of the photo's file something is, from 1 on; None if the file has one. `pages`
says how many it has.
"""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _snake(key: str) -> str:
    return _CAPITAL.sub("_", key).lower()


class StepOutput(BaseModel):
    """Base of every step's output.

    Field names are also read in the original system's spelling (`FaceRectangle`) and in
    Azure's (`faceRectangle`); unknown fields are ignored.
    """

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _accept_original_names(cls, value: Any) -> Any:
        if isinstance(value, dict) and any(key != key.lower() for key in value):
            return {_snake(key): item for key, item in value.items()}
        return value


class Tag(StepOutput):
    """A word for something in the photo; the hint says what kind of thing it means."""

    name: str
    confidence: float
    hint: str | None = None
    page: int | None = None


class Category(StepOutput):
    """One of Azure Vision's categories, such as `outdoor_`, and the sights that it recognizes."""

    name: str
    score: float
    landmarks: list[Tag] | None = None
    page: int | None = None


class Caption(StepOutput):
    """A sentence that describes the photo."""

    text: str
    confidence: float
    page: int | None = None


class Description(StepOutput):
    """Sentences that describe the photo, and their main words."""

    tags: list[str] = Field(default_factory=list)
    captions: list[Caption] = Field(default_factory=list)


class Box(StepOutput):
    """A rectangle: left edge, top edge, width, height."""

    x: int
    y: int
    w: int
    h: int


class ObjectKind(StepOutput):
    """A wider word for an object, such as `animal` for a dog, and a wider one for that."""

    object: str
    confidence: float | None = None
    parent: "ObjectKind | None" = None


class FoundObject(StepOutput):
    """An object, and where it is."""

    object: str
    confidence: float
    rectangle: Box
    parent: ObjectKind | None = None
    page: int | None = None


class Colors(StepOutput):
    """The photo's colours: by Azure's twelve names, and an accent colour as RRGGBB."""

    dominant_color_foreground: str = ""
    dominant_color_background: str = ""
    dominant_colors: list[str] = Field(default_factory=list)
    accent_color: str = ""
    is_bw_img: bool | None = None


class Adult(StepOutput):
    """How likely the photo is to show nudity or violence; None where the engine does not tell."""

    is_adult_content: bool | None = None
    adult_score: float | None = None
    is_racy_content: bool | None = None
    racy_score: float | None = None
    is_gory_content: bool | None = None
    gore_score: float | None = None


class ImageType(StepOutput):
    """Whether it is clip art, from 0 (no) to 3 (good clip art), or a line drawing (0 or 1)."""

    clip_art_type: int | None = None
    line_drawing_type: int | None = None


class PhotoMetadata(StepOutput):
    """Width and height of the upright photo in pixels, and its file format.

    Attributes:
        ends_early: the file lacks its end, so that a part of the photo is missing; None if not.
        pages: how many pages the file has, if it has several.
        unread_pages: numbers of those that can't be decoded; None for none.
    """

    width: int
    height: int
    format: str
    ends_early: bool | None = None
    pages: int | None = None
    unread_pages: list[int] | None = None


class ImageAnalysis(StepOutput):
    """What is in a photo: the fields of Azure Vision's *analyze*.

    Attributes:
        unanswered: parts that were asked for and are missing in the answer: that they are empty
            here does not mean that there is nothing.
        model_version: of the service's model.
        not_looked_for: parts that the engine does not look for: the same holds for them.
    """

    tags: list[Tag] = Field(default_factory=list)
    categories: list[Category] = Field(default_factory=list)
    description: Description = Field(default_factory=Description)
    objects: list[FoundObject] = Field(default_factory=list)
    color: Colors = Field(default_factory=Colors)
    adult: Adult = Field(default_factory=Adult)
    image_type: ImageType = Field(default_factory=ImageType)
    metadata: PhotoMetadata
    unanswered: list[str] | None = None
    model_version: str | None = None
    not_looked_for: list[str] | None = None


class Turn(StepOutput):
    """How a photo was turned before it was looked at; coordinates are those of the photo as it was.

    Attributes:
        degrees: clockwise: 0, 90, 180 or 270.
        confidence: how likely that is, by what the whole photo looks like; None where the photo's
            file tells which way up it is.
    """

    degrees: int
    confidence: float | None = None


class Word(StepOutput):
    """A word and its four corners, clockwise from the top left: [x1, y1, … x4, y4], or []."""

    text: str
    confidence: float
    polygon: list[int]


class TextStyle(StepOutput):
    """How a line is written: `handwriting`, or `other` for print."""

    name: str
    confidence: float | None = None


class TextLine(Word):
    """A line of text with its words.

    Attributes:
        language: BCP 47 tag; `und-Cyrl` and the like where only the script is known.
        script: code of ISO 15924, such as `Arab`, where the engine tells.
        unreadable: says that there is text, and in which script, where the text can't be read.
    """

    words: list[Word] = Field(default_factory=list)
    language: str | None = None
    script: str | None = None
    unreadable: str | None = None
    style: TextStyle | None = None
    page: int | None = None


class OcrText(StepOutput):
    """The text in a photo, in reading order; `ends_early` and pages as of `PhotoMetadata`.

    Attributes:
        turn: how the photo was turned to be read, where the engine tells.
    """

    full_text: str = ""
    lines: list[TextLine] = Field(default_factory=list)
    language: str = ""
    model_version: str | None = None
    ends_early: bool | None = None
    pages: int | None = None
    unread_pages: list[int] | None = None
    turn: Turn | None = None


class Rectangle(StepOutput):
    """Where a face is."""

    left: int
    top: int
    width: int
    height: int


class Point(StepOutput):
    """A landmark of a face."""

    x: float
    y: float


class HeadPose(StepOutput):
    """How a head is turned (yaw), nodded (pitch) and tilted (roll), in degrees."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


class Accessory(StepOutput):
    """Something worn on the head or in the face, such as `headwear`."""

    type: str
    confidence: float = 0.0


class FaceAttributes(StepOutput):
    """What the engine tells of a face. Age, gender and emotion are left out on purpose."""

    head_pose: HeadPose | None = None
    blur: float | None = None
    blur_level: str | None = None
    mask: str | None = None
    nose_and_mouth_covered: bool | None = None
    quality_for_recognition: str | None = None
    glasses: str | None = None
    occlusion: dict[str, bool | None] | None = None
    accessories: list[Accessory] | None = None


class Face(StepOutput):
    """One detected face.

    Attributes:
        face_id: None until the step sets it.
        detection_confidence: None where the engine does not tell.
        service_face_id: the service's own id of the face, where it gave one; it expires.
        service_face_until: when that id expires.
        recognition_model: that the id is for, where the service tells.
        turn: how the photo was turned so that the face was upright, where the engine tells.
    """

    face_id: uuid.UUID | None = None
    face_rectangle: Rectangle
    face_landmarks: dict[str, Point] = Field(default_factory=dict)
    face_attributes: FaceAttributes = Field(default_factory=FaceAttributes)
    detection_confidence: float | None = None
    service_face_id: uuid.UUID | None = None
    service_face_until: datetime | None = None
    recognition_model: str | None = None
    page: int | None = None
    turn: Turn | None = None

    @model_validator(mode="before")
    @classmethod
    def _landmarks_in_snake_case(cls, value: Any) -> Any:
        key = "FaceLandmarks" if isinstance(value, dict) and "FaceLandmarks" in value else None
        if key and isinstance(value[key], dict):
            return {**value, key: {_snake(name): point for name, point in value[key].items()}}
        return value


class FacePrint(StepOutput):
    """A face whose embedding is in the gallery; the embedding itself stays there.

    Attributes:
        model: name of the model; embeddings of different models are never compared.
        dimensions: length of the embedding.
        quality: how far a match of this face can be trusted, from 0 to 1.
    """

    face_id: uuid.UUID
    model: str
    dimensions: int
    quality: float
    page: int | None = None


class FaceMatch(StepOutput):
    """Two faces that look like the same person: a suggestion for a person to review.

    Attributes:
        band: the match tier, such as `possible`.
    """

    face_id: uuid.UUID
    matched_face_id: uuid.UUID
    confidence: float
    band: str
    page: int | None = None


_FACE_NAMESPACE = uuid.UUID("0d3c8a52-6f0e-5c1b-9a44-7e8b1d2f6a30")


def name_face(
    job: tuple[str, str], photo_sha256: str, detector: str, box: Rectangle, page: int | None = None
) -> uuid.UUID:
    """Return a face's id, which is always the same for one job, photo, detector and place.

    Args:
        job: batch id and job id.
        photo_sha256: of the photo's file.
        detector: name of the engine that found the face.
        box: where the face is.
        page: of the file; a face on the first one has the same id as if there were no others.
    """
    parts = (*job, photo_sha256, detector, box.left, box.top, box.width, box.height)
    later = (page,) if page is not None and page > 1 else ()
    return uuid.uuid5(_FACE_NAMESPACE, "\x1f".join(str(part) for part in (*parts, *later)))


OutputT = TypeVar("OutputT", bound=StepOutput)


def on_page(found: OutputT, page: int | None) -> OutputT:
    """Return an output in whose lists everything that can say its page does so."""
    if page is None:
        return found
    lists = {
        name: [
            item.model_copy(update={"page": page}) if hasattr(item, "page") else item
            for item in value
        ]
        for name, value in found
        if isinstance(value, list)
    }
    return found.model_copy(update=lists)


def joined(pages: Sequence[OutputT]) -> OutputT:
    """Return one output of the outputs of several pages: the first one, with the lists of all."""
    if len(pages) == 1:
        return pages[0]
    lists = {
        name: [item for page in pages for item in getattr(page, name) or ()]
        for name in type(pages[0]).model_fields
        if any(isinstance(getattr(page, name), list) for page in pages)
    }
    texts = {
        name: list(dict.fromkeys(items))
        for name, items in lists.items()
        if items and all(isinstance(item, str) for item in items)
    }
    return pages[0].model_copy(update={**lists, **texts})
