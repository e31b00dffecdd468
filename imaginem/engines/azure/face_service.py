"""Azure Face 1.2, call by call, in our own words."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Service,
    ServiceRefused,
    check_answer,
)
from imaginem.engines.azure.payload import Payload
from imaginem.outputs import Rectangle

if TYPE_CHECKING:
    from azure.ai.vision.face import FaceAdministrationClient, FaceClient
    from azure.core.credentials import TokenCredential

API_VERSION = "v1.2"
DETECTION, RECOGNITION = "detection_03", "recognition_04"
ATTRIBUTES = ("headPose", "mask", "blur", "qualityForRecognition")
"""All that is asked of a face. Age, gender, smile, facial hair and emotion are retired."""
FACE_ID_SECONDS = 24 * 3600
AT_ONCE = 1000
"""Face ids in one search at most."""

Similar = list[tuple[str, float]]
"""The service's ids of faces, each with its confidence, best first."""


@dataclass(frozen=True)
class Clients:
    """The SDK's two clients of one account."""

    face: "FaceClient"
    lists: "FaceAdministrationClient"


def face_clients(settings: ServiceSettings, credential: "Callable[[], TokenCredential]") -> Clients:
    """Return clients that retry nothing by themselves and tell every refusal."""
    from azure.ai.vision.face import FaceAdministrationClient, FaceClient
    from azure.core.credentials import AzureKeyCredential

    def check(answer: Any) -> None:
        seen = answer.http_response
        text = ""
        if not 200 <= seen.status_code < 300:
            seen.read()  # some calls hand over an answer that is not read yet
            text = seen.text()
        check_answer(seen.status_code, seen.headers, text)

    signer = AzureKeyCredential(settings.key) if settings.key else credential()
    options: dict[str, Any] = {
        "api_version": API_VERSION,
        "retry_total": 0,
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "raw_response_hook": check,
        "permit_redirects": False,
    }
    return Clients(
        FaceClient(settings.endpoint, signer, **options),
        FaceAdministrationClient(settings.endpoint, signer, **options),
    )


class FaceService:
    """An Azure Face account. Every method makes one call; errors as of `Service.call`."""

    def __init__(self, clients: Clients, service: Service) -> None:
        self._face = clients.face
        self._lists = clients.lists.large_face_list
        self._service = service

    def detect(self, sent: Payload, *, with_ids: bool) -> list[Any]:
        """Return the SDK's faces, largest first; with ids they can be searched for a day.

        Raises:
            LimitedAccess: ids were asked for, and the account may not give them.
        """
        with self._service.call("detect"):
            return list(
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
        self, face_id: str, among: Sequence[str], *, wait_for_quota: bool = False
    ) -> Similar:
        """Compare a face with up to `AT_ONCE` others."""
        with self._service.call("find similar", wait_for_quota=wait_for_quota):
            found = self._face.find_similar(
                face_id=face_id,
                face_ids=list(among),
                max_num_of_candidates_returned=len(among),
                mode="matchFace",
            )
            return [
                (str(each.face_id or each.persisted_face_id), each.confidence) for each in found
            ]

    def similar_in_list(
        self, face_id: str, list_id: str, most: int, *, wait_for_quota: bool = False
    ) -> Similar:
        """Compare a face with those of a trained list."""
        with self._service.call("find similar in list", wait_for_quota=wait_for_quota):
            found = self._face.find_similar_from_large_face_list(
                face_id=face_id,
                large_face_list_id=list_id,
                max_num_of_candidates_returned=most,
                mode="matchFace",
            )
            return [(str(each.persisted_face_id), each.confidence) for each in found]

    def make_list(self, list_id: str) -> None:
        """Make a list."""
        with self._service.call("create list", wait_for_quota=True):
            self._lists.create(list_id, name=list_id, recognition_model=RECOGNITION)

    def add(
        self,
        list_id: str,
        sent: Payload,
        where: Rectangle,
        face_id: uuid.UUID,
        *,
        ready: Callable[[], None],
    ) -> str:
        """Add a face to a list; return its name there. Our id goes with it, nothing else."""
        with self._service.call("add face", wait_for_quota=True, ready=ready):
            added = self._lists.add_face(
                list_id,
                sent.data,
                target_face=[where.left, where.top, where.width, where.height],
                detection_model=DETECTION,
                user_data=str(face_id),
            )
            return str(added.persisted_face_id)

    def remove(self, list_id: str, persisted_face_id: str) -> None:
        """Remove a face from a list, if it is there."""
        try:
            with self._service.call("delete face", wait_for_quota=True):
                self._lists.delete_face(list_id, persisted_face_id)
        except ServiceRefused as refused:
            if not {"PersistedFaceNotFound", "LargeFaceListNotFound"} & set(refused.codes):
                raise

    def page(self, list_id: str, after: str) -> list[tuple[str, str]]:
        """Return up to 1,000 faces of a list behind one, each with what was kept with it."""
        with self._service.call("list faces", wait_for_quota=True):
            found = self._lists.get_faces(list_id, start=after or None, top=1000)
            return [(str(each.persisted_face_id), each.user_data or "") for each in found]

    def train(self, list_id: str) -> None:
        """Begin to make a list searchable."""
        with self._service.call("train", wait_for_quota=True):
            self._lists.begin_train(list_id, polling=False)

    def training(self, list_id: str) -> str:
        """Return how the list's training stands: `running`, `succeeded`, `failed` or `none`."""
        try:
            with self._service.call("training status", wait_for_quota=True):
                status = self._lists.get_training_status(list_id).status
        except ServiceRefused as refused:
            if {"LargeFaceListNotTrained", "LargeFaceListNotFound"} & set(refused.codes):
                return "none"
            raise
        told = str(getattr(status, "value", status))
        return "running" if told == "notStarted" else told
