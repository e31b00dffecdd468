"""Content Understanding 2025-11-01: analyzers and analyses of photos.

There is no generative model behind it: our own engine answers the fields that our analyzer asks.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginem.ai_emulator.images import EMULATOR, BadImage, read_image
from imaginem.ai_emulator.operations import OperationStore
from imaginem.ai_emulator.refusals import Refusal, bad_content, check_version
from imaginem.outputs import ImageAnalysis
from imaginem.ports import VisionEngine

_VERSION = "2025-11-01"
_FORMATS = ("JPEG", "PNG", "BMP", "HEIF")
_BYTES = 200 * 1024 * 1024
_ID = re.compile(r"[a-zA-Z0-9._]{1,64}")
_BASES = ("prebuilt-document", "prebuilt-image", "prebuilt-audio", "prebuilt-video")
_NO_MODEL = (
    "This analyzer needs a 'completion' model deployment for current request, but none was "
    "resolved. Configure it via 'PATCH /contentunderstanding/defaults'."
)
_STATES = {"running": "Running", "succeeded": "Succeeded", "failed": "Failed"}


class ContentEmulator:
    """The routes of Content Understanding, answered by our own engine.

    Args:
        vision: returns the engine that says what is in a photo.

    Attributes:
        analyzers: definitions by id.
        creating: ids of analyzers that are still being made, with the questions that they answer
            so.
        deployments: of models, by name or alias.
        operations: what is being analyzed.
    """

    def __init__(self, vision: Callable[[], VisionEngine]) -> None:
        self._vision = vision
        self.analyzers: dict[str, dict[str, Any]] = {}
        self.creating: dict[str, int] = {}
        self.deployments = {"gpt-5.2": "gpt-5.2"}
        self.operations = OperationStore()

    def routes(self) -> list[Route]:
        """Return the routes."""
        root = "/contentunderstanding"
        return [
            Route(f"{root}/defaults", self._defaults, methods=["GET", "PATCH"]),
            Route(f"{root}/analyzers/{{analyzer}}:analyzeBinary", self._analyze, methods=["POST"]),
            Route(f"{root}/analyzers/{{analyzer}}", self._one, methods=["GET", "PUT", "DELETE"]),
            Route(f"{root}/analyzerResults/{{operation}}", self._result, methods=["GET"]),
        ]

    async def _defaults(self, request: Request) -> Response:
        _check(request)
        if request.method == "PATCH":
            body = await request.json()
            self.deployments |= body.get("modelDeployments", {})
        return JSONResponse({"modelDeployments": self.deployments})

    async def _one(self, request: Request) -> Response:
        _check(request)
        analyzer = request.path_params["analyzer"]
        if request.method == "PUT":
            return await self._make(request, analyzer)
        self._definition(analyzer)
        if request.method == "DELETE":
            del self.analyzers[analyzer]
            return Response(status_code=204)
        left = self.creating.get(analyzer, 0)
        self.creating[analyzer] = max(left - 1, 0)
        return JSONResponse(self._shown(analyzer, "creating" if left else "ready"))

    async def _make(self, request: Request, analyzer: str) -> Response:
        if not _ID.fullmatch(analyzer):
            raise Refusal(400, "InvalidArgument", "Invalid analyzer ID.", inner="InvalidParameter")
        if analyzer in self.analyzers and request.query_params.get("allowReplace") != "true":
            raise Refusal(409, "Conflict", "The analyzer exists already.", inner="AnalyzerExists")
        body = await request.json()
        if body.get("baseAnalyzerId") not in _BASES:
            message = "Base analyzer ID is not valid."
            raise Refusal(400, "InvalidRequest", message, inner="InvalidBaseAnalyzerId")
        if not self.deployments:
            message = "Defaults have not yet been set. Call 'PATCH /contentunderstanding/defaults'."
            raise Refusal(400, "InvalidRequest", message, inner="DefaultsNotSet")
        self.analyzers[analyzer] = body
        path = f"{request.url.path}/operations/{analyzer}"
        address = str(request.url.replace(path=path, query=f"api-version={_VERSION}"))
        shown = self._shown(analyzer, "creating")
        return JSONResponse(shown, 201, headers={"Operation-Location": address})

    def _shown(self, analyzer: str, status: str) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        times = {"createdAt": now, "lastModifiedAt": now}
        return {"analyzerId": analyzer, "status": status, **times, **self.analyzers[analyzer]}

    def _definition(self, analyzer: str) -> dict[str, Any]:
        if analyzer not in self.analyzers:
            message = "The requested analyzer was not found."
            raise Refusal(404, "NotFound", message, inner="ModelNotFound")
        return self.analyzers[analyzer]

    async def _analyze(self, request: Request) -> Response:
        _check(request)
        analyzer = request.path_params["analyzer"]
        definition = self._definition(analyzer)
        try:
            photo = await read_image(
                request, formats=_FORMATS, most_bytes=_BYTES, least_side=50, most_side=10_000
            )
        except BadImage as bad:
            raise bad_content(bad) from None

        def work() -> dict[str, Any]:
            if definition.get("models", {}).get("completion") not in self.deployments:
                raise Refusal(400, "InvalidRequest", _NO_MODEL, inner="ResourceError")
            analysis = self._vision().analyze(photo, EMULATOR)
            return {"result": _result_json(analyzer, definition, analysis)}

        number = self.operations.begin(work)
        path = f"/contentunderstanding/analyzerResults/{number}"
        address = str(request.url.replace(path=path, query=f"api-version={_VERSION}"))
        body = {"id": number, "status": "NotStarted"}
        return JSONResponse(body, 202, headers={"Operation-Location": address})

    async def _result(self, request: Request) -> Response:
        _check(request)
        number = request.path_params["operation"]
        _, status, parts = self.operations.state(number)
        return JSONResponse({"id": number, "status": _STATES[status], **parts})


def _check(request: Request) -> None:
    check_version(request.query_params.get("api-version"), _VERSION)


def _result_json(
    analyzer: str, definition: dict[str, Any], analysis: ImageAnalysis
) -> dict[str, Any]:
    """Return the fields that the analyzer asks for, in the shape of the service."""
    wanted = definition["fieldSchema"]["fields"]
    filled = {name: value for name, value in _fields(analysis).items() if name in wanted}
    size = analysis.metadata
    content = {
        "kind": "document",
        "mimeType": "image/jpeg",
        "markdown": "![image](pages/1)\n",
        "startPageNumber": 1,
        "endPageNumber": 1,
        "unit": "pixel",
        "pages": [{"pageNumber": 1, "width": size.width, "height": size.height}],
        "fields": filled,
    }
    return {
        "analyzerId": analyzer,
        "apiVersion": _VERSION,
        "createdAt": datetime.now(UTC).isoformat(),
        "warnings": [],
        "contents": [content],
    }


def _fields(analysis: ImageAnalysis) -> dict[str, Any]:
    adult, captions = analysis.adult, analysis.description.captions
    fields = {
        "Tags": _list([(tag.name, "Confidence", tag.confidence) for tag in analysis.tags]),
        "Categories": _list([(one.name, "Score", one.score) for one in analysis.categories]),
    }
    scores = {"Adult": adult.adult_score, "Racy": adult.racy_score, "Gore": adult.gore_score}
    for name, score in scores.items():
        if score is not None:
            fields[f"{name}Score"] = _number(score)
    if captions:
        fields["Caption"] = {"type": "string", "valueString": captions[0].text}
        fields["CaptionConfidence"] = _number(captions[0].confidence)
    return fields


def _number(value: float) -> dict[str, Any]:
    return {"type": "number", "valueNumber": value}


def _list(items: list[tuple[str, str, float]]) -> dict[str, Any]:
    return {
        "type": "array",
        "valueArray": [
            {
                "type": "object",
                "valueObject": {
                    "Name": {"type": "string", "valueString": name},
                    number: _number(value),
                },
            }
            for name, number, value in items
        ],
    }
