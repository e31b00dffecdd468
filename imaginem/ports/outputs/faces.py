"""The faces in a photo, with the field names of Azure Face, and which of them look alike."""

import uuid
from datetime import datetime
from typing import Any

from pydantic import Field, model_validator

from imaginem.ports.outputs.base import StepOutput, snake_case
from imaginem.ports.outputs.turns import Turn


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
            return {**value, key: {snake_case(name): point for name, point in value[key].items()}}
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
