"""Computer Vision 3.2: Read, and Get Read Result of all its versions."""

from typing import Any

from tests.answering import Answer, Example
from tests.contract.responses import DOCS, VISION

SENT = Answer(
    b"",
    202,
    {"Operation-Location": "{address}/vision/v3.2/read/analyzeResults/0f9c5a3e-operation"},
)
"""What Read answers, and where its result will be."""
_TIMES = {
    "createdDateTime": "2031-04-05T06:07:08Z",
    "lastUpdatedDateTime": "2031-04-05T06:07:10Z",
}
_ESSENTIAL = frozenset(
    {"analyzeResult", "analyzeResult.readResults", "analyzeResult.readResults.lines"}
)
"""Without these nobody could tell a photo without text from an answer without a result."""


def _line(words: str, top: int, **more: Any) -> dict[str, Any]:
    """Return a line at a height; its words are 40 pixels wide and 20 high."""
    parts = words.split()
    right = 10 + 40 * len(parts)
    return {
        "boundingBox": [10, top, right, top, right, top + 20, 10, top + 20],
        **more,
        "text": words,
        "words": [
            {
                "boundingBox": [left, top, left + 40, top, left + 40, top + 20, left, top + 20],
                "text": word,
                "confidence": score,
            }
            for left, word, score in zip(range(10, right, 40), parts, (0.9, 0.7, 0.8), strict=False)
        ],
    }


def _style(name: str, score: float) -> dict[str, Any]:
    return {"appearance": {"style": {"name": name, "confidence": score}}}


def _page(*lines: dict[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    size = {"angle": 1.5, "width": 400, "height": 300, "unit": "pixel"}
    return {"page": number, **more, **size, "lines": list(lines)}


def _result(*pages: dict[str, Any], version: str, **more: Any) -> Answer:
    result = {"version": version, **more, "readResults": list(pages)}
    return Answer({"status": "succeeded", **_TIMES, "analyzeResult": result})


def _example(source: str, answer: Answer, expected: dict[str, object]) -> Example:
    return Example(source, "read", answer, expected, _ESSENTIAL, (SENT,))


_PRINT, _HAND = _style("other", 0.99), _style("handwriting", 0.97)
_FOUND: dict[str, object] = {
    "full_text": "first aid\nfor all\npara todos\nroom two",
    "language": "en",
    "lines.0.confidence": 0.8,
    "lines.0.polygon": [10, 20, 90, 20, 90, 40, 10, 40],
    "lines.0.words.1": {
        "text": "aid",
        "confidence": 0.7,
        "polygon": [50, 20, 90, 20, 90, 40, 50, 40],
    },
    "lines.0.language": None,
    "lines.2.language": "es",
}


def _two_pages(printed: dict[str, Any], written: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the pages that all versions' examples have: print, handwriting, another language."""
    return (
        _page(
            _line("first aid", 20, **printed),
            _line("for all", 60, **written),
            _line("para todos", 100, language="es", **printed),
            language="en",
        ),
        _page(_line("room two", 20, **written), number=2, language="en"),
    )


_STYLED: dict[str, object] = {
    **_FOUND,
    "lines.0.style": {"name": "other", "confidence": 0.99},
    "lines.1.style": {"name": "handwriting", "confidence": 0.97},
}
_FILE = "examples/SuccessfulGetReadResult.json, Get Read Result"

EXAMPLES = [
    _example(
        f"{VISION}/stable/v3.2/{_FILE}",
        _result(*_two_pages(_PRINT, _HAND), version="v3.2", modelVersion="2031-01-02"),
        {**_STYLED, "model_version": "2031-01-02"},
    ),
    _example(
        f"{VISION}/stable/v3.1/{_FILE}",
        _result(*_two_pages({}, {}), version="v3.1"),
        {**_FOUND, "lines.1.style": None, "model_version": None},
    ),
    _example(
        f"{VISION}/preview/v3.2-preview/{_FILE}",
        _result(*_two_pages(_PRINT, _HAND), version="v3.1"),
        _STYLED,
    ),
    _example(
        f"{VISION}/preview/v3.0-preview.2/{_FILE}",
        _result(
            *_two_pages(
                {"appearance": {"style": "print", "styleConfidence": 0.98}},
                {"appearance": {"style": "handwriting", "styleConfidence": 0.95}},
            ),
            version="v3.0",
        ),
        {
            **_FOUND,
            "lines.0.style": {"name": "print", "confidence": 0.98},
            "lines.1.style": {"name": "handwriting", "confidence": 0.95},
        },
    ),
    _example(
        f"{DOCS}/how-to/call-read-api.md, Get Read Result",
        _result(_page(_line("room two", 20, **_HAND)), version="3.2"),
        {"full_text": "room two", "language": "", "lines.0.style.name": "handwriting"},
    ),
    _example(
        f"{DOCS}/includes/curl-quickstart.md, Get Read Result",
        _result(_page(_line("WATER", 20, **_PRINT)), version="3.2"),
        {"full_text": "WATER", "lines.0.words.0.confidence": 0.9},
    ),
    Example(
        f"{DOCS}/how-to/call-read-api.md, Get Read Result, status running",
        "read",
        _result(_page(), version="3.2"),
        {"full_text": "", "lines": []},
        _ESSENTIAL,
        (SENT, Answer({"status": "notStarted", **_TIMES}), Answer({"status": "running", **_TIMES})),
    ),
]
