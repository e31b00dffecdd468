"""Computer Vision 3.2: Analyze Image, and the examples of its parts."""

from typing import Any

from tests.answering import Answer, Example
from tests.contract.responses import DOCS, VISION

_ABOUT: dict[str, Any] = {
    "requestId": "6f0a1f8e-60c1-4b52-9f0e-5f2a35b5c9d1",
    "metadata": {"width": 400, "height": 300, "format": "Jpeg"},
}
_MODEL = {**_ABOUT, "modelVersion": "2031-02-03"}
_NOT_ASKED = ("categories", "tags", "description", "objects", "color", "adult", "image_type")


def _only(part: str, body: dict[str, Any], expected: dict[str, object], source: str) -> Example:
    """Return the example of a page that shows one part only: no other part reads as empty."""
    ours = "image_type" if part == "imageType" else part
    return Example(
        source,
        "analyze",
        Answer(body),
        {**expected, "unanswered": [name for name in _NOT_ASKED if name != ours]},
        essential=frozenset({part}),
    )


_CATEGORIES = [
    {"name": "others_", "score": 0.01},
    {
        "name": "outdoor_",
        "score": 0.75,
        "detail": {
            "celebrities": [
                {
                    "name": "Nobody Known",
                    "faceRectangle": {"left": 11, "top": 12, "width": 30, "height": 31},
                    "confidence": 0.9,
                }
            ],
            "landmarks": [{"name": "Old Bridge", "confidence": 0.93}],
        },
    },
]
_TAGS = [
    {"name": "tent", "confidence": 0.97},
    {"name": "monitor", "confidence": 0.71, "hint": "reptile"},
]
_DESCRIPTION = {
    "tags": ["tent", "water"],
    "captions": [{"text": "tents beside a river", "confidence": 0.55}],
}
_COLOR = {
    "dominantColorForeground": "White",
    "dominantColorBackground": "Teal",
    "dominantColors": ["Teal", "White"],
    "accentColor": "1F7A8C",
    "isBWImg": False,
}
_OBJECTS = [
    {
        "rectangle": {"x": 20, "y": 30, "w": 100, "h": 80},
        "object": "ambulance",
        "confidence": 0.81,
        "parent": {
            "object": "van",
            "confidence": 0.85,
            "parent": {"object": "vehicle", "confidence": 0.9},
        },
    },
    {"rectangle": {"x": 1, "y": 2, "w": 3, "h": 4}, "object": "crate", "confidence": 0.6},
]
_ADULT = {
    "isAdultContent": False,
    "isRacyContent": False,
    "isGoryContent": True,
    "adultScore": 0.02,
    "racyScore": 0.03,
    "goreScore": 0.88,
}
_FACES = [
    {"age": 30, "gender": "Female", "faceRectangle": {"left": 1, "top": 2, "width": 3, "height": 4}}
]
_BRANDS = [
    {"name": "A Brand", "confidence": 0.7, "rectangle": {"x": 5, "y": 6, "w": 7, "h": 8}},
]
_WHOLE = {
    "categories": _CATEGORIES,
    "adult": _ADULT,
    "tags": _TAGS,
    "description": _DESCRIPTION,
    **_MODEL,
    "faces": _FACES,
    "color": _COLOR,
    "imageType": {"clipArtType": 1, "lineDrawingType": 0},
    "objects": _OBJECTS,
    "brands": _BRANDS,
}
_OF_WHOLE: dict[str, object] = {
    "categories": [
        {"name": "others_", "score": 0.01},
        {
            "name": "outdoor_",
            "score": 0.75,
            "landmarks": [{"name": "Old Bridge", "confidence": 0.93}],
        },
    ],
    "tags": [
        {"name": "tent", "confidence": 0.97},
        {"name": "monitor", "confidence": 0.71, "hint": "reptile"},
    ],
    "description": _DESCRIPTION,
    "adult.is_gory_content": True,
    "adult.gore_score": 0.88,
    "adult.is_adult_content": False,
    "color.accent_color": "1F7A8C",
    "color.is_bw_img": False,
    "image_type": {"clip_art_type": 1, "line_drawing_type": 0},
    "objects.0.rectangle": {"x": 20, "y": 30, "w": 100, "h": 80},
    "objects.0.parent": {
        "object": "van",
        "confidence": 0.85,
        "parent": {"object": "vehicle", "confidence": 0.9},
    },
    "objects.1": {
        "object": "crate",
        "confidence": 0.6,
        "rectangle": {"x": 1, "y": 2, "w": 3, "h": 4},
    },
    "metadata": {"width": 400, "height": 300, "format": "PNG"},
    "model_version": "2031-02-03",
    "unanswered": None,
}
_LATER = ("objects", "brands", "modelVersion")
_OLDER = {
    **{name: value for name, value in _WHOLE.items() if name not in _LATER},
    "adult": {
        name: value for name, value in _ADULT.items() if name not in ("isGoryContent", "goreScore")
    },
}
_OF_OLDER: dict[str, object] = {
    "adult.is_racy_content": False,
    "adult.is_gory_content": None,
    "adult.gore_score": None,
    "model_version": None,
    "unanswered": ["objects"],
    "objects": [],
}

