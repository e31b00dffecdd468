"""The faces in a photo, by Azure Face."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import face_account
from imaginem.engines.azure.calls import LimitedAccess
from imaginem.engines.azure.face_answers import read_faces
from imaginem.engines.azure.face_grid import PhotoGrid
from imaginem.engines.azure.face_service import FaceService
from imaginem.engines.azure.limits import FACE
from imaginem.engines.azure.payload import Payload, payload
from imaginem.engines.azure.reading import Fields
from imaginem.engines.logs import logger_for
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import Face
from imaginem.ports import ONE_PHOTO, CallContext, FaceEngine, FaceGrid, FacesOfMany, PhotoOfMany

_logger = logging.getLogger("imaginem.engines.azure")
_ASK_AGAIN_SECONDS = 3600.0


class AzureFaces:
    """Finds faces.

    Args:
        service: the Face account.
        recognition_at_azure: the same account recognizes the faces, and needs its own ids of them.
        grid: how many photos `detect_in_many` shows in one call; one by default.
        clock: seconds, steady.
    """

    name = "azure-detection-03"

    def __init__(
        self,
        service: FaceService,
        *,
        recognition_at_azure: bool,
        grid: FaceGrid = ONE_PHOTO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._recognition_at_azure = recognition_at_azure
        self._grid = grid
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
        answer = self._answer(sent, call, for_recognition=for_recognition)
        return read_faces(answer, sent, (photo.width, photo.height))

    def detect_in_many(
        self, photos: Sequence[PhotoOfMany], *, for_recognition: bool = False
    ) -> FacesOfMany:
        """Return the faces of each photo; with a grid, those of its photos in one call.

        The service's ids of faces are asked for as of `detect`.
        """
        grid = PhotoGrid(
            self._grid,
            partial(self._answer, for_recognition=for_recognition),
            partial(self.detect, for_recognition=for_recognition),
        )
        return grid.faces(photos)

    def _answer(self, sent: Payload, call: CallContext, *, for_recognition: bool) -> list[Fields]:
        """Return the service's answer, with its ids of faces if the recognizer needs them."""
        if for_recognition and self._recognition_at_azure and self._may_ask():
            try:
                return self._service.detect(sent, call, with_ids=True)
            except LimitedAccess as problem:
                self._refused_at = self._clock()
                logger_for(_logger, call).warning("%s", problem)
        return self._service.detect(sent, call, with_ids=False)

    def _may_ask(self) -> bool:
        """Tell whether to ask for ids: some time after a refusal, access may have been granted."""
        return self._refused_at is None or self._clock() - self._refused_at > _ASK_AGAIN_SECONDS


def engine_name(settings: Settings) -> str:
    """Return the detector's name."""
    return AzureFaces.name


def make_engine(parts: EngineParts) -> FaceEngine:
    """Return the engine of `facedetection`."""
    recognition_at_azure = parts.settings.face_print_engine == "azure"
    return AzureFaces(
        face_account(parts),
        recognition_at_azure=recognition_at_azure,
        grid=parts.settings.face_grid,
    )
