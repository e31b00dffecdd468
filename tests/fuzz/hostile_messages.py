"""Makes hostile messages from seeds: a valid one, changed in its fields and in its text."""

import random
import uuid
from dataclasses import dataclass
from typing import Any

from imaginem.pipeline.steps import default_registry
from tests.fuzz.odd_values import (
    as_sent,
    odd_value,
    secret_fields,
    secret_texts,
    spoiled_text,
    text_of,
)

OWN_PHOTO = "https://memory.test/inputimages/batch-1/photo"
KEY = ("batch-1", "job-1")
_FACE = str(uuid.UUID(int=7))
_RECTANGLE = {"left": 1, "top": 1, "width": 6, "height": 6}
_OUTPUTS: dict[str, Any] = {
    "generalclassification": {"tags": [{"name": "cat", "confidence": 0.9}]},
    "ocr": {"text": "words", "pages": []},
    "facedetection": {"faces": [{"face_id": _FACE, "face_rectangle": _RECTANGLE}]},
    "facecrop": {"faces": [{"face_id": _FACE, "url": "https://memory.test/faces/x.png"}]},
    "faceprint": {"faces": [{"face_id": _FACE}]},
    "facematch": {"matches": []},
}


@dataclass(frozen=True)
class Hostile:
    """A hostile message.

    Attributes:
        body: as it is sent.
        queue: that it is put on.
        ways: what was done to it.
        readable: its secrets stand where redaction can know them: no byte of it was broken.
    """

    body: str | bytes
    queue: str
    ways: tuple[str, ...]
    readable: bool


@dataclass(frozen=True)
class Known:
    """What an attacker may have seen of a job that is at work: its run, its fence."""

    run: str
    fence: str


def hostile_message(rng: random.Random, pipeline: tuple[str, ...], known: Known) -> Hostile:
    """Return a message that a seed makes."""
    value = _valid(rng, pipeline)
    queue = pipeline[value["job_definition"]["processing_step"]]
    ways = []
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        way = rng.choice((_odd_field, _odd_field, _no_field, _forged, _unknown, _secrets, _outputs))
        way(rng, value, known)
        ways.append(way.__name__.strip("_"))
    if rng.random() < 0.1:
        value = odd_value(rng)
        ways.append("anything")
    text, readable = text_of(value), True
    if rng.random() < 0.25:
        text, way_of_text = spoiled_text(rng, text)
        readable = way_of_text in ("cut", "more_after", "double_name")
        ways.append(way_of_text)
    body, sent = as_sent(rng, text)
    readable = readable and sent in ("as it is", "base64")
    if rng.random() < 0.05:
        queue = rng.choice(default_registry.names())
    return Hostile(body, queue, (*ways, sent), readable)


def _valid(rng: random.Random, pipeline: tuple[str, ...]) -> dict[str, Any]:
    step = rng.choice((0, 0, 0, 1, 2, len(pipeline) - 1))
    own = rng.random() < 0.5
    definition: dict[str, Any] = {
        "id": KEY[1] if own else f"job-{rng.randrange(3)}",
        "batch_id": KEY[0] if own else "batch-2",
        "input": {
            "image_url": OWN_PHOTO if rng.random() < 0.6 else secret_texts(rng),
            "image_classifiers": None,
            "image_parameters": {"original_name": "a.jpg"},
        },
        "processing_pipeline": list(pipeline),
        "processing_step": step,
    }
    if rng.random() < 0.3:
        chosen = rng.sample(pipeline, rng.randrange(1, len(pipeline)))
        definition["processing_pipeline"] = chosen
        definition["processing_step"] = 0
    outputs = {name: _OUTPUTS[name] for name in pipeline[:step] if name in _OUTPUTS}
    return {"job_definition": definition, "job_output": dict(outputs)}


