"""Face 1.2: detect, find similar, large face lists."""

import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginem.ai_emulator.face_answers import attributes_json, landmarks_json
from imaginem.ai_emulator.faces import FaceMemory
from imaginem.ai_emulator.images import EMULATOR, BadImage, read_image
from imaginem.ai_emulator.refusals import Refusal, bad_argument, no_approval
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, Rectangle
from imaginem.ports import EnrolledFace, FaceEngine

_FORMATS = ("JPEG", "PNG", "GIF", "BMP")
_SMALLEST_FACE, _MOST_FACES = 36, 100
_WHOLE = re.compile(r"[0-9]{1,9}")
_LIST_ID = re.compile(r"[a-z0-9_-]{1,64}")
_ATTRIBUTES = {"headpose", "mask", "blur", "qualityforrecognition"}
_RETIRED = {"age", "gender", "smile", "facialhair", "emotion", "hair", "makeup"}


class Embedder(Protocol):
    """Makes embeddings of faces: the local engine's, or a fake in tests."""

    def embed(self, photo: Photo, face: Face) -> EnrolledFace:
        """Return a face's embedding and quality."""


class FaceEmulator:
    """The routes of Face, answered by our own engines.

    Args:
        faces: returns the engine that finds faces.
        embedder: returns what makes embeddings.
        memory: keeps faces and lists.

    Attributes:
        approved: the account has Limited Access.
        face_id_seconds: longest life of a fresh face id, whatever is asked for.
    """

    def __init__(
        self, faces: Callable[[], FaceEngine], embedder: Callable[[], Embedder], memory: FaceMemory
    ) -> None:
        self._faces, self._embedder, self._memory = faces, embedder, memory
        self.approved = True
        self.face_id_seconds = 86_400.0

    def routes(self) -> list[Route]:
        """Return the routes."""
        root, one = "/face/v1.2", "/face/v1.2/largefacelists/{list}"
        return [
            Route(f"{root}/detect", self._detect, methods=["POST"]),
            Route(f"{root}/findsimilars", self._similar, methods=["POST"]),
            Route(f"{root}/largefacelists", self._all_lists, methods=["GET"]),
            Route(one, self._one_list, methods=["GET", "PUT", "DELETE"]),
            Route(f"{one}/persistedfaces", self._list_faces, methods=["GET", "POST"]),
            Route(f"{one}/persistedfaces/{{face}}", self._remove, methods=["DELETE"]),
            Route(f"{one}/train", self._train, methods=["POST"]),
            Route(f"{one}/training", self._training, methods=["GET"]),
        ]

    def _check_approved(self) -> None:
        if not self.approved:
            raise no_approval()

    async def _detect(self, request: Request) -> Response:
        query = request.query_params
        with_ids = _flag(query.get("returnFaceId", "true"))
        if with_ids:
            self._check_approved()
        _check_models(query.get("detectionModel"), query.get("recognitionModel"))
        attributes = [name for name in query.get("returnFaceAttributes", "").split(",") if name]
        _check_attributes(attributes)
        seconds = _number(query.get("faceIdTimeToLive", "86400"), 60, 86_400, "faceIdTimeToLive")
        photo = await _photo(request)
        faces = await run_in_threadpool(self._detected, photo)
        landmarks = _flag(query.get("returnFaceLandmarks", "false"))
        embedded: list[EnrolledFace] = []
        if with_ids or attributes:
            embedded = [await run_in_threadpool(self._embedded, photo, face) for face in faces]
        answer = []
        for index, face in enumerate(faces):
            item: dict[str, Any] = {"faceRectangle": face.face_rectangle.model_dump()}
            if with_ids:
                life = min(seconds, self.face_id_seconds)
                item["faceId"] = self._memory.remember(_vector(embedded[index]), life)
            if landmarks:
                item["faceLandmarks"] = landmarks_json(face)
            if attributes:
                item["faceAttributes"] = attributes_json(face, embedded[index], attributes)
            answer.append(item)
        return JSONResponse(answer)

    def _detected(self, photo: Photo) -> list[Face]:
        """Return the faces that the service would find, largest first, each with a face id."""
        faces = [
            face.model_copy(update={"face_id": uuid.uuid4()})
            for face in self._faces().detect(photo, EMULATOR)
            if min(face.face_rectangle.width, face.face_rectangle.height) >= _SMALLEST_FACE
        ]
        faces.sort(key=lambda face: -face.face_rectangle.width * face.face_rectangle.height)
        return faces[:_MOST_FACES]

    def _embedded(self, photo: Photo, face: Face) -> EnrolledFace:
        return self._embedder().embed(photo, face)

    async def _similar(self, request: Request) -> Response:
        self._check_approved()
        try:
            body = await request.json()
        except ValueError:
            raise bad_argument("JSON parsing error.") from None
        if not isinstance(body, dict) or not isinstance(body.get("faceId"), str):
            raise bad_argument("Request body is invalid.")
        if body.get("mode", "matchPerson") not in ("matchPerson", "matchFace"):
            raise bad_argument("Mode is invalid.")
        limit = _number(
            str(body.get("maxNumOfCandidatesReturned", 20)), 1, 1000, "maxNumOfCandidatesReturned"
        )
        places = [name for name in ("faceIds", "largeFaceListId", "faceListId") if body.get(name)]
        if len(places) != 1:
            raise bad_argument("LargeFaceListId, faceListId and faceIds are all null.")
        if places == ["faceIds"]:
            if not 1 <= len(body["faceIds"]) <= 1000:
                raise bad_argument("The length of faceIds is not in a valid range.")
            similar = self._memory.among(body["faceId"], body["faceIds"], int(limit))
        else:
            similar = self._memory.in_list(body["faceId"], str(body[places[0]]), int(limit))
        if body.get("mode", "matchPerson") == "matchPerson":
            similar = [face for face in similar if face["confidence"] >= 0.5]
        return JSONResponse(similar)

    async def _all_lists(self, request: Request) -> Response:
        self._check_approved()
        return JSONResponse(
            [{"largeFaceListId": name, "name": name} for name in self._memory.names()]
        )

    async def _one_list(self, request: Request) -> Response:
        self._check_approved()
        list_id = request.path_params["list"]
        if not _LIST_ID.fullmatch(list_id):
            raise bad_argument("Large face list ID is invalid.")
        if request.method == "GET":
            face_list = self._memory.held(list_id)
            return JSONResponse(
                {
                    "largeFaceListId": list_id,
                    "name": face_list.name,
                    "userData": face_list.user_data,
                }
            )
        if request.method == "DELETE":
            self._memory.drop(list_id)
            return Response()
        body = await request.json()
        if not body.get("name"):
            raise bad_argument("'name' is empty.")
        _check_models("detection_03", body.get("recognitionModel"))
        self._memory.make(list_id, body["name"], body.get("userData"))
        return Response()

    async def _list_faces(self, request: Request) -> Response:
        self._check_approved()
        list_id, query = request.path_params["list"], request.query_params
        if request.method == "GET":
            top = _number(query.get("top", "1000"), 1, 1000, "top")
            return JSONResponse(self._memory.page(list_id, query.get("start", ""), int(top)))
        _check_models(query.get("detectionModel"), "recognition_04")
        if len(query.get("userData", "")) > 1024:
            raise bad_argument("'userData' is too long.")
        self._memory.check_room(list_id)
        photo = await _photo(request)
        faces = await run_in_threadpool(self._detected, photo)
        target = _target(faces, query.get("targetFace"), photo)
        embedded = await run_in_threadpool(self._embedded, photo, target)
        persisted_id = self._memory.add(list_id, query.get("userData", ""), _vector(embedded))
        return JSONResponse({"persistedFaceId": persisted_id})

    async def _remove(self, request: Request) -> Response:
        self._check_approved()
        self._memory.remove(request.path_params["list"], request.path_params["face"])
        return Response()

    async def _train(self, request: Request) -> Response:
        self._check_approved()
        self._memory.train(request.path_params["list"])
        place = str(request.url).replace("/train", "/training")
        return Response(status_code=202, headers={"operation-Location": place})

    async def _training(self, request: Request) -> Response:
        self._check_approved()
        return JSONResponse(self._memory.status(request.path_params["list"]))