EXAMPLES = [
    Example(
        f"{VISION}/stable/v3.2/examples/SuccessfulAnalyzeImageWithStream.json, Analyze Image",
        "analyze",
        Answer(_WHOLE),
        _OF_WHOLE,
    ),
    Example(
        f"{VISION}/stable/v3.2/examples/SuccessfulAnalyzeImageWithUrl.json, Analyze Image",
        "analyze",
        Answer({**_WHOLE, "categories": [{"name": "text_", "score": 0.4}]}),
        {"categories": [{"name": "text_", "score": 0.4}], "tags.1.hint": "reptile"},
    ),
    Example(
        f"{VISION}/stable/v2.0/examples/SuccessfulAnalyzeImageWithStream.json, Analyze Image",
        "analyze",
        Answer(_OLDER),
        {**_OF_OLDER, "tags.1.hint": "reptile"},
    ),
    Example(
        f"{VISION}/stable/v1.0/examples/SuccessfulAnalyzeWithStream.json, Analyze Image",
        "analyze",
        Answer({**_OLDER, "tags": _TAGS[:1]}),
        {**_OF_OLDER, "tags": [{"name": "tent", "confidence": 0.97}]},
    ),
    _only(
        "description",
        {
            "description": {
                "tags": ["queue"],
                "captions": [
                    {"text": "people in a queue", "confidence": 0.5},
                    {"text": "people that wait", "confidence": 0.3},
                ],
            },
            **_MODEL,
        },
        {"description.captions.1.text": "people that wait"},
        f"{VISION}/stable/v3.2/examples/SuccessfulDescribeImageWithStream.json, Describe Image",
    ),
    _only(
        "objects",
        {"objects": _OBJECTS, **_MODEL},
        {"objects.0.parent.parent.object": "vehicle"},
        f"{VISION}/stable/v3.2/examples/SuccessfulDetectObjectsWithStream.json, Detect Objects",
    ),
    _only(
        "objects",
        {"objects": _OBJECTS[:1], **_ABOUT},
        {"objects.0.object": "ambulance", "model_version": None},
        f"{VISION}/stable/v2.1/examples/SuccessfulDetectObjectsWithUrl.json, Detect Objects",
    ),
    _only(
        "tags",
        {"tags": _TAGS, **_MODEL},
        {"tags.0.name": "tent", "tags.0.hint": None},
        f"{VISION}/stable/v3.2/examples/SuccessfulTagImageWithStream.json, Tag Image",
    ),
    _only(
        "objects",
        {
            "objects": [
                {
                    "rectangle": {"x": 7, "y": 8, "w": 9, "h": 10},
                    "object": "bag",
                    "confidence": 0.5,
                },
                _OBJECTS[0],
            ],
            **_MODEL,
        },
        {"objects.0.parent": None, "objects.1.parent.object": "van"},
        f"{DOCS}/concept-object-detection.md, Analyze Image with Objects",
    ),
    _only(
        "tags",
        {"tags": [*_TAGS, {"name": "river", "confidence": 0.4}], **_MODEL},
        {"tags.2": {"name": "river", "confidence": 0.4}},
        f"{DOCS}/concept-tagging-images.md, Analyze Image with Tags",
    ),
    _only(
        "tags",
        {"tags": _TAGS[:1], **_MODEL},
        {"tags.0.confidence": 0.97},
        f"{DOCS}/includes/image-analysis-curl-quickstart.md, Analyze Image with Tags",
    ),
    _only(
        "description",
        {"description": _DESCRIPTION, **_MODEL},
        {"description.captions.0.confidence": 0.55},
        f"{DOCS}/concept-describing-images.md, Analyze Image with Description",
    ),
    _only(
        "color",
        {
            "color": {
                **{name: value for name, value in _COLOR.items() if name != "isBWImg"},
                "isBwImg": True,
            },
            **_ABOUT,
        },
        {"color.is_bw_img": True, "color.dominant_colors": ["Teal", "White"]},
        f"{DOCS}/concept-detecting-color-schemes.md, Analyze Image with Color",
    ),
    *(
        _only(
            "imageType",
            {"imageType": {"clipArtType": clip_art, "lineDrawingType": drawing}, **_ABOUT},
            {"image_type": {"clip_art_type": clip_art, "line_drawing_type": drawing}},
            f"{DOCS}/concept-detecting-image-types.md, Analyze Image with ImageType, {what}",
        )
        for what, clip_art, drawing in (
            ("clip art", 3, 0),
            ("a photo", 0, 0),
            ("a line drawing", 2, 1),
            ("another photo", 0, 0),
        )
    ),
    _only(
        "categories",
        {"categories": _CATEGORIES[:1], **_ABOUT},
        {"categories.0.name": "others_"},
        f"{DOCS}/concept-categorizing-images.md, Analyze Image with Categories",
    ),
    _only(
        "categories",
        {"categories": _CATEGORIES},
        {"categories.1.landmarks.0.name": "Old Bridge"},
        f"{DOCS}/concept-detecting-domain-content.md, Analyze Image with Categories and details",
    ),
]
