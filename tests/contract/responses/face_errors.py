"""Face 1.2: what Detect, Find Similar and the large face lists refuse."""

from imaginem.engines.azure.calls import LimitedAccess, ServiceRefused
from imaginem.errors import Busy, RetryableError
from tests.answering import Answer, RefusalExample
from tests.contract.responses import DOCS, FACE, SPEC

_PAGE = f"{DOCS}/reference-face-error-codes.md"
_COMMON, _DETECT = f"{_PAGE}, common", f"{_PAGE}, Face Detection"
_SIMILAR, _LISTS = f"{_PAGE}, Find Similar", f"{_PAGE}, Large Face List"
_EXAMPLES = f"{FACE}/v1.1-preview.1"
_ADD = (
    f"{SPEC}/ai/data-plane/Face/preview/v1.1-preview.1/examples/"
    "FaceListOperations_AddLargeFaceListFaceFromUrl.json, Add Large Face List Face"
)


def _refused(source: str, operation: str, status: int, code: str, about: str) -> RefusalExample:
    """Return a refusal that will not pass; the service's code is told."""
    answer = Answer({"error": {"code": code, "message": f"about {about}"}}, status)
    return RefusalExample(
        f"{source}, {code}: {about}", operation, answer, ServiceRefused, f"about {about} ({code})"
    )


def _gateway(status: int, message: str) -> Answer:
    """Return an error as the gateway writes it: a number instead of a code."""
    return Answer({"error": {"statusCode": status, "message": message}}, status)


def _coded(status: int, code: str) -> Answer:
    return Answer({"error": {"code": code, "message": f"about {code}"}}, status)


def _of_gateway(source: str, operation: str) -> list[RefusalExample]:
    """Return what the examples of every operation have in common."""
    return [
        RefusalExample(
            f"{source}, 401", operation, _coded(401, "Unspecified"), RetryableError, "FACE_API_KEY"
        ),
        RefusalExample(
            f"{source}, 403",
            operation,
            _gateway(403, "Out of call volume quota. Come back in 3 days."),
            Busy,
            "Out of call volume quota",
            3 * 86_400.0,
        ),
        RefusalExample(
            f"{source}, 429",
            operation,
            _gateway(429, "Too fast. Try again in 7 seconds."),
            Busy,
            "Too fast",
            1.0,
        ),
    ]


