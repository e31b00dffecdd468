"""Requests of runs: made of the OpenAPI document, then aimed at what is there."""

import json
from collections.abc import Mapping
from random import Random
from typing import Any

import schemathesis
from schemathesis.core.result import Ok

from imaginem.pipeline.steps import default_registry
from imaginem.web import make_app
from tests.dashboard import PIPELINE
from tests.fuzz.api_ledger import Key, Ledger, marked_name
from tests.fuzz.api_world import MARKS, SECRET, SECRETS

served: dict[str, Any] = {}
"""The services of the run that is played, as `services`."""
APP = make_app(default_registry, "platform", lambda: served["services"])
_schema = schemathesis.openapi.from_dict(APP.openapi())
_schema.app = APP
OPERATIONS = {
    found.ok().label: found.ok() for found in _schema.get_all_operations() if isinstance(found, Ok)
}
"""The API's operations, by method and path."""
CASES = {label: operation.as_strategy() for label, operation in OPERATIONS.items()}
PAGES = (
    "/batches",
    "/batches/{batch_id}",
    "/batches/{batch_id}/progress",
    "/photos",
    "/photos?batch={batch_id}",
    "/photos/facets",
    "/photos/{batch_id}/{job_id}",
    "/photos/{batch_id}/{job_id}/file",
    "/faces?face={face_id}",
    "/upload?batch={batch_id}",
    "/receipts/{receipt_id}",
    "/operations",
    "/operations/poison",
    "/operations/poison/{poison_id}",
    "/operations/audit?batch={batch_id}",
)


LABELS = (*OPERATIONS, *dict.fromkeys(f"GET {page.partition('?')[0]}" for page in PAGES))
"""Names of all that can be asked for: operations and pages."""


def aim(case: Any, label: str, key: Key, ledger: Ledger, random: Random) -> None:
    """Replace most of what was made at random by what is there."""
    pair = random.choice(ledger.pairs or [("0" * 32, "1" * 32)])
    known = {
        "batch_id": key[0],
        "job_id": key[1],
        "face_id": pair[0] if random.random() < 0.6 else random.choice([*pair, *ledger.faces]),
        "other_id": pair[1],
        "poison_id": random.choice(ledger.poison or ["ocr.none"]),
        "receipt_id": random.choice([*ledger.receipts, "0" * 32]),
    }
    for name in set(case.path_parameters or {}) & set(known):
        if random.random() < 0.95:
            case.path_parameters[name] = known[name]
    query = {
        "batch": random.choice([key[0], ""]),
        "cursor": random.choice([*ledger.cursors, ""]),
        "tag": random.choice([f"tag of {key[0]}", "photo", ""]),
        "text": random.choice([key[0], MARKS["red"], ""]),
    }
    for name in set(case.query or {}) & set(query):
        if random.random() < 0.9:
            case.query[name] = query[name]
    if label in _BODIES and random.random() < 0.85:
        case.body = _body(label, key, ledger, random)


def _body(label: str, key: Key, ledger: Ledger, random: Random) -> Any:
    """Return a body that can succeed."""
    if label == "POST /api/jobs":
        name = marked_name(random, key[0])
        ledger.sent((key[0], f"{name}.m"), name)
        return _message(random, (key[0], f"{name}.m"), name)
    if label.startswith("POST /api/poison/"):
        some = {"batch_id": key[0]} if random.random() < 0.5 else {"all": True}
        return {**some, "limit": random.randrange(1, 5)}
    if label == "POST /api/pipeline/resolve":
        return {"steps": random.sample(PIPELINE, 2)}
    return {"from_step": random.choice(PIPELINE)}


_BODIES = (
    "POST /api/jobs",
    "POST /api/poison/replay",
    "POST /api/poison/drop",
    "POST /api/pipeline/resolve",
    "POST /api/jobs/{batch_id}/{job_id}/rerun",
)


def _message(random: Random, key: Key, name: str) -> dict[str, Any]:
    number = random.randrange(9)
    return {
        "job_definition": {
            "id": key[1],
            "batch_id": key[0],
            "input": {
                "image_url": f"https://user:{SECRET}@example.org/{number}.png?sig={SECRET}url",
                "image_parameters": {**SECRETS, "original_name": name},
            },
            "processing_pipeline": list(PIPELINE),
        }
    }


def texts_of(value: Any) -> list[str]:
    """Return every text in a part of a request."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in texts_of(part)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts_of(item)]
    return [json.dumps(value)] if isinstance(value, int | float) else []
