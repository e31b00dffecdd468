"""The emulator as an ASGI app: keys, versions, quotas, and the routes of the services."""

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from imaginem.ai_emulator.chat import ChatEmulator
from imaginem.ai_emulator.contents import ContentEmulator
from imaginem.ai_emulator.documents import DocumentEmulator
from imaginem.ai_emulator.face import Embedder, FaceEmulator
from imaginem.ai_emulator.faces import FaceMemory
from imaginem.ai_emulator.quota import Quota
from imaginem.ai_emulator.refusals import Refusal, out_of_volume, over_quota, wrong_key
from imaginem.ai_emulator.vision import VisionEmulator
from imaginem.assets import AssetStore
from imaginem.ports import FaceEngine, OcrEngine, VisionEngine

_AUDIENCE = "https://cognitiveservices.azure.com"
_SERVICES = {
    "vision": "the Computer Vision API (v3.2)",
    "face": "the Face API (v1.2)",
    "documentintelligence": "the Document Intelligence API (2024-11-30)",
    "contentunderstanding": "the Content Understanding API (2025-11-01)",
}
_RESULTS = re.compile(r"/(documentintelligence|contentunderstanding)/.*[rR]esults/")
_QUESTIONS = 3.0
"""Questions for results that these two take for each photo: 50 and 15 a second, 3,000 and 1,000 a
minute."""


@dataclass(frozen=True)
class AiEmulatorOptions:
    """How the emulator behaves.

    Attributes:
        key: that it accepts, besides tokens for Azure AI.
        per_second: calls that each service accepts in any second; 0 for no limit.
        limited_access: the Face account has Limited Access, so it may identify people.
        face_id_seconds: longest life of a fresh face id.
        tier: of the accounts that read text: `F0`, which is free, or a paid one.
    """

    key: str = "double"
    per_second: float = 0.0
    limited_access: bool = True
    face_id_seconds: float = 86_400.0
    tier: str = "S1"


class LocalEngines:
    """The local engines, each made on first use.

    Args:
        store: has the weights.
    """

    def __init__(self, store: AssetStore) -> None:
        self._store = store

    @cached_property
    def vision(self) -> VisionEngine:
        """The engine that says what is in a photo."""
        from imaginem.engines.local.vision import LocalVision

        return LocalVision(self._store)

    @cached_property
    def ocr(self) -> OcrEngine:
        """The engine that reads text."""
        from imaginem.engines.local.ocr import LocalOcr

        return LocalOcr(self._store)

    @cached_property
    def faces(self) -> FaceEngine:
        """The engine that finds faces."""
        from imaginem.engines.local.faces import LocalFaces

        return LocalFaces(self._store)

    @cached_property
    def embedder(self) -> Embedder:
        """What makes embeddings of faces."""
        from imaginem.engines.local.recognizer import FaceEmbedder

        return FaceEmbedder(self._store)


class AiEmulator:
    """The services.

    Args:
        engines: has `vision`, `ocr`, `faces` and `embedder`; see `LocalEngines`.
        options: how it behaves.
        clock: seconds, steady.

    Attributes:
        requests: method and address of every request, for tests to look at.
    """

    def __init__(
        self,
        engines: Any,
        options: AiEmulatorOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        options = options or AiEmulatorOptions()
        self.key = options.key
        self.quotas = {name: Quota(options.per_second, clock) for name in _SERVICES}
        self.results = {
            name: Quota(options.per_second * _QUESTIONS, clock)
            for name in ("documentintelligence", "contentunderstanding")
        }
        self.memory = FaceMemory(clock)
        self.vision = VisionEmulator(lambda: engines.vision, lambda: engines.ocr)
        self.vision.free = options.tier == "F0"
        self.documents = DocumentEmulator(lambda: engines.ocr)
        self.documents.free = options.tier == "F0"
        self.contents = ContentEmulator(lambda: engines.vision)
        self.chat = ChatEmulator(
            lambda: engines.vision, lambda: engines.ocr, options.key, is_token=_is_valid
        )
        self.face = FaceEmulator(lambda: engines.faces, lambda: engines.embedder, self.memory)
        self.face.approved = options.limited_access
        self.face.face_id_seconds = options.face_id_seconds
        self.requests: list[str] = []

    def asgi(self) -> Starlette:
        """Return the app."""
        return Starlette(
            routes=[
                *self.vision.routes(),
                *self.face.routes(),
                *self.documents.routes(),
                *self.contents.routes(),
                *self.chat.routes(),
            ],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._gateway)],
            exception_handlers={
                Refusal: _refused,
                404: lambda request, problem: Refusal(404, "404", "Resource not found").answer(),
            },
        )

    async def _gateway(self, request: Request, go_on: RequestResponseEndpoint) -> Response:
        self.requests.append(f"{request.method} {request.url.path}?{request.url.query}")
        service = request.url.path.split("/")[1]
        if service == "v1":  # no service of Azure: it has keys and refusals of its own
            return await go_on(request)
        if not self._is_authorized(request):
            return wrong_key().answer()
        if service in self.quotas and (seconds := self.quotas[service].filled_in):
            return out_of_volume(seconds).answer()
        quotas = self.results if _RESULTS.match(request.url.path) else self.quotas
        if service in quotas and (seconds := quotas[service].admit()):
            return over_quota(_SERVICES[service], seconds).answer()
        return await go_on(request)

    def _is_authorized(self, request: Request) -> bool:
        if request.headers.get("ocp-apim-subscription-key") == self.key:
            return True
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and _is_valid(token)


def _is_valid(token: str) -> bool:
    """Tell whether a token is for Azure AI and has not expired; its signature is not checked."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        audience, until = str(claims["aud"]), float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return False
    return audience.rstrip("/") == _AUDIENCE and until > time.time()


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refusal)  # noqa: S101 - registered for this class
    return problem.answer()
