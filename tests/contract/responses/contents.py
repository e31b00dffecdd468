"""Content Understanding 2025-11-01: analyses of photos, our analyzer, and what they refuse."""

from typing import Any

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.errors import Busy, PermanentError, RetryableError
from tests.answering import Answer, Example, RefusalExample
from tests.contract.responses import SPEC

_PLACE = f"{SPEC}/ai/data-plane/ContentUnderstanding"
_RESULT = f"{_PLACE}/examples/2025-11-01/ContentAnalyzers_GetResult.json"
_ANALYZER = f"{_PLACE}/stable/2025-11-01/examples/ContentAnalyzers_GetOperationStatus.json"
_DOCS = "MicrosoftDocs/azure-ai-docs: articles/ai-services/content-understanding"
_MODELS = f"{_DOCS}/concepts/models-deployments.md"
_REPORTED = "reported by users of the service"
READY = Answer(
    {
        "analyzerId": "imaginem_photo",
        "status": "ready",
        "createdAt": "2031-04-05T06:07:08Z",
        "lastModifiedAt": "2031-04-05T06:07:08Z",
        "baseAnalyzerId": "prebuilt-image",
        "config": {"locales": None, "returnDetails": False},
        "fieldSchema": {"name": "Photo", "fields": {}, "definitions": {}},
    }
)
"""Our analyzer, as the service shows it."""
SENT = Answer(
    {"id": "0f9c5a3e-operation", "status": "NotStarted"},
    202,
    {
        "Operation-Location": "{address}/contentunderstanding/analyzerResults/0f9c5a3e-operation"
        "?api-version=2025-11-01"
    },
)
"""What an analysis answers, and where its result will be."""
_BEFORE = (READY, SENT)
_ESSENTIAL = frozenset({"result", "result.contents", "result.contents.fields"})


def _text(value: str) -> dict[str, Any]:
    return {"type": "string", "valueString": value}


def _number(value: float) -> dict[str, Any]:
    return {"type": "number", "valueNumber": value}


def _items(number: str, *pairs: tuple[str, float]) -> dict[str, Any]:
    return {
        "type": "array",
        "valueArray": [
            {"type": "object", "valueObject": {"Name": _text(name), number: _number(value)}}
            for name, value in pairs
        ],
    }


_FIELDS = {
    "Tags": _items("Confidence", ("tent", 0.7), ("child", 0.9), ("Tent", 0.4)),
    "Caption": _text("Children between tents"),
    "CaptionConfidence": _number(0.8),
    "Categories": _items("Score", ("outdoor_", 0.6)),
    "AdultScore": _number(0.01),
    "RacyScore": _number(0),
    "GoreScore": _number(0.7),
}


def _result(fields: dict[str, Any], status: str = "Succeeded", **more: Any) -> Answer:
    content = {
        "kind": "document",
        "mimeType": "image/jpeg",
        "markdown": "![image](pages/1)\n\n...",
        "startPageNumber": 1,
        "endPageNumber": 1,
        "unit": "pixel",
        "pages": [{"pageNumber": 1, "width": 400, "height": 300}],
        "fields": fields,
    }
    result = {
        "analyzerId": "imaginem_photo",
        "apiVersion": "2025-11-01",
        "createdAt": "2031-04-05T06:07:08.244Z",
        "warnings": [],
        "contents": [content],
    }
    usage = {"contextualizationTokens": 1000, "tokens": {"gpt-5.2-input": 1043}}
    body = {"id": "0f9c5a3e-operation", "status": status, "result": result, "usage": usage}
    return Answer({**body, **more})


def _failed(inner: str, message: str, code: str = "InvalidRequest") -> Answer:
    error = {
        "code": code,
        "message": "Invalid Request.",
        "innererror": {"code": inner, "message": message},
    }
    nothing = {"analyzerId": "imaginem_photo", "warnings": [], "contents": []}
    return Answer({"id": "0f9c", "status": "Failed", "error": error, "result": nothing})


def _refused(status: int, code: str, inner: str = "", **headers: str) -> Answer:
    error: dict[str, Any] = {"code": code, "message": "something else"}
    if inner:
        error["innererror"] = {"code": inner, "message": f"we say {inner}"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"error": error}, status, names)


_FOUND: dict[str, object] = {
    "tags": [{"name": "child", "confidence": 0.9}, {"name": "tent", "confidence": 0.7}],
    "categories": [{"name": "outdoor_", "score": 0.6}],
    "description.captions": [{"text": "Children between tents", "confidence": 0.8}],
    "adult.is_adult_content": False,
    "adult.adult_score": 0.01,
    "adult.is_gory_content": True,
    "objects": [],
    "not_looked_for": ["objects", "color", "image_type"],
    "metadata": {"width": 400, "height": 300, "format": "PNG"},
    "model_version": "2025-11-01",
}
_SHORT = _result({"Caption": _text("A tent")})
_SHORT_ESSENTIAL = _ESSENTIAL | {
    "result.contents.fields.Caption",
    "result.contents.fields.Caption.valueString",
}

