"""The faces in a photo, by Azure Face."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import face_account
from imaginem.engines.azure.calls import LimitedAccess
from imaginem.engines.azure.face_service import FACE_ID_SECONDS, FaceService
from imaginem.engines.azure.limits import FACE
from imaginem.engines.azure.payload import Payload, payload
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
from imaginem.engines.logs import logger_for
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import Accessory, Face, FaceAttributes, HeadPose, Point, Rectangle
from imaginem.ports import CallContext, FaceEngine

_logger = logging.getLogger("imaginem.engines.azure")
_ASK_AGAIN_SECONDS = 3600.0
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class AzureFaces:
    """Finds faces.

    Args:
        service: the Face account.
        recognition_at_azure: the same account recognizes the faces, and needs its own ids of them.
        clock: seconds, steady.
    """

    name = "azure-detection-03"

    def __init__(
        self,
        service: FaceService,
        *,
        recognition_at_azure: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._recognition_at_azure = recognition_at_azure
        self._clock = clock
        self._refused_at: float | None = None

    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        """Return the faces, largest first.

        With `for_recognition` the same call gets the service's ids, which the recognizer needs.
        An account without Limited Access gets the faces only; `faceprint` then names the reason.
        """
        sent = payload(photo, FACE)
        if for_recognition and self._recognition_at_azure and self._may_ask():
            try:
                return read_faces(self._service.detect(sent, call, with_ids=True), sent, photo)
            except LimitedAccess as problem:
                self._refused_at = self._clock()
                logger_for(_logger, call).warning("%s", problem)
        return read_faces(self._service.detect(sent, call, with_ids=False), sent, photo)

    def _may_ask(self) -> bool:
        """Tell whether to ask for ids: some time after a refusal, access may have been granted."""
        return self._refused_at is None or self._clock() - self._refused_at > _ASK_AGAIN_SECONDS


def engine_name(settings: Settings) -> str:
    """Return the detector's name."""
    return AzureFaces.name


def make_engine(parts: EngineParts) -> FaceEngine:
    """Return the engine of `facedetection`."""
    recognition_at_azure = parts.settings.face_print_engine == "azure"
    return AzureFaces(face_account(parts), recognition_at_azure=recognition_at_azure)


def read_faces(answer: list[Fields], sent: Payload, photo: Photo) -> list[Face]:
    """Return the service's faces as ours, in the photo's own pixels.

    A face without a whole rectangle is left out: it could neither be shown nor cut out.
    """
    until = datetime.now(UTC) + timedelta(seconds=FACE_ID_SECONDS)
    faces = [
        _face(face, where, sent, photo, until)
        for face in answer
        if (where := named(face.get("faceRectangle"), "left", "top", "width", "height"))
    ]
    return [face for face in faces if face.face_rectangle.width > 1]


def _face(face: Fields, where: list[float], sent: Payload, photo: Photo, until: datetime) -> Face:
    x, y, width, height = where
    left, top = max(round(sent.x(x)), 0), max(round(sent.y(y)), 0)
    right = min(round(sent.x(x + width)), photo.width)
    bottom = min(round(sent.y(y + height)), photo.height)
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


def _landmarks(landmarks: Fields, sent: Payload) -> dict[str, Point]:
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
