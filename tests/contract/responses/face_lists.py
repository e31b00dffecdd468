"""Face 1.2: Find Similar, large face lists and their training."""

from tests.answering import Answer, Example
from tests.contract.responses import DOCS, FACE, OLD_FACE, SPEC

_ONE, _OTHER = "5c0b6f3a-91c4-4b1e-a8f7-0d2f4e6a8b10", "a7d35e92-2b4f-47c9-9b1d-3e5f7a9c1b20"
_BY_LIST_ID = {"persistedFaceId": _ONE, "confidence": 0.77}
_BY_FACE_ID = {"faceId": _ONE, "confidence": 0.66}
_TIMES = {
    "createdDateTime": "2031-05-06T07:08:09Z",
    "lastActionDateTime": "2031-05-06T07:09:10Z",
    "lastSuccessfulTrainingDateTime": "2031-05-06T07:09:10Z",
    "message": None,
}
_STABLE = f"{SPEC}/ai/data-plane/Face/stable/v1.2/examples"
_OLD_LISTS = f"{OLD_FACE}/stable/v1.0/examples"

EXAMPLES = [
    Example(
        f"{FACE}/v1.2/FaceRecognitionOperations_FindSimilarFromLargeFaceList.json, Find Similar",
        "similar in list",
        Answer([_BY_LIST_ID]),
        {"": [(_ONE, 0.77)]},
    ),
    Example(
        f"{FACE}/v1.1-preview.1/FaceRecognitionOperations_FindSimilarFromLargeFaceList.json, "
        "Find Similar",
        "similar in list",
        Answer([_BY_FACE_ID]),
        {"": [(_ONE, 0.66)]},
    ),
    Example(
        f"{OLD_FACE}/preview/v1.0-preview/examples/FindSimilar.json, Find Similar",
        "similar in list",
        Answer([_BY_LIST_ID, {"persistedFaceId": _OTHER, "confidence": 1}]),
        {"": [(_ONE, 0.77), (_OTHER, 1.0)]},
    ),
    Example(
        f"{FACE}/v1.2/FaceRecognitionOperations_FindSimilar.json, Find Similar among face ids",
        "similar",
        Answer([_BY_LIST_ID]),
        {"": [(_ONE, 0.77)]},
    ),
    Example(
        f"{SPEC}/ai/data-plane/Face/preview/v1.1-preview.1/examples/"
        "FaceRecognitionOperations_FindSimilar.json, Find Similar among face ids",
        "similar",
        Answer([_BY_FACE_ID, _BY_LIST_ID]),
        {"": [(_ONE, 0.66), (_ONE, 0.77)]},
    ),
    Example(
        f"{FACE}/v1.2/FaceListOperations_CreateLargeFaceList.json, Create Large Face List",
        "make list",
        Answer(),
        {"": None},
    ),
    Example(
        f"{FACE}/v1.1-preview.1/FaceListOperations_CreateLargeFaceList.json, "
        "Create Large Face List",
        "make list",
        Answer({}),
        {"": None},
    ),
    Example(
        f"{_STABLE}/FaceListOperations_AddLargeFaceListFaceFromStream.json, "
        "Add Large Face List Face",
        "add",
        Answer({"persistedFaceId": _ONE}),
        {"": _ONE},
        frozenset({"persistedFaceId"}),
    ),
    Example(
        f"{_OLD_LISTS}/AddLargeFaceListFaceFromStream.json, Add Large Face List Face",
        "add",
        Answer({"persistedFaceId": _OTHER}),
        {"": _OTHER},
        frozenset({"persistedFaceId"}),
    ),
    Example(
        f"{FACE}/v1.2/FaceListOperations_DeleteLargeFaceListFace.json, Delete Large Face List Face",
        "remove",
        Answer(),
        {"": None},
    ),
    Example(
        f"{FACE}/v1.2/FaceListOperations_GetLargeFaceListFaces.json, Get Large Face List Faces",
        "page",
        Answer([{"persistedFaceId": _ONE, "userData": "ours"}]),
        {"": [(_ONE, "ours")]},
    ),
    Example(
        f"{_OLD_LISTS}/ListLargeFaceListFaces.json, Get Large Face List Faces",
        "page",
        Answer([{"persistedFaceId": _ONE, "userData": "ours"}, {"persistedFaceId": _OTHER}]),
        {"": [(_ONE, "ours"), (_OTHER, "")]},
    ),
    Example(
        f"{FACE}/v1.2/FaceListOperations_TrainLargeFaceList.json, Train Large Face List",
        "train",
        Answer(b"", 202, {"operation-Location": "{address}/face/v1.2/largefacelists/l/training"}),
        {"": None},
    ),
    Example(
        f"{FACE}/v1.2/FaceListOperations_GetLargeFaceListTrainingStatus.json, "
        "Get Large Face List Training Status",
        "training",
        Answer({"status": "notStarted", **_TIMES}),
        {"": "running"},
    ),
    Example(
        f"{_OLD_LISTS}/GetLargeFaceListTrainingStatus.json, Get Large Face List Training Status",
        "training",
        Answer({"status": "succeeded", **_TIMES}),
        {"": "succeeded"},
    ),
    *(
        Example(
            f"{SPEC}/ai/data-plane/Face/preview/v1.1-preview.1/Face.json, "
            f"Get Large Face List Training Status, status {status}",
            "training",
            Answer({"status": status, **_TIMES, "message": "about the training"}),
            {"": ours},
        )
        for status, ours in (("running", "running"), ("failed", "failed"))
    ),
    *(
        Example(
            f"{DOCS}/reference-face-error-codes.md, Large Face List, {code}, {operation}",
            operation,
            Answer({"error": {"code": code, "message": "not there"}}, 404),
            {"": result},
            frozenset({"error", "error.code"}),
        )
        for operation, code, result in (
            ("remove", "PersistedFaceNotFound", None),
            ("remove", "LargeFaceListNotFound", None),
            ("training", "LargeFaceListNotTrained", "none"),
            ("training", "LargeFaceListNotFound", "none"),
        )
    ),
]
