"""What a photo is assumed to take where this installation has not measured it yet.

Calls are those that `make bench ARGS=cost` counts, see docs/cost.md; seconds are assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from imaginem.ports.ledger import STEP, STORAGE, Amount, LedgerItem, added
from imaginem.usecases.forecast_plan import Planned, storage_of
from imaginem.usecases.submit import SENDING

USUAL_FACES, FEWEST_FACES, MOST_FACES = 1.0, 0.0, 3.0
"""Faces of a photo: what is assumed, and within which range."""
PER_FACE = frozenset({"add face", "find similar", "find similar in list"})
"""Operations that are made for each face; and crops are written for each."""
_FEATURES = 7
_LANGUAGE_MODEL = "openai"
"""Costs by the token, not by the call."""
_KINDS = {
    "generalclassification": "vision",
    "ocr": "ocr",
    "facedetection": "faces",
    "faceprint": "prints",
    "facematch": "prints",
}
"""Which kind of engine a step asks."""


@dataclass(frozen=True)
class _Calls:
    """What one step of a photo asks of one provider.

    Attributes:
        service: the AI account; empty for an engine on this machine.
        operations: billed units of each operation that is called.
        per_face: operations that are called once for each face.
        seconds: that it takes.
    """

    service: str = ""
    operations: Mapping[str, int] | None = None
    per_face: tuple[str, ...] = ()
    seconds: float = 0.2


_CALLS = {
    ("generalclassification", "local"): _Calls(seconds=0.4),
    ("generalclassification", "azure"): _Calls("vision", {"analyze": _FEATURES}, seconds=1.5),
    ("generalclassification", "contentunderstanding"): _Calls(
        "contentunderstanding", {"analyze": 1, "analyze result": 0}, seconds=5.0
    ),
    ("generalclassification", "openai"): _Calls("openai", {"photo": 1}, seconds=5.0),
    ("ocr", "local"): _Calls(seconds=0.5),
    ("ocr", "azure"): _Calls("vision", {"read": 1, "read result": 0}, seconds=3.0),
    ("ocr", "documentintelligence"): _Calls(
        "documentintelligence", {"read": 1, "read result": 0}, seconds=3.0
    ),
    ("ocr", "openai"): _Calls("openai", {"text": 1}, seconds=5.0),
    ("facedetection", "local"): _Calls(seconds=0.1),
    ("facedetection", "azure"): _Calls("face", {"detect": 1}, seconds=1.0),
    ("faceprint", "local"): _Calls(seconds=0.1),
    ("faceprint", "azure"): _Calls("face", {}, ("add face",), seconds=1.0),
    ("facematch", "local"): _Calls(seconds=0.05),
    ("facematch", "azure"): _Calls("face", {}, ("find similar in list",), seconds=0.5),
    ("facecrop", ""): _Calls(seconds=0.05),
    ("pipelineoutput", ""): _Calls(seconds=0.05),
}


def engines_of(setup: str) -> dict[str, str]:
    """Return the providers that a setup tells of, by kind."""
    parts = [part.split("=", 1) for part in setup.split() if "=" in part]
    return {kind: provider for kind, provider in parts}


def is_known(step: str, setup: str) -> bool:
    """Tell whether the model has figures for a step."""
    return (step, engines_of(setup).get(_KINDS.get(step, ""), "")) in _CALLS


def model_of(step: Planned, setup: str, faces: float, photos: int) -> dict[LedgerItem, Amount]:
    """Return what a step is assumed to take for a thousand photos, besides its deliveries.

    Args:
        step: in its place; one that is not known takes its storage operations alone.
        setup: of the app.
        faces: of a photo, on average.
        photos: how many come together.
    """
    name = step.name
    calls = _calls(name, setup)
    taken = [_of_engine(name, calls, faces, setup), storage_of(step, photos)]
    if name == "facecrop":
        taken.append({LedgerItem(name, STORAGE, "blob write"): _thousand(faces)})
    runs = max(1, step.deliveries)
    run = Amount(calls=1000 * runs, seconds=calls.seconds * 1000)
    taken.append({LedgerItem(name, STEP, "run"): run, LedgerItem(name, STEP, "end"): _thousand(1)})
    return added(*taken)


def tokens_missing(step: str, setup: str) -> list[LedgerItem]:
    """Return the calls of a step whose tokens are not in the model: nobody knows them before."""
    calls = _calls(step, setup)
    operations = calls.operations if calls.service == _LANGUAGE_MODEL else None
    return [LedgerItem(step, calls.service, operation) for operation in operations or ()]


def _calls(step: str, setup: str) -> _Calls:
    return _CALLS.get((step, engines_of(setup).get(_KINDS.get(step, ""), "")), _Calls())


def sending() -> dict[LedgerItem, Amount]:
    """Return what it takes to send a thousand photos."""
    return {
        LedgerItem(SENDING, STORAGE, "blob write"): _thousand(1),
        LedgerItem(SENDING, STORAGE, "queue write"): _thousand(1),
        LedgerItem(SENDING, STEP, "end"): _thousand(1),
    }


def _cells(setup: str) -> int:
    """Return how many photos one call to the Face account shows."""
    columns, _, rows = engines_of(setup).get("grid", "1x1").partition("x")
    return int(columns) * int(rows)


def _of_engine(step: str, calls: _Calls, faces: float, setup: str) -> dict[LedgerItem, Amount]:
    if not calls.service:
        return {}
    found = {
        LedgerItem(step, calls.service, operation): Amount(1000, units * 1000)
        for operation, units in (calls.operations or {}).items()
    }
    if "detect" in (calls.operations or {}) and (cells := _cells(setup)) > 1:
        shared = Amount(round(1000 / cells), round(1000 / cells))
        found[LedgerItem(step, calls.service, "detect")] = shared
    for operation in calls.per_face:
        found[LedgerItem(step, calls.service, operation)] = _thousand(faces, faces)
    paced = sum(amount.calls for amount in found.values())
    return {**found, LedgerItem(step, STORAGE, "table write"): Amount(paced)}


def _thousand(calls: float, billed: float = 0) -> Amount:
    return Amount(round(calls * 1000), round(billed * 1000))
