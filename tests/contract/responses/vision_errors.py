"""Computer Vision 3.2: what Analyze Image, Read and its results refuse."""

from imaginem.engines.azure.calls import ServiceRefused
from imaginem.errors import Busy, PermanentError, RetryableError
from tests.answering import Answer, RefusalExample
from tests.contract.responses import DOCS, SPEC, VISION
from tests.contract.responses.read import SENT

_HOW_TO = f"{DOCS}/how-to/call-analyze-image.md, Analyze Image, error codes"
_MODEL = f"{VISION}/stable/v3.2/ComputerVision.json, ComputerVisionInnerError"
_READ = f"{VISION}/stable/v3.2/Ocr.json, Read, ComputerVisionError"
_GATEWAY = f"{SPEC}/ai/Face/examples/v1.1-preview.1/Detect.json, the gateway of all services"
_CHECK_READ = f"{DOCS}/how-to/call-read-api.md, Get Read Result"


def _nested(status: int, inner: str, outer: str = "InvalidRequest") -> Answer:
    """Return the error of Analyze Image: an inner code within an outer one."""
    detail = {"code": inner, "message": f"we say {inner}"}
    return Answer(
        {"error": {"code": outer, "message": "something else", "innererror": detail}}, status
    )


def _flat(status: int, code: str) -> Answer:
    """Return the error of Read."""
    return Answer({"code": code, "requestId": "a-request", "message": f"we say {code}"}, status)


def _gateway(status: int, message: str, **headers: str) -> Answer:
    """Return the error of the gateway before all services."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"error": {"code": str(status), "message": message}}, status, names)


REFUSALS = [
    *(
        RefusalExample(
            f"{_HOW_TO}, {code}", "analyze", _nested(400, code), ServiceRefused, f"({code})"
        )
        for code in (
            "InvalidImageUrl",
            "InvalidImageFormat",
            "InvalidImageSize",
            "NotSupportedVisualFeature",
            "NotSupportedImage",
            "InvalidDetails",
            "BadArgument",
        )
    ),
    RefusalExample(
        f"{_HOW_TO}, NotSupportedLanguage",
        "analyze",
        _nested(400, "NotSupportedLanguage", "InvalidArgument"),
        ServiceRefused,
        "(NotSupportedLanguage)",
    ),
    RefusalExample(
        f"{_HOW_TO}, 415",
        "analyze",
        _nested(415, "UnsupportedMediaType"),
        ServiceRefused,
        "(UnsupportedMediaType)",
    ),
    *(
        RefusalExample(
            f"{_HOW_TO}, {code}",
            "analyze",
            _nested(500, code, "InternalServerError"),
            RetryableError,
            f"({code})",
            10.0,
        )
        for code in ("FailedToProcess", "Timeout", "InternalServerError")
    ),
    *(
        RefusalExample(f"{_MODEL}, {code}", "analyze", _nested(400, code), ServiceRefused, code)
        for code in ("NotSupportedFeature", "DetectFaceError", "InvalidModel", "CancelledRequest")
    ),
    RefusalExample(
        f"{_MODEL}, StorageException",
        "analyze",
        _nested(500, "StorageException", "InternalServerError"),
        RetryableError,
        "StorageException",
        10.0,
    ),
    RefusalExample(
        f"{_MODEL}, ServiceUnavailable",
        "analyze",
        _nested(503, "Unspecified", "ServiceUnavailable"),
        RetryableError,
        "Unspecified",
        10.0,
    ),
    *(
        RefusalExample(f"{_READ}, {code}", "read", _flat(400, code), ServiceRefused, f"({code})")
        for code in (
            "InvalidImage",
            "UnsupportedImageFormat",
            "InvalidImageDimension",
            "InvalidReadingOrder",
            "InvalidPageRange",
            "FailedToDownloadImage",
            "InvalidRequest",
        )
    ),
    RefusalExample(
        f"{_READ}, InternalServerError",
        "read",
        _flat(500, "InternalServerError"),
        RetryableError,
        "InternalServerError",
        10.0,
    ),
    RefusalExample(
        f"{_CHECK_READ}, status failed",
        "read",
        Answer({"status": "failed", "createdDateTime": "2031-01-01T00:00:00Z"}),
        PermanentError,
        "send another",
        before=(SENT,),
    ),
    RefusalExample(
        f"{_CHECK_READ}, status running, without end",
        "read",
        Answer({"status": "running"}),
        RetryableError,
        "no result within 90 s",
        before=(SENT,),
    ),
    RefusalExample(
        f"{_CHECK_READ}, more calls than the tier takes",
        "read",
        _gateway(429, "too many calls", Retry_After="4"),
        Busy,
        "no result within 90 s",
        4.0,
        before=(SENT,),
    ),
    RefusalExample(
        f"{_GATEWAY}, 401",
        "analyze",
        _gateway(401, "the key is not good for this address"),
        RetryableError,
        "VISION_API_KEY",
    ),
    RefusalExample(
        f"{_GATEWAY}, 403",
        "analyze",
        Answer(
            {"error": {"statusCode": 403, "message": "Out of call volume quota, for 3 hours."}},
            403,
            {"Retry-After": "86400"},
        ),
        Busy,
        "Out of call volume quota",
        86_400.0,
    ),
    RefusalExample(
        f"{_GATEWAY}, 429",
        "read",
        Answer({"error": {"statusCode": 429, "message": "Slow down, for 9 seconds."}}, 429),
        Busy,
        "Slow down",
        1.0,
    ),
    RefusalExample(
        "MicrosoftDocs/azure-docs issue 55514, Read, 404 of a wrong address",
        "read",
        _gateway(404, "Resource not found"),
        RetryableError,
        "VISION_ENDPOINT",
    ),
    RefusalExample(
        "MicrosoftDocs/azure-docs issue 46445, Read, 404 of an address with a path too many",
        "analyze",
        Answer(b"<html>Not Found</html>", 404, {"Content-Type": "text/html"}),
        RetryableError,
        "VISION_ENDPOINT",
    ),
    RefusalExample(
        f"{DOCS}/includes/image-analysis-deprecation.md, after the retirement; 410 is our guess",
        "analyze",
        _gateway(410, "this version is no longer served"),
        RetryableError,
        "retire",
    ),
    RefusalExample(
        "MicrosoftLearning/mslearn-ai-vision issue 21, 401 of an account of another kind",
        "analyze",
        _gateway(401, "this operation is not part of the tier of this account"),
        RetryableError,
        "VISION_ENDPOINT",
    ),
]
