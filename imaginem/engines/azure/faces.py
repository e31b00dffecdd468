"""The faces in a photo, by Azure Face."""

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from imaginem.engines.azure.calls import LimitedAccess
from imaginem.engines.azure.face_service import FACE_ID_SECONDS, FaceService
from imaginem.engines.azure.payload import FACE_LIMITS, Payload, payload
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceAttributes, HeadPose, Point, Rectangle

_logger = logging.getLogger("imaginem.engines.azure")
_ASK_AGAIN_SECONDS = 3600.0
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class AzureFaces:
    """Finds faces.

    Args:
        service: the Face account.
        recognition_at_azure: the same account recognizes faces, so ids are asked for with them.
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

    def detect(self, photo: Photo, *, for_recognition: bool = False) -> list[Face]:
        """Return the faces, largest first. With `for_recognition` one call serves both steps.

        An account without Limited Access still detects; faceprint then says what is off.
        """
        sent = payload(photo, FACE_LIMITS)
        if for_recognition and self._recognition_at_azure and self._may_ask():
            try:
                return read_faces(self._service.detect(sent, with_ids=True), sent, photo)
            except LimitedAccess as problem:
                self._refused_at = self._clock()
                _logger.warning("%s", problem)
        return read_faces(self._service.detect(sent, with_ids=False), sent, photo)

    def _may_ask(self) -> bool:
        """Tell whether to ask for ids: after a refusal, access may have been granted."""
        return self._refused_at is None or self._clock() - self._refused_at > _ASK_AGAIN_SECONDS


def read_faces(found: list[Any], sent: Payload, photo: Photo) -> list[Face]:
    """Return the SDK's faces as ours, in the photo's own pixels."""
    until = datetime.now(UTC) + timedelta(seconds=FACE_ID_SECONDS)
    faces = [_face(each, sent, photo, until) for each in found]
    return [face for face in faces if face.face_rectangle.width > 1]


def _face(found: Any, sent: Payload, photo: Photo, until: datetime) -> Face:
    where = found.face_rectangle
    left, top = max(round(sent.x(where.left)), 0), max(round(sent.y(where.top)), 0)
    right = min(round(sent.x(where.left + where.width)), photo.width)
    bottom = min(round(sent.y(where.top + where.height)), photo.height)
    rectangle = Rectangle(
        left=left, top=top, width=max(right - left, 0), height=max(bottom - top, 0)
    )
    return Face(
        face_rectangle=rectangle,
        face_landmarks=_landmarks(found.face_landmarks, sent),
        face_attributes=_attributes(found.face_attributes),
        service_face_id=found.face_id or None,
        service_face_until=until if found.face_id else None,
    )


def _landmarks(found: Any, sent: Payload) -> dict[str, Point]:
    named = found.as_dict() if found is not None else {}
    return {
        _CAPITAL.sub("_", name).lower(): Point(
            x=round(sent.x(spot["x"]), 1), y=round(sent.y(spot["y"]), 1)
        )
        for name, spot in named.items()
    }


def _attributes(found: Any) -> FaceAttributes:
    if found is None:
        return FaceAttributes()
    pose, mask, blur = found.head_pose, found.mask, found.blur
    return FaceAttributes(
        head_pose=HeadPose(yaw=pose.yaw, pitch=pose.pitch, roll=pose.roll) if pose else None,
        blur=blur.value if blur else None,
        mask=str(getattr(mask.type, "value", mask.type)) if mask else None,
        quality_for_recognition=_word(found.quality_for_recognition),
    )


def _word(found: Any) -> str | None:
    return None if found is None else str(getattr(found, "value", found))
