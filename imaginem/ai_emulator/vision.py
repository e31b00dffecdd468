"""Computer Vision 3.2: analyze and Read."""

import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginem.ai_emulator.images import EMULATOR, BadImage, read_image
from imaginem.ai_emulator.refusals import Refusal, bad_image
from imaginem.images.decoding import Photo
from imaginem.outputs import FoundObject, ImageAnalysis, OcrText, Tag, TextLine
from imaginem.ports import OcrEngine, VisionEngine

_ANALYZE_FORMATS = ("JPEG", "PNG", "GIF", "BMP")
_READ_FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
_MEGABYTE = 1024 * 1024
_ANALYZE_BYTES = 4 * _MEGABYTE
_READ_BYTES, _FREE_READ_BYTES = 500 * _MEGABYTE, 4 * _MEGABYTE
_FEATURES = {
    "categories", "tags", "description", "objects", "color", "adult", "imagetype", "faces",
    "brands",
}  # fmt: skip
_LANGUAGES = ("en", "es", "ja", "pt", "zh")
_MODEL = "2021-05-01"
_WIDER: dict[str, tuple[str, ...]] = {
    "bird": ("animal",),
    "cat": ("mammal", "animal"),
    "dog": ("mammal", "animal"),
    "horse": ("mammal", "animal"),
    "sheep": ("mammal", "animal"),
    "cow": ("mammal", "animal"),
    "car": ("land vehicle", "vehicle"),
    "bus": ("land vehicle", "vehicle"),
    "truck": ("land vehicle", "vehicle"),
    "boat": ("watercraft", "vehicle"),
    "chair": ("seating", "furniture"),
}
"""Wider words that the service gives with an object, the nearest first."""