async def _photo(request: Request) -> Photo:
    if request.headers.get("content-type", "") != "application/octet-stream":
        raise bad_argument("Request body is invalid.")
    try:
        return await read_image(
            request,
            formats=_FORMATS,
            least_bytes=1024,
            most_bytes=6 * 1024 * 1024,
            least_side=36,
            most_side=1_000_000,
        )
    except BadImage as bad:
        if bad.what == "format":
            raise Refusal(
                400, "InvalidImage", "Decoding error, image format unsupported."
            ) from None
        size = "small" if bad.too_small else "big"
        raise Refusal(400, "InvalidImageSize", f"Image size is too {size}.") from None


def _check_models(detection: str | None, recognition: str | None) -> None:
    if detection not in ("detection_01", "detection_02", "detection_03"):
        raise bad_argument("'detectionModel' is invalid.")
    if recognition not in tuple(f"recognition_0{number}" for number in (1, 2, 3, 4)):
        raise bad_argument("'recognitionModel' is invalid.")


def _check_attributes(names: Sequence[str]) -> None:
    wanted = {name.strip().lower() for name in names}
    if wanted & _RETIRED:
        raise Refusal(
            403,
            "UnsupportedFeature",
            "Return Attributes (emotion, gender, age, smile, facial hair, hair and makeup) have "
            "been deprecated and are no longer supported.",
        )
    if wanted - _ATTRIBUTES:
        raise bad_argument("Invalid argument returnFaceAttributes.")


def _flag(raw: str) -> bool:
    return raw.lower() == "true"


def _number(raw: str, least: int, most: int, name: str) -> float:
    if not _WHOLE.fullmatch(raw) or not least <= int(raw) <= most:
        raise bad_argument(f"The argument {name} is not valid.")
    return float(raw)


def _target(faces: list[Face], raw: str | None, photo: Photo) -> Face:
    """Return the face at the middle of the rectangle `targetFace`; without one, the only face."""
    if raw is None:
        if len(faces) > 1:
            raise Refusal(400, "InvalidImage", "There is more than 1 face in the image.")
        if not faces:
            raise Refusal(400, "InvalidImage", "No face detected in the image.")
        return faces[0]
    numbers = raw.split(",")
    if len(numbers) != 4 or not all(map(_WHOLE.fullmatch, numbers)):
        raise bad_argument("Invalid argument targetFace.")
    left, top, width, height = (int(number) for number in numbers)
    if left + width > photo.width or top + height > photo.height or not width * height:
        raise bad_argument("Argument targetFace out of range.")
    x, y = left + width / 2, top + height / 2
    for face in faces:
        where: Rectangle = face.face_rectangle
        across = where.left <= x <= where.left + where.width
        if across and where.top <= y <= where.top + where.height:
            return face
    raise Refusal(400, "InvalidImage", "No face detected in the image.")


def _vector(embedded: EnrolledFace) -> Any:
    return np.frombuffer(embedded.embedding, np.float32)