EXAMPLES = [
    Example(_RESULT, "content", _result(_FIELDS), _FOUND, _ESSENTIAL, _BEFORE),
    Example(
        f"{_DOCS}/document/elements.md, status Running",
        "content",
        _result({"Tags": _items("Confidence", ("tent", 1.7))}),
        {
            "tags": [{"name": "tent", "confidence": 1.0}],
            "unanswered": ["categories", "description", "adult"],
            "adult.is_adult_content": None,
        },
        _ESSENTIAL | {"result.contents.fields.Tags", "result.contents.fields.Tags.valueArray"},
        (*_BEFORE, Answer({"id": "0f9c5a3e-operation", "status": "Running"})),
    ),
    Example(
        f"{_ANALYZER}, an analyzer that is being made",
        "content",
        _SHORT,
        {"description.captions.0.text": "A tent"},
        _SHORT_ESSENTIAL,
        (
            _refused(404, "NotFound", "ModelNotFound"),
            Answer(
                {**READY.body, "status": "creating"},
                201,
                {"Operation-Location": "{address}/contentunderstanding/analyzers/i/operations/1"},
            ),
            Answer({**READY.body, "status": "creating"}),
            READY,
            SENT,
        ),
    ),
    Example(
        f"{_PLACE}/stable/2025-11-01/ContentUnderstanding.json, CreateOrReplace, 409",
        "content",
        _SHORT,
        {"description.captions.0.text": "A tent"},
        _SHORT_ESSENTIAL,
        (
            _refused(404, "NotFound", "ModelNotFound"),
            _refused(409, "Conflict"),
            READY,
            SENT,
        ),
    ),
]

_REMEDY = "Deploy the model that CONTENTUNDERSTANDING_MODEL names"
_NOT_THERE = _refused(404, "NotFound", "ModelNotFound")
REFUSALS = [
    *(
        RefusalExample(
            f"{_PLACE}/stable/2025-11-01/ContentUnderstanding.json, AnalyzeBinary, {inner}",
            "content",
            _refused(400, "InvalidRequest", inner),
            ServiceRefused,
            f"({inner})",
            before=(READY,),
        )
        for inner in ("InvalidContent", "InvalidContentDimensions", "InvalidContentLength")
    ),
    RefusalExample(
        f"{_REPORTED}: defaults that were never set, at the making of an analyzer",
        "content",
        _refused(400, "InvalidRequest", "DefaultsNotSet"),
        RetryableError,
        _REMEDY,
        before=(_NOT_THERE,),
    ),
    RefusalExample(
        f"{_REPORTED}: a deployment that does not exist",
        "content",
        _refused(400, "InvalidRequest", "DeploymentIdNotFound"),
        RetryableError,
        _REMEDY,
        before=(READY,),
    ),
    RefusalExample(
        f"{_MODELS}, no deployment for the model",
        "content",
        _failed("ResourceError", "This analyzer needs a 'completion' model deployment"),
        RetryableError,
        _REMEDY,
        before=_BEFORE,
    ),
    RefusalExample(
        f"{_MODELS}, guardrails that block",
        "content",
        _failed("ContentFiltered", "The content was filtered"),
        PermanentError,
        "guardrails annotate",
        before=_BEFORE,
    ),
    RefusalExample(
        f"{_PLACE}/stable/2025-11-01/ContentUnderstanding.json, a failed operation",
        "content",
        _failed("InternalServerError", "An unexpected error occurred.", "InternalServerError"),
        RetryableError,
        "(InternalServerError)",
        before=_BEFORE,
    ),
    RefusalExample(
        f"{_ANALYZER}, an analyzer that could not be made",
        "content",
        Answer({**READY.body, "status": "failed"}),
        RetryableError,
        "delete it, and check CONTENTUNDERSTANDING_MODEL",
    ),
    RefusalExample(
        f"{_DOCS}/service-limits.md, 429",
        "content",
        _refused(429, "429", Retry_After="7"),
        Busy,
        "contentunderstanding",
        7.0,
        before=(READY,),
    ),
    RefusalExample(
        f"{_DOCS}/concepts/secure-communications.md, 401",
        "content",
        _refused(401, "401"),
        RetryableError,
        "CONTENTUNDERSTANDING_API_KEY",
    ),
]
