"""The emulator as an ASGI app: keys, versions, quotas, and the routes of both services."""

import base64
import json
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

from imaginem.ai_emulator.face import Embedder, FaceEmulator
from imaginem.ai_emulator.faces import FaceMemory
from imaginem.ai_emulator.quota import Quota
from imaginem.ai_emulator.refusals import Refusal, over_quota, wrong_key
from imaginem.ai_emulator.vision import VisionEmulator
from imaginem.assets import AssetStore
from imaginem.ports import FaceEngine, OcrEngine, VisionEngine

_AUDIENCE = "https://cognitiveservices.azure.com"
_SERVICES = {"vision": "the Computer Vision API (v3.2)", "face": "the Face API (v1.2)"}


@dataclass(frozen=True)
class AiEmulatorOptions:
    """How the emulator behaves.

    Attributes:
        key: that it takes; tokens for Azure AI it takes too.
        per_second: calls that each service takes in any second; 0 for any number.
        limited_access: the Face account may identify people.
        face_id_seconds: how long a fresh face lives at most.
    """

    key: str = "double"
    per_second: float = 0.0
    limited_access: bool = True
    face_id_seconds: float = 86_400.0


class LocalEngines:
    """The local engines, loaded when they are first asked for."""

    def __init__(self, store: AssetStore) -> None:
        self._store = store

    @cached_property
    def vision(self) -> VisionEngine:
        """What is in a photo."""
        from imaginem.engines.local.vision import LocalVision

        return LocalVision(self._store)

    @cached_property
    def ocr(self) -> OcrEngine:
        """What is written in it."""
        from imaginem.engines.local.ocr import LocalOcr

        return LocalOcr(self._store)

    @cached_property
    def faces(self) -> FaceEngine:
        """Where the faces are."""
        from imaginem.engines.local.faces import LocalFaces

        return LocalFaces(self._store)

    @cached_property
    def embedder(self) -> Embedder:
        """What tells them apart."""
        from imaginem.engines.local.recognizer import FaceEmbedder

        return FaceEmbedder(self._store)


class AiEmulator:
    """Both services.

    Args:
        engines: has `vision`, `ocr`, `faces` and `embedder`; see `LocalEngines`.
        options: how it behaves.
        clock: seconds, steady.
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
        self.memory = FaceMemory(clock)
        self.vision = VisionEmulator(lambda: engines.vision, lambda: engines.ocr)
        self.face = FaceEmulator(lambda: engines.faces, lambda: engines.embedder, self.memory)
        self.face.approved = options.limited_access
        self.face.face_id_seconds = options.face_id_seconds
        self.requests: list[str] = []
        """Method and address of every request, for tests to look at."""

    def asgi(self) -> Starlette:
        """Return the app."""
        return Starlette(
            routes=[*self.vision.routes(), *self.face.routes()],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._gateway)],
            exception_handlers={
                Refusal: _refused,
                404: lambda request, problem: Refusal(404, "404", "Resource not found").answer(),
            },
        )

    async def _gateway(self, request: Request, go_on: RequestResponseEndpoint) -> Response:
        self.requests.append(f"{request.method} {request.url.path}?{request.url.query}")
        service = request.url.path.split("/")[1]
        if not self._known(request):
            return wrong_key().answer()
        if service in self.quotas and (seconds := self.quotas[service].admit()):
            return over_quota(_SERVICES[service], seconds).answer()
        return await go_on(request)

    def _known(self, request: Request) -> bool:
        if request.headers.get("ocp-apim-subscription-key") == self.key:
            return True
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and _is_for_us(token)


def _is_for_us(token: str) -> bool:
    """Tell whether a token is meant for Azure AI and lives; its signature is not looked at."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        audience, until = str(claims["aud"]), float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return False
    return audience.rstrip("/") == _AUDIENCE and until > time.time()


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refusal)  # noqa: S101 - registered for it alone
    return problem.answer()
