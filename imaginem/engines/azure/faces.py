"""The faces in a photo, by Azure Face."""

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import face_account
from imaginem.engines.azure.calls import LimitedAccess
from imaginem.engines.azure.face_service import FACE_ID_SECONDS, FaceService
from imaginem.engines.azure.limits import FACE
from imaginem.engines.azure.payload import Payload, payload
from imaginem.engines.logs import logger_for
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceAttributes, HeadPose, Point, Rectangle
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


def read_faces(sdk_faces: list[Any], sent: Payload, photo: Photo) -> list[Face]:
    """Return the SDK's faces as ours, in the photo's own pixels."""
    until = datetime.now(UTC) + timedelta(seconds=FACE_ID_SECONDS)
    faces = [_face(sdk_face, sent, photo, until) for sdk_face in sdk_faces]
    return [face for face in faces if face.face_rectangle.width > 1]


def _face(sdk_face: Any, sent: Payload, photo: Photo, until: datetime) -> Face:
    where = sdk_face.face_rectangle
    left, top = max(round(sent.x(where.left)), 0), max(round(sent.y(where.top)), 0)
    right = min(round(sent.x(where.left + where.width)), photo.width)
    bottom = min(round(sent.y(where.top + where.height)), photo.height)
    rectangle = Rectangle(
        left=left, top=top, width=max(right - left, 0), height=max(bottom - top, 0)
    )
    return Face(
        face_rectangle=rectangle,
        face_landmarks=_landmarks(sdk_face.face_landmarks, sent),
        face_attributes=_attributes(sdk_face.face_attributes),
        service_face_id=sdk_face.face_id or None,
        service_face_until=until if sdk_face.face_id else None,
    )


def _landmarks(landmarks: Any, sent: Payload) -> dict[str, Point]:
    spots = landmarks.as_dict() if landmarks is not None else {}
    return {
        _CAPITAL.sub("_", name).lower(): Point(
            x=round(sent.x(spot["x"]), 1), y=round(sent.y(spot["y"]), 1)
        )
        for name, spot in spots.items()
    }


def _attributes(attributes: Any) -> FaceAttributes:
    if attributes is None:
        return FaceAttributes()
    pose, mask, blur = attributes.head_pose, attributes.mask, attributes.blur
    return FaceAttributes(
        head_pose=HeadPose(yaw=pose.yaw, pitch=pose.pitch, roll=pose.roll) if pose else None,
        blur=blur.value if blur else None,
        mask=_text(mask.type) if mask else None,
        quality_for_recognition=_text(attributes.quality_for_recognition),
    )


def _text(value: Any) -> str | None:
    """Return the text of one of the SDK's enumerations, which may also be a text already."""
    return None if value is None else str(getattr(value, "value", value))
