"""Azure Face 1.2: one method for each call, in our own types."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import Service, ServiceRefused
from imaginem.engines.azure.core_clients import client_options, signer
from imaginem.engines.azure.payload import Payload
from imaginem.engines.azure.reading import Fields, fields, number, objects, text
from imaginem.outputs import Rectangle
from imaginem.ports import CallContext

if TYPE_CHECKING:
    from azure.ai.vision.face import FaceAdministrationClient, FaceClient
    from azure.core.credentials import TokenCredential

API_VERSION = "v1.2"
DETECTION, RECOGNITION = "detection_03", "recognition_04"
ATTRIBUTES = ("headPose", "mask", "blur", "qualityForRecognition")
"""What is asked of a face. Age, gender, smile, facial hair and emotion are retired."""
FACE_ID_SECONDS = 24 * 3600
FACES_PER_CALL = 1000
"""Most face ids in one search, and most faces in one page of a list (Microsoft)."""

Similar = list[tuple[str, float]]
"""The service's ids of faces, each with its confidence, best first."""


@dataclass(frozen=True)
class Clients:
    """The SDK's two clients for one account."""

    face: "FaceClient"
    lists: "FaceAdministrationClient"


def face_clients(settings: ServiceSettings, credential: "Callable[[], TokenCredential]") -> Clients:
    """Return clients that retry nothing by themselves and hide no refusal."""
    from azure.ai.vision.face import FaceAdministrationClient, FaceClient

    key_or_token, options = signer(settings, credential), client_options(API_VERSION)
    return Clients(
        FaceClient(settings.endpoint, key_or_token, **options),
        FaceAdministrationClient(settings.endpoint, key_or_token, **options),
    )


class FaceService:
    """An Azure Face account. Every method makes one call; for its errors see `Service.call`."""

    def __init__(self, clients: Clients, service: Service) -> None:
        self._face = clients.face
        self._lists = clients.lists.large_face_list
        self._service = service

    def detect(self, sent: Payload, call: CallContext, *, with_ids: bool) -> list[Fields]:
        """Return the faces as the service tells of them, largest first.

        With an id a face can be searched for a day.

        Raises:
            LimitedAccess: ids were asked for, which this account may not give.
        """
        with self._service.call("detect", call):
            return _listed(
                self._face.detect(
                    sent.data,
                    detection_model=DETECTION,
                    recognition_model=RECOGNITION,
                    return_face_id=with_ids,
                    return_face_attributes=list(ATTRIBUTES),
                    return_face_landmarks=True,
                    face_id_time_to_live=FACE_ID_SECONDS if with_ids else None,
                )
            )

    def similar_faces(
        self,
        face_id: str,
        others: Sequence[str],
        call: CallContext,
        *,
        wait_for_quota: bool = False,
    ) -> Similar:
        """Compare a face with up to `FACES_PER_CALL` others."""
        with self._service.call("find similar", call, wait_for_quota=wait_for_quota):
            faces = self._face.find_similar(
                face_id=face_id,
                face_ids=list(others),
                max_num_of_candidates_returned=len(others),
                mode="matchFace",
            )
            return _similar(faces, "faceId", "persistedFaceId")

    def similar_in_list(
        self,
        face_id: str,
        list_id: str,
        limit: int,
        call: CallContext,
        *,
        wait_for_quota: bool = False,
    ) -> Similar:
        """Compare a face with those of a trained list; return `limit` faces at most."""
        with self._service.call("find similar in list", call, wait_for_quota=wait_for_quota):
            faces = self._face.find_similar_from_large_face_list(
                face_id=face_id,
                large_face_list_id=list_id,
                max_num_of_candidates_returned=limit,
                mode="matchFace",
            )
            return _similar(faces, "persistedFaceId", "faceId")

    def make_list(self, list_id: str, call: CallContext) -> None:
        """Make a list."""
        with self._service.call("create list", call, wait_for_quota=True):
            self._lists.create(list_id, name=list_id, recognition_model=RECOGNITION)

    def add(
        self,
        list_id: str,
        sent: Payload,
        where: Rectangle,
        face_id: uuid.UUID,
        call: CallContext,
        *,
        ready: Callable[[], None],
    ) -> str:
        """Add a face to a list and return its id there. Only our face id is sent with it.

        Args:
            list_id: the list to add it to.
            sent: the photo, or a part of it.
            where: the face, in the pixels of what is sent.
            face_id: ours.
            call: whom the call is made for.
            ready: called right before the call.
        """
        with self._service.call("add face", call, wait_for_quota=True, ready=ready):
            added = self._lists.add_face(
                list_id,
                sent.data,
                target_face=[where.left, where.top, where.width, where.height],
                detection_model=DETECTION,
                user_data=str(face_id),
            )
            persisted_face_id = text(fields(added).get("persistedFaceId"))
            if not persisted_face_id:
                raise ValueError("an answer without persistedFaceId")
            return persisted_face_id

    def remove(self, list_id: str, persisted_face_id: str, call: CallContext) -> None:
        """Remove a face from a list, if it is there."""
        try:
            with self._service.call("delete face", call, wait_for_quota=True):
                self._lists.delete_face(list_id, persisted_face_id)
        except ServiceRefused as refused:
            if not {"PersistedFaceNotFound", "LargeFaceListNotFound"} & set(refused.codes):
                raise

    def page(self, list_id: str, after: str, call: CallContext) -> list[tuple[str, str]]:
        """Return the next faces of a list, `FACES_PER_CALL` at most: id there, and user data.

        Args:
            list_id: the list.
            after: id of the last face of the page before; empty for the first page.
            call: whom the call is made for.
        """
        with self._service.call("list faces", call, wait_for_quota=True):
            faces = self._lists.get_faces(list_id, start=after or None, top=FACES_PER_CALL)
            return [
                (persisted_face_id, text(face.get("userData")))
                for face in _listed(faces)
                if (persisted_face_id := text(face.get("persistedFaceId")))
            ]

    def train(self, list_id: str, call: CallContext) -> None:
        """Begin to train a list, which makes its faces searchable."""
        with self._service.call("train", call, wait_for_quota=True):
            self._lists.begin_train(list_id, polling=False)

    def training(self, list_id: str, call: CallContext) -> str:
        """Return the state of a list's training: `running`, `succeeded`, `failed` or `none`."""
        try:
            with self._service.call("training status", call, wait_for_quota=True):
                answer = fields(self._lists.get_training_status(list_id))
        except ServiceRefused as refused:
            if {"LargeFaceListNotTrained", "LargeFaceListNotFound"} & set(refused.codes):
                return "none"
            raise
        state = text(answer.get("status")).casefold()
        return state if state in ("succeeded", "failed") else "running"


def _listed(answer: object) -> list[Fields]:
    """Return the objects of an answer that is a list, or raise ValueError: else none were found."""
    if not isinstance(answer, list):
        raise ValueError("an answer that is no list")
    return objects(answer)


def _similar(answer: object, *id_names: str) -> Similar:
    """Return the similar faces; one without an id or a confidence can't be a match.

    Args:
        answer: of the service.
        id_names: where the id may be, in this order: Microsoft's examples have both for lists.
    """
    similar = []
    for face in _listed(answer):
        service_id = next((told for name in id_names if (told := text(face.get(name)))), "")
        score = number(face.get("confidence"))
        if service_id and score is not None:
            similar.append((service_id, score))
    return similar
