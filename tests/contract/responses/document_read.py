"""Document Intelligence 4.0 (2024-11-30): the read model, its results, and what they refuse."""

from typing import Any

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.errors import Busy, PermanentError, RetryableError
from tests.answering import Answer, Example, RefusalExample
from tests.contract.responses import SPEC

_PLACE = f"{SPEC}/ai/data-plane/DocumentIntelligence"
_GUIDE = "learn.microsoft.com: azure/ai-services/document-intelligence"
_ERRORS = f"{_GUIDE}/resolve-errors, Analyze Document"
_RESULT = f"{_PLACE}/preview/2024-07-31-preview/examples/GetAnalyzeDocumentResult.json"
SENT = Answer(
    b"",
    202,
    {
        "Operation-Location": "{address}/documentintelligence/documentModels/prebuilt-read/"
        "analyzeResults/0f9c5a3e-operation?api-version=2024-11-30"
    },
)
"""What the read model answers, and where its result will be."""
_ESSENTIAL = frozenset({"analyzeResult", "analyzeResult.pages"})
_TIMES = {
    "createdDateTime": "2031-04-05T06:07:08Z",
    "lastUpdatedDateTime": "2031-04-05T06:07:10Z",
}
_CONTENT = "first aid\npara todos"


def _box(left: int, top: int, right: int) -> list[int]:
    return [left, top, right, top, right, top + 20, left, top + 20]


def _span(offset: int, length: int) -> dict[str, int]:
    return {"offset": offset, "length": length}


def _word(content: str, offset: int, left: int, top: int, score: float) -> dict[str, Any]:
    return {
        "content": content,
        "polygon": _box(left, top, left + 40),
        "confidence": score,
        "span": _span(offset, len(content)),
    }


def _line(content: str, offset: int, top: int) -> dict[str, Any]:
    return {
        "content": content,
        "polygon": _box(10, top, 90),
        "spans": [_span(offset, len(content))],
    }


def _result(**more: Any) -> Answer:
    page = {
        "pageNumber": 1,
        "angle": 1.5,
        "width": 400,
        "height": 300,
        "unit": "pixel",
        "words": [
            _word("first", 0, 10, 20, 0.9),
            _word("aid", 6, 50, 20, 0.7),
            _word("para", 10, 10, 60, 0.8),
            _word("todos", 15, 50, 60, 0.6),
        ],
        "lines": [_line("first aid", 0, 20), _line("para todos", 10, 60)],
        "spans": [_span(0, 20)],
    }
    result = {
        "apiVersion": "2024-11-30",
        "modelId": "prebuilt-read",
        "stringIndexType": "unicodeCodePoint",
        "content": _CONTENT,
        "pages": [page],
        **more,
    }
    return Answer({"status": "succeeded", **_TIMES, "analyzeResult": result})


def _failed(code: str, inner: str = "", message: str = "we say no") -> Answer:
    error: dict[str, Any] = {"code": code, "message": "something else"}
    if inner:
        error["innererror"] = {"code": inner, "message": message}
    return Answer({"status": "failed", **_TIMES, "error": error})


def _refused(status: int, code: str, inner: str = "", **headers: str) -> Answer:
    error: dict[str, Any] = {"code": code, "message": "something else"}
    if inner:
        error["innererror"] = {"code": inner, "message": f"we say {inner}"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"error": error}, status, names)


_FOUND: dict[str, object] = {
    "full_text": _CONTENT,
    "lines.0.text": "first aid",
    "lines.0.confidence": 0.8,
    "lines.0.polygon": [10, 20, 90, 20, 90, 40, 10, 40],
    "lines.0.words.1": {
        "text": "aid",
        "confidence": 0.7,
        "polygon": [50, 20, 90, 20, 90, 40, 50, 40],
    },
    "lines.1.words.0.text": "para",
    "model_version": "2024-11-30",
}

EXAMPLES = [
    Example(_RESULT, "document", _result(), _FOUND, _ESSENTIAL, (SENT,)),
    Example(
        f"{_GUIDE}/prebuilt/read, handwriting and languages",
        "document",
        _result(
            styles=[{"isHandwritten": True, "confidence": 0.95, "spans": [_span(10, 10)]}],
            languages=[
                {"locale": "en", "confidence": 0.9, "spans": [_span(0, 9)]},
                {"locale": "es", "confidence": 0.8, "spans": [_span(10, 10)]},
            ],
        ),
        {
            **_FOUND,
            "language": "es",
            "lines.0.language": "en",
            "lines.0.style": None,
            "lines.1.language": "es",
            "lines.1.style": {"name": "handwriting", "confidence": 0.95},
        },
        _ESSENTIAL,
        (SENT,),
    ),
    Example(
        f"{_PLACE}/stable/2024-11-30/DocumentIntelligence.json, a photo without text",
        "document",
        Answer(
            {
                "status": "succeeded",
                **_TIMES,
                "analyzeResult": {"content": "", "pages": [{"pageNumber": 1, "unit": "pixel"}]},
            }
        ),
        {"full_text": "", "lines": [], "language": ""},
        _ESSENTIAL,
        (SENT,),
    ),
    Example(
        f"{_GUIDE}/service-limits, status notStarted and running",
        "document",
        _result(),
        _FOUND,
        _ESSENTIAL,
        (
            SENT,
            Answer({"status": "notStarted", **_TIMES}),
            Answer({"status": "running", **_TIMES}),
        ),
    ),
]

REFUSALS = [
    *(
        RefusalExample(
            f"{_ERRORS}, {inner}",
            "document",
            _refused(400, "InvalidRequest", inner),
            ServiceRefused,
            f"({inner})",
        )
        for inner in (
            "InvalidContent",
            "InvalidContentDimensions",
            "InvalidContentLength",
            "InvalidParameter",
            "UnsupportedContent",
        )
    ),
    RefusalExample(
        f"{_ERRORS}, UnsupportedMediaType",
        "document",
        _refused(415, "UnsupportedMediaType"),
        ServiceRefused,
        "(UnsupportedMediaType)",
    ),
    RefusalExample(
        f"{_ERRORS}, 401",
        "document",
        _refused(401, "401"),
        RetryableError,
        "DOCUMENTINTELLIGENCE_API_KEY",
    ),
    RefusalExample(
        f"{_ERRORS}, Forbidden",
        "document",
        _refused(403, "Forbidden", "AuthorizationFailed"),
        RetryableError,
        "Cognitive Services User",
    ),
    RefusalExample(
        f"{_GUIDE}/service-limits, 429",
        "document",
        _refused(429, "429", Retry_After="7"),
        Busy,
        "documentintelligence",
        7.0,
    ),
    RefusalExample(
        f"{_ERRORS}, ServiceUnavailable",
        "document",
        _refused(503, "ServiceUnavailable"),
        RetryableError,
        "(ServiceUnavailable)",
    ),
    RefusalExample(
        f"{_ERRORS}, InternalServerError",
        "document",
        _refused(500, "InternalServerError"),
        RetryableError,
        "(InternalServerError)",
    ),
    RefusalExample(
        f"{_ERRORS}, a failed operation, InvalidContent",
        "document",
        _failed("InvalidRequest", "InvalidContent"),
        PermanentError,
        "send another photo",
        before=(SENT,),
    ),
    RefusalExample(
        f"{_ERRORS}, a failed operation, InternalServerError",
        "document",
        _failed("InternalServerError"),
        RetryableError,
        "(InternalServerError)",
        before=(SENT,),
    ),
]
