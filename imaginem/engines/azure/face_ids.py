"""Ids that Azure Face gives to faces; they expire after a day and can be asked for again."""

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from imaginem.engines.azure.face_answers import read_faces
from imaginem.engines.azure.face_service import FaceService
from imaginem.engines.azure.limits import FACE
from imaginem.engines.azure.payload import payload
from imaginem.engines.enrolled import by_page
from imaginem.engines.logs import logger_for
from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo
from imaginem.outputs import Face
from imaginem.ports import CallContext, FaceGallery, ServiceFaces
from imaginem.ports.face_places import place_on_page

_logger = logging.getLogger("imaginem.engines.azure")
_OVERLAP = 0.3  # two rectangles of one face share at least this much of their union


class FaceIds:
    """Gives the service's ids of faces, by our face ids.

    Args:
        service: the Face account.
        gallery: where enrolled faces are in their photos.
        known: which of our faces has which id at the service.
    """

    def __init__(self, service: FaceService, gallery: FaceGallery, known: ServiceFaces) -> None:
        self._service = service
        self._gallery = gallery
        self._known = known

    def identified(self, photo: Photo, faces: Sequence[Face], call: CallContext) -> list[Face]:
        """Return the faces with ids of the service that are valid now.

        If any has none, they are detected in the photo once more; a face that the service doesn't
        find at its place is then left out.

        Raises:
            LimitedAccess: the account may not give ids.
            PermanentError: the answer lacks them, so that the faces can't be compared.
        """
        now = datetime.now(UTC)
        if not any(_is_expired(face, now) for face in faces):
            return list(faces)
        sent = payload(photo, FACE)
        answer = self._service.detect(sent, call, with_ids=True)
        detected = read_faces(answer, sent, (photo.width, photo.height))
        identified = []
        for face in faces:
            same = max(detected, key=lambda other: _overlap(face, other), default=None)
            if same is None or _overlap(face, same) < _OVERLAP:
                logger_for(_logger, call).warning(
                    "face %s is left out: Azure Face does not find it in the photo", face.face_id
                )
                continue
            if same.service_face_id is None:
                raise PermanentError(
                    "Azure face detect: the answer has no id of a face, which was asked for; send "
                    "the photo again, or set FACE_PRINT_ENGINE=local"
                )
            identified.append(
                face.model_copy(
                    update={
                        "service_face_id": same.service_face_id,
                        "service_face_until": same.service_face_until,
                        "face_attributes": same.face_attributes,
                    }
                )
            )
        return identified

    def unexpired(
        self, face_ids: Sequence[uuid.UUID], photo: Callable[[], Photo], call: CallContext
    ) -> dict[uuid.UUID, str]:
        """Return the service's ids of faces; those that have expired are asked for again."""
        now = datetime.now(UTC)
        known = self._known.read(face_ids)
        service_ids = {
            face_id: face.service_face_id
            for face_id, face in known.items()
            if face.service_face_id and face.lapses and face.lapses > now
        }
        expired = [face_id for face_id in face_ids if face_id not in service_ids]
        return {**service_ids, **self.renewed(expired, photo, call)} if expired else service_ids

    def renewed(
        self, face_ids: Sequence[uuid.UUID], photo: Callable[[], Photo], call: CallContext
    ) -> dict[uuid.UUID, str]:
        """Return new ids of the service for enrolled faces, found by their rectangles."""
        owners = self._gallery.owners(face_ids)
        faces = [
            Face(face_id=face_id, face_rectangle=where, page=page)
            for face_id, owner in owners.items()
            for where, page in (place_on_page(owner.rectangle),)
        ]
        service_ids: dict[uuid.UUID, tuple[str, datetime]] = {}
        for shown, group in by_page(photo(), faces):
            service_ids |= ids_of(self.identified(shown, group, call))
        self._known.note(service_ids)
        return {face_id: service_id for face_id, (service_id, _) in service_ids.items()}


def ids_of(faces: Iterable[Face]) -> dict[uuid.UUID, tuple[str, datetime]]:
    """Return the service's id of each face, and when it expires."""
    return {
        face.face_id: (str(face.service_face_id), face.service_face_until)
        for face in faces
        if face.face_id and face.service_face_id and face.service_face_until
    }


def _is_expired(face: Face, now: datetime) -> bool:
    """Tell whether a face has no id of the service, or one that has expired."""
    return not (face.service_face_id and face.service_face_until and face.service_face_until > now)


def _overlap(one: Face, other: Face) -> float:
    """Return the share of two rectangles' union that they have in common."""
    a, b = one.face_rectangle, other.face_rectangle
    across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    down = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    if across <= 0 or down <= 0:
        return 0.0
    common = across * down
    return common / (a.width * a.height + b.width * b.height - common)
