"""Azure Face's faces as ours."""

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from imaginem.engines.azure.face_service import FACE_ID_SECONDS
from imaginem.engines.azure.payload import PhotoScale
from imaginem.engines.azure.reading import (
    Fields,
    confidence,
    fields,
    flag,
    named,
    number,
    objects,
    text,
)
from imaginem.outputs import Accessory, Face, FaceAttributes, HeadPose, Point, Rectangle

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def read_faces(answer: Sequence[Fields], sent: PhotoScale, size: tuple[int, int]) -> list[Face]:
    """Return the service's faces as ours, in the photo's own pixels.

    A face without a whole rectangle, or with none in the photo, is left out: it could neither be
    shown nor cut out.

    Args:
        answer: of the service.
        sent: where in the photo the pixels of the file are.
        size: of the photo: width and height in pixels.
    """
    until = datetime.now(UTC) + timedelta(seconds=FACE_ID_SECONDS)
    faces = [
        _face(face, where, sent, size, until)
        for face in answer
        if (where := named(face.get("faceRectangle"), "left", "top", "width", "height"))
    ]
    boxes = [face.face_rectangle for face in faces]
    return [
        face for face, box in zip(faces, boxes, strict=True) if box.width > 1 and box.height > 1
    ]


def _face(
    face: Fields, where: list[float], sent: PhotoScale, size: tuple[int, int], until: datetime
) -> Face:
    x, y, width, height = where
    left, top = max(round(sent.x(x)), 0), max(round(sent.y(y)), 0)
    right = min(round(sent.x(x + width)), size[0])
    bottom = min(round(sent.y(y + height)), size[1])
    rectangle = Rectangle(
        left=left, top=top, width=max(right - left, 0), height=max(bottom - top, 0)
    )
    service_face_id = _as_id(text(face.get("faceId")))
    return Face(
        face_rectangle=rectangle,
        face_landmarks=_landmarks(fields(face.get("faceLandmarks")), sent),
        face_attributes=_attributes(fields(face.get("faceAttributes"))),
        service_face_id=service_face_id,
        service_face_until=until if service_face_id else None,
        recognition_model=text(face.get("recognitionModel")) or None,
    )


def _as_id(raw: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(raw)
    except ValueError:
        return None


def _landmarks(landmarks: Fields, sent: PhotoScale) -> dict[str, Point]:
    spots = {name: named(spot, "x", "y") for name, spot in landmarks.items()}
    return {
        _CAPITAL.sub("_", name).lower(): Point(
            x=round(sent.x(spot[0]), 1), y=round(sent.y(spot[1]), 1)
        )
        for name, spot in spots.items()
        if spot
    }


def _attributes(attributes: Fields) -> FaceAttributes:
    """Return the attributes. The last three are not asked for, but are kept if they come."""
    mask, blur = fields(attributes.get("mask")), fields(attributes.get("blur"))
    occlusion: dict[str, bool | None] = {
        _CAPITAL.sub("_", name).lower(): covered
        for name, value in fields(attributes.get("occlusion")).items()
        if (covered := flag(value)) is not None
    }
    accessories = [
        Accessory(type=name, confidence=confidence(accessory.get("confidence")))
        for accessory in objects(attributes.get("accessories"))
        if (name := text(accessory.get("type")))
    ]
    return FaceAttributes(
        head_pose=_head_pose(attributes.get("headPose")),
        blur=number(blur.get("value")),
        blur_level=text(blur.get("blurLevel")) or None,
        mask=text(mask.get("type")) or None,
        nose_and_mouth_covered=flag(mask.get("noseAndMouthCovered")),
        quality_for_recognition=text(attributes.get("qualityForRecognition")) or None,
        glasses=text(attributes.get("glasses")) or None,
        occlusion=occlusion or None,
        accessories=accessories or None,
    )


def _head_pose(value: object) -> HeadPose | None:
    """Return the pose if all of its angles are told: a missing one would read as straight."""
    angles = named(value, "yaw", "pitch", "roll")
    return HeadPose(yaw=angles[0], pitch=angles[1], roll=angles[2]) if angles else None