def _places(value: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """Return every object with one of its names, and every list with one of its indexes."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        found.append((value, name))
        if isinstance(item, dict | list) and depth < 8:
            found += _places(item, depth + 1)
    return found


def _odd_field(rng: random.Random, value: dict[str, Any], known: Known) -> None:
    holder, name = rng.choice(_places(value) or [(value, "job_definition")])
    holder[name] = odd_value(rng)


def _no_field(rng: random.Random, value: dict[str, Any], known: Known) -> None:
    places = [place for place in _places(value) if isinstance(place[0], dict)]
    if places:
        holder, name = rng.choice(places)
        del holder[name]


def _definition(value: dict[str, Any]) -> dict[str, Any]:
    definition = value.get("job_definition")
    return definition if isinstance(definition, dict) else {}


def _forged(rng: random.Random, value: dict[str, Any], known: Known) -> None:
    """Make up our bookkeeping: sometimes with what is true of a job at work."""
    kept = {
        "run": rng.choice((known.run, known.run, "", "made-up", rng.choice((1, None, "x" * 700)))),
        "fence": rng.choice((known.fence, known.fence, "", "*", 'W/"made up"')),
        "attempt": rng.choice((0, 4, 5, -5, 10**9, 2**70, "1")),
        "waits": rng.choice((0, 99, 101, -5, 10**9)),
        "traceparent": rng.choice(("", "00-0-0-00", "x\ny")),
        "image": rng.choice(("", OWN_PHOTO, secret_texts(rng), "https://memory.test/faces/x")),
        "image_error": rng.choice(("", "made\nup", secret_texts(rng))),
        "unfinished": rng.choice(([], ["ocr", "facedetection"], ["no such step"] * 300)),
        "drop": rng.choice(("", "drop-" + "0" * 32, "x")),
        "look": rng.choice((True, False)),
        "replaces": rng.choice(("", known.run, "0" * 36)),
        "ends": rng.choice(("", "made up", "x" * 400)),
        "engines": rng.choice(("", "0" * 32)),
        "replay": rng.choice(("", "0" * 32)),
        "replay_of": rng.choice(("", known.run, "x" * 9_000)),
        "dropped": rng.choice((None, {"source": "inputimages/x", "etag": "e", "sha256": "0"}, 1)),
    }
    chosen = rng.sample(sorted(kept), rng.randrange(1, len(kept)))
    forged = {name: kept[name] for name in chosen}
    if rng.random() < 0.5:
        forged |= {"run": known.run, "fence": known.fence}
    _definition(value)["_imaginem"] = rng.choice((forged, forged, forged, odd_value(rng)))


def _unknown(rng: random.Random, value: dict[str, Any], known: Known) -> None:
    """Name steps that nobody serves, or far too many, or a step that is none."""
    definition = _definition(value)
    definition["processing_pipeline"] = rng.choice(
        (
            ["nobodys-queue", "ocr"],
            ["ocr", "nobodys-queue"],
            ["OCR"],
            ["ocr", "ocr"],
            [f"step{number}" for number in range(60)],
            ["ocr-poison"],
            ["a" * 64],
            [],
            [["ocr"]],
            "ocr",
        )
    )
    definition["processing_step"] = rng.choice((0, 1, 2, -1, 10**30, "0", 1.0, True, None))


def _secrets(rng: random.Random, value: dict[str, Any], known: Known) -> None:
    holders = [value, _definition(value), value.get("job_output")]
    photo = _definition(value).get("input")
    if isinstance(photo, dict):
        photo["image_url"] = secret_texts(rng)
        holders.append(photo)
    holder = rng.choice([holder for holder in holders if isinstance(holder, dict)])
    holder[rng.choice(("extra", "image_parameters", "more"))] = secret_fields(rng)


def _outputs(rng: random.Random, value: dict[str, Any], known: Known) -> None:
    """Make up outputs of earlier steps."""
    given = value.get("job_output")
    outputs: dict[str, Any] = given if isinstance(given, dict) else {}
    for name in rng.sample(sorted(_OUTPUTS), 2):
        outputs[name] = rng.choice(
            (
                odd_value(rng),
                {"linked_content": "https://memory.test/largemessages/other/job/x.json"},
                {"linked_content": odd_value(rng)},
                {"faces": [odd_value(rng)] * 3},
                {"faces": [{"face_id": _FACE, "face_rectangle": odd_value(rng)}]},
                {"faces": [{"face_id": _FACE, "face_rectangle": {**_RECTANGLE, "left": 10**9}}]},
                {"text": "x" * rng.choice((10, 20_000, 40_000))},
            )
        )
    value["job_output"] = outputs