class VisionEmulator:
    """The routes of Computer Vision, answered by our own engines.

    Args:
        vision: returns the engine that says what is in a photo.
        ocr: returns the engine that reads text.

    Attributes:
        free: the account is of the free tier, whose Read takes small files only.
    """

    def __init__(self, vision: Callable[[], VisionEngine], ocr: Callable[[], OcrEngine]) -> None:
        self._vision, self._ocr = vision, ocr
        self.free = False
        self._readings: dict[str, tuple[datetime, Future[tuple[Photo, OcrText]]]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read")

    def routes(self) -> list[Route]:
        """Return the routes."""
        root = "/vision/v3.2"
        return [
            Route(f"{root}/analyze", self._analyze, methods=["POST"]),
            Route(f"{root}/read/analyze", self._read, methods=["POST"]),
            Route(f"{root}/read/analyzeResults/{{operation}}", self._result, methods=["GET"]),
        ]

    async def _analyze(self, request: Request) -> Response:
        query = request.query_params.get("visualFeatures", "Categories")
        features = {name.strip().lower() for name in query.split(",")}
        if unknown := features - _FEATURES:
            raise Refusal(
                400,
                "InvalidArgument",
                f"The specified visual feature is not supported: {sorted(unknown)[0]}.",
                inner="NotSupportedVisualFeature",
            )
        if request.query_params.get("language", "en") not in _LANGUAGES:
            raise Refusal(
                400,
                "InvalidArgument",
                "The specified language is not supported.",
                inner="NotSupportedLanguage",
            )
        photo = await _photo(request, _ANALYZE_FORMATS, _ANALYZE_BYTES, 16_000)
        analysis = await run_in_threadpool(self._vision().analyze, photo, EMULATOR)
        return JSONResponse(_analysis_json(analysis, features))

    async def _read(self, request: Request) -> Response:
        if request.query_params.get("readingOrder", "basic") not in ("basic", "natural"):
            raise bad_image("InvalidReadingOrder", "The reading order is not supported.")
        most = _FREE_READ_BYTES if self.free else _READ_BYTES
        photo = await _photo(request, _READ_FORMATS, most, 10_000)
        operation = str(uuid.uuid4())
        future = self._pool.submit(lambda: (photo, self._ocr().read(photo, EMULATOR)))
        self._readings[operation] = datetime.now(UTC), future
        path = f"/vision/v3.2/read/analyzeResults/{operation}"
        address = str(request.url.replace(path=path, query=""))
        return Response(status_code=202, headers={"Operation-Location": address})

    async def _result(self, request: Request) -> Response:
        reading = self._readings.get(request.path_params["operation"])
        if reading is None:
            raise Refusal(404, "NotFound", "Operation is not found.")
        begun, future = reading
        answer: dict[str, Any] = {
            "status": "running",
            "createdDateTime": begun.isoformat(),
            "lastUpdatedDateTime": datetime.now(UTC).isoformat(),
        }
        if not future.done():
            return JSONResponse(answer)
        if future.exception() is not None:
            return JSONResponse({**answer, "status": "failed"})
        return JSONResponse(
            {**answer, "status": "succeeded", "analyzeResult": _text_json(*future.result())}
        )


async def _photo(
    request: Request, formats: tuple[str, ...], most_bytes: int, most_side: int
) -> Photo:
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        raise bad_image(
            "InvalidImageUrl", "Image URL is not accessible: the emulator fetches none."
        )
    if kind not in ("application/octet-stream", "multipart/form-data"):
        raise Refusal(415, "UnsupportedMediaType", "Unsupported media type.")
    try:
        return await read_image(
            request,
            formats=formats,
            most_bytes=most_bytes,
            least_side=50,
            most_side=most_side,
        )
    except BadImage as bad:
        if bad.what == "format":
            raise bad_image("InvalidImageFormat", "Input data is not a valid image.") from None
        if bad.too_small:
            message = "Image must be at least 50 pixels in width and height"
        else:
            message = "Input image is too large."
        raise bad_image("InvalidImageSize", message) from None


def _analysis_json(analysis: ImageAnalysis, features: set[str]) -> dict[str, Any]:
    """Return the asked features of an analysis, in the shape of the service."""
    adult, color = analysis.adult, analysis.color
    parts: dict[str, Any] = {
        "categories": [
            {"name": category.name, "score": category.score} for category in analysis.categories
        ],
        "tags": [_tag_json(tag) for tag in analysis.tags],
        "description": {
            "tags": analysis.description.tags,
            "captions": [caption.model_dump() for caption in analysis.description.captions],
        },
        "objects": [_object_json(thing) for thing in analysis.objects],
        "color": {
            "dominantColorForeground": color.dominant_color_foreground,
            "dominantColorBackground": color.dominant_color_background,
            "dominantColors": color.dominant_colors,
            "accentColor": color.accent_color,
            "isBWImg": bool(color.is_bw_img),
        },
        "adult": {
            "isAdultContent": bool(adult.is_adult_content),
            "isRacyContent": bool(adult.is_racy_content),
            "isGoryContent": bool(adult.is_gory_content),
            "adultScore": adult.adult_score or 0.0,
            "racyScore": adult.racy_score or 0.0,
            "goreScore": adult.gore_score or 0.0,
        },
        "imageType": {
            "clipArtType": analysis.image_type.clip_art_type or 0,
            "lineDrawingType": analysis.image_type.line_drawing_type or 0,
        },
    }
    size = analysis.metadata
    return {
        **{name: part for name, part in parts.items() if name.lower() in features},
        "requestId": str(uuid.uuid4()),
        "metadata": {
            "width": size.width,
            "height": size.height,
            "format": size.format.capitalize(),
        },
        "modelVersion": _MODEL,
    }


def _tag_json(tag: Tag) -> dict[str, Any]:
    """Return a tag, with a hint where the service gives one: the kind of a living being."""
    answer = {"name": tag.name, "confidence": tag.confidence}
    kinds = _WIDER.get(tag.name, ())
    return {**answer, "hint": kinds[0]} if "animal" in kinds else answer


def _object_json(thing: FoundObject) -> dict[str, Any]:
    """Return an object within the wider words for it."""
    answer: dict[str, Any] = {"object": thing.object, "confidence": thing.confidence}
    inner = answer
    for kind in _WIDER.get(thing.object, ()):
        inner["parent"] = {"object": kind, "confidence": thing.confidence}
        inner = inner["parent"]
    return {"rectangle": thing.rectangle.model_dump(), **answer}


def _line_json(line: TextLine, language: str) -> dict[str, Any]:
    """Return a line; its language only where it is another one than the page's."""
    style = line.style
    answer: dict[str, Any] = {
        "boundingBox": line.polygon,
        "text": line.text,
        "appearance": {
            "style": {
                "name": style.name if style else "other",
                "confidence": (style.confidence if style else None) or 0.9,
            }
        },
        "words": [
            {"boundingBox": word.polygon, "text": word.text, "confidence": word.confidence}
            for word in line.words
        ],
    }
    if line.language and line.language != language:
        answer["language"] = line.language
    return answer


def _text_json(photo: Photo, text: OcrText) -> dict[str, Any]:
    """Return the text of a photo, in the shape of the service."""
    page: dict[str, Any] = {
        "page": 1,
        "angle": 0.0,
        "width": photo.width,
        "height": photo.height,
        "unit": "pixel",
        "lines": [_line_json(line, text.language) for line in text.lines if line.text],
    }
    if text.language and not text.language.startswith("und"):
        page["language"] = text.language
    return {"version": "3.2.0", "modelVersion": "2022-04-30", "readResults": [page]}
