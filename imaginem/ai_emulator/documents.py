"""Document Intelligence 4.0 (2024-11-30): the read model."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginem.ai_emulator.images import EMULATOR, BadImage, read_image
from imaginem.ai_emulator.operations import OperationStore
from imaginem.ai_emulator.refusals import Refusal, bad_content, check_version
from imaginem.images.decoding import Photo
from imaginem.outputs import OcrText
from imaginem.ports import OcrEngine

_VERSION, _MODEL = "2024-11-30", "prebuilt-read"
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "HEIF")
_MEGABYTE = 1024 * 1024
_BYTES, _FREE_BYTES = 500 * _MEGABYTE, 4 * _MEGABYTE
_FEATURES = {"ocrHighResolution", "languages", "barcodes", "formulas", "styleFont"}
_INDEXES = ("textElements", "unicodeCodePoint", "utf16CodeUnit")


class DocumentEmulator:
    """The routes of Document Intelligence, answered by our own engine.

    Args:
        ocr: returns the engine that reads text.

    Attributes:
        free: the account is of the free tier, which takes small files only.
        operations: what is being read.
    """

    def __init__(self, ocr: Callable[[], OcrEngine]) -> None:
        self._ocr = ocr
        self.free = False
        self.operations = OperationStore()

    def routes(self) -> list[Route]:
        """Return the routes."""
        root = "/documentintelligence/documentModels"
        return [
            Route(f"{root}/{{model}}:analyze", self._analyze, methods=["POST"]),
            Route(f"{root}/{{model}}/analyzeResults/{{operation}}", self._result, methods=["GET"]),
        ]

    async def _analyze(self, request: Request) -> Response:
        _check(request)
        query = request.query_params
        features = {name for name in query.get("features", "").split(",") if name}
        if features - _FEATURES or query.get("stringIndexType", _INDEXES[0]) not in _INDEXES:
            raise Refusal(400, "InvalidArgument", "Invalid argument.", inner="InvalidParameter")
        try:
            photo = await read_image(
                request,
                formats=_FORMATS,
                most_bytes=_FREE_BYTES if self.free else _BYTES,
                least_side=50,
                most_side=10_000,
            )
        except BadImage as bad:
            raise bad_content(bad) from None
        with_languages = "languages" in features

        def work() -> dict[str, Any]:
            text = self._ocr().read(photo, EMULATOR)
            return {"analyzeResult": _result_json(photo, text, with_languages)}

        number = self.operations.begin(work)
        path = request.url.path.replace(":analyze", f"/analyzeResults/{number}")
        address = str(request.url.replace(path=path, query=f"api-version={_VERSION}"))
        headers = {"Operation-Location": address, "Retry-After": "1"}
        return Response(status_code=202, headers=headers)

    async def _result(self, request: Request) -> Response:
        _check(request)
        begun, status, parts = self.operations.state(request.path_params["operation"])
        times = {
            "createdDateTime": begun.isoformat(),
            "lastUpdatedDateTime": datetime.now(UTC).isoformat(),
        }
        return JSONResponse({"status": status, **times, **parts})


def _check(request: Request) -> None:
    check_version(request.query_params.get("api-version"), _VERSION)
    if request.path_params["model"] != _MODEL:
        raise Refusal(404, "NotFound", "Resource not found.", inner="ModelNotFound")


def _result_json(photo: Photo, text: OcrText, with_languages: bool) -> dict[str, Any]:
    """Return the text of a photo, in the shape of the service: words apart from lines."""
    lines: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    content = ""
    for line in filter(lambda each: each.text, text.lines):
        content += "\n" if content else ""
        span = {"offset": len(content), "length": len(line.text)}
        lines.append({"content": line.text, "polygon": line.polygon, "spans": [span]})
        place = len(content)
        for word in line.words:
            place = len(content) + line.text.find(word.text, place - len(content))
            words.append(
                {
                    "content": word.text,
                    "polygon": word.polygon,
                    "confidence": word.confidence,
                    "span": {"offset": place, "length": len(word.text)},
                }
            )
            place += len(word.text)
        content += line.text
    page = {
        "pageNumber": 1,
        "angle": 0.0,
        "width": photo.width,
        "height": photo.height,
        "unit": "pixel",
        "words": words,
        "lines": lines,
        "spans": [{"offset": 0, "length": len(content)}],
    }
    languages = []
    if with_languages and text.language and not text.language.startswith("und"):
        whole = {"offset": 0, "length": len(content)}
        languages = [{"locale": text.language, "spans": [whole], "confidence": 0.9}]
    return {
        "apiVersion": _VERSION,
        "modelId": _MODEL,
        "stringIndexType": "unicodeCodePoint",
        "content": content,
        "pages": [page],
        "paragraphs": [],
        "styles": [],
        "languages": languages,
        "contentFormat": "text",
    }