REFUSALS = [
    *(
        _refused(_COMMON, operation, 400, code, about)
        for operation, code, about in (
            ("make list", "BadArgument", "the body"),
            ("make list", "BadArgument", "its JSON"),
            ("detect", "BadArgument", "recognitionModel"),
            ("detect", "BadArgument", "detectionModel"),
            ("make list", "BadArgument", "an empty name"),
            ("make list", "BadArgument", "a long name"),
            ("add", "BadArgument", "long userData"),
            ("page", "BadArgument", "a long start"),
            ("page", "BadArgument", "top"),
            ("add", "BadArgument", "targetFace outside the photo"),
            ("add", "BadArgument", "an odd targetFace"),
            ("detect", "InvalidURL", "an address"),
            ("detect", "InvalidURL", "an address that does not answer"),
            ("detect", "InvalidImage", "the format"),
            ("add", "InvalidImage", "no face"),
            ("add", "InvalidImage", "more than one face"),
            ("detect", "InvalidImageSize", "a small photo"),
            ("detect", "InvalidImageSize", "a large photo"),
        )
    ),
    RefusalExample(
        f"{_COMMON}, 401", "detect", _coded(401, "401"), RetryableError, "FACE_ENDPOINT"
    ),
    RefusalExample(
        f"{_COMMON}, UnsupportedFeature",
        "similar",
        _coded(403, "UnsupportedFeature"),
        LimitedAccess,
        "FACE_PRINT_ENGINE=local",
    ),
    RefusalExample(
        f"{_COMMON}, ConcurrentOperationConflict",
        "add",
        _coded(409, "ConcurrentOperationConflict"),
        RetryableError,
        "ConcurrentOperationConflict",
        10.0,
    ),
    RefusalExample(f"{_COMMON}, 429", "detect", _coded(429, "429"), Busy, "about 429", 1.0),
    *(
        _refused(_DETECT, "detect", 400, "BadArgument", about)
        for about in ("returnFaceAttributes", "attributes of detection_02", "landmarks")
    ),
    RefusalExample(
        f"{_DETECT}, UnsupportedFeature of retired attributes, on both calls",
        "detect",
        _coded(403, "UnsupportedFeature"),
        LimitedAccess,
        "Limited Access",
    ),
    *(
        _refused(_SIMILAR, operation, 400, code, about)
        for operation, code, about in (
            ("similar", "BadArgument", "different recognitionModels"),
            ("similar", "BadArgument", "mode"),
            ("similar in list", "BadArgument", "the face list's id"),
            ("similar in list", "BadArgument", "the large face list's id"),
            ("similar in list", "BadArgument", "not exactly one place"),
            ("similar in list", "BadArgument", "no place to search"),
            ("similar in list", "BadArgument", "two places to search"),
            ("similar in list", "BadArgument", "maxNumOfCandidatesReturned"),
            ("similar", "BadArgument", "how many faceIds"),
            ("similar", "FaceNotFound", "a face"),
            ("similar in list", "FaceListNotFound", "a face list"),
            ("similar in list", "LargeFaceListNotFound", "a large face list"),
            ("similar in list", "LargeFaceListNotTrained", "a list without training"),
            ("similar in list", "FaceListNotReady", "an empty list"),
        )
    ),
    *(
        RefusalExample(
            f"{page}, LargeFaceListTrainingNotFinished",
            operation,
            _coded(409, "LargeFaceListTrainingNotFinished"),
            Busy,
            "about LargeFaceListTrainingNotFinished",
            5.0,
        )
        for page, operation in ((_SIMILAR, "similar in list"), (_LISTS, "train"))
    ),
    *(
        _refused(_LISTS, operation, status, code, about)
        for operation, status, code, about in (
            ("make list", 400, "BadArgument", "the list's id"),
            ("make list", 400, "BadArgument", "neither name nor userData"),
            ("make list", 403, "QuotaExceeded", "how many lists"),
            ("add", 403, "QuotaExceeded", "how many faces"),
            ("add", 404, "LargeFaceListNotFound", "a list that is not there"),
            ("train", 404, "LargeFaceListNotFound", "an odd id of a list"),
        )
    ),
    RefusalExample(
        f"{_LISTS}, LargeFaceListExists",
        "make list",
        _coded(409, "LargeFaceListExists"),
        RetryableError,
        "LargeFaceListExists",
    ),
    RefusalExample(
        f"{_EXAMPLES}/Detect.json, Detect, 400",
        "detect",
        _coded(400, "InvalidImageSize"),
        ServiceRefused,
        "InvalidImageSize",
    ),
    RefusalExample(
        f"{_EXAMPLES}/Detect.json, Detect, 408",
        "detect",
        _coded(408, "OperationTimeOut"),
        RetryableError,
        "OperationTimeOut",
        10.0,
    ),
    RefusalExample(
        f"{_EXAMPLES}/Detect.json, Detect, 415",
        "detect",
        _coded(415, "BadArgument"),
        ServiceRefused,
        "BadArgument",
    ),
    *_of_gateway(f"{_EXAMPLES}/Detect.json, Detect", "detect"),
    *_of_gateway(
        f"{_EXAMPLES}/FaceListOperations_GetLargeFaceListTrainingStatus.json, Training Status",
        "training",
    ),
    *_of_gateway(_ADD, "add"),
    RefusalExample(
        f"{_ADD}, 408", "add", _coded(408, "OperationTimeOut"), RetryableError, "OperationTimeOut"
    ),
    RefusalExample(
        f"{_EXAMPLES}/FaceListOperations_DeleteLargeFaceListFace.json, Delete Face, 401",
        "remove",
        _coded(401, "Unspecified"),
        RetryableError,
        "FACE_API_KEY",
    ),
    RefusalExample(
        f"{_EXAMPLES}/FaceListOperations_DeleteLargeFaceListFace.json, Delete Face, 403",
        "remove",
        _coded(403, "QuotaExceeded"),
        ServiceRefused,
        "QuotaExceeded",
    ),
    RefusalExample(
        f"{_EXAMPLES}/FaceListOperations_DeleteLargeFaceListFace.json, Delete Face, 429",
        "remove",
        _gateway(429, "Too fast. Try again in 7 seconds."),
        Busy,
        "Too fast",
        1.0,
    ),
]
