"""What a photo is assumed to take where this installation has not measured it yet.

Calls are those that `make bench ARGS=cost` counts, see docs/cost.md; seconds are assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from imaginem.ports.ledger import FUNCTIONS, STEP, STORAGE, Amount, LedgerItem, added
from imaginem.usecases.submit import SENDING

USUAL_FACES, FEWEST_FACES, MOST_FACES = 1.0, 0.0, 3.0
"""Faces of a photo: what is assumed, and within which range."""
PER_FACE = frozenset({"add face", "find similar", "find similar in list"})
"""Operations that are made for each face; and crops are written for each."""
_FEATURES = 7
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
_FUSED_WRITES = {"generalclassification": 1, "facecrop": 1, "facematch": 1, "pipelineoutput": 2}
"""Writes of the progress row; those of pacing come on top."""


def engines_of(setup: str) -> dict[str, str]:
    """Return the providers that a setup tells of, by kind."""
    parts = [part.split("=", 1) for part in setup.split() if "=" in part]
    return {kind: provider for kind, provider in parts}


def is_known(step: str, setup: str) -> bool:
    """Tell whether the model has figures for a step."""
    return (step, engines_of(setup).get(_KINDS.get(step, ""), "")) in _CALLS


def model_of(
    step: str, setup: str, faces: float, *, place: int, last: bool
) -> dict[LedgerItem, Amount]:
    """Return what a step is assumed to take for a thousand photos.

    Args:
        step: its name; one that is not known takes its executions and its writes alone.
        setup: of the app.
        faces: of a photo, on average.
        place: of the step in the pipeline, from 0.
        last: whether it is the pipeline's last step.
    """
    fused = setup.split()[-1:] != ["unfused"]
    calls = _CALLS.get((step, engines_of(setup).get(_KINDS.get(step, ""), "")), _Calls())
    taken = [_of_engine(step, calls, faces, setup), _of_progress(step, fused, place, last)]
    if step == "facecrop":
        taken.append({LedgerItem(step, STORAGE, "blob write"): _thousand(faces)})
    if place == 0:
        taken.append({LedgerItem(step, STORAGE, "blob read"): _thousand(1)})
    run = Amount(calls=1000, seconds=calls.seconds * 1000)
    taken.append({LedgerItem(step, STEP, "run"): run, LedgerItem(step, STEP, "end"): _thousand(1)})
    return added(*taken)


def sending() -> dict[LedgerItem, Amount]:
    """Return what it takes to send a thousand photos."""
    return {
        LedgerItem(SENDING, STORAGE, "blob write"): _thousand(1),
        LedgerItem(SENDING, STORAGE, "queue write"): _thousand(1),
        LedgerItem(SENDING, STEP, "end"): _thousand(1),
    }


def executions(step: str, seconds: float) -> dict[LedgerItem, Amount]:
    """Return a thousand executions that begin with a step, each of so many seconds."""
    whole = Amount(1000, 1000, max(1.0, seconds) * 1000)
    return {
        LedgerItem(step, FUNCTIONS, "execution"): whole,
        LedgerItem(step, STORAGE, "queue host"): _thousand(2),
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


def _of_progress(step: str, fused: bool, place: int, last: bool) -> dict[LedgerItem, Amount]:
    unfused_writes = 2 if place == 0 else 1
    writes = _FUSED_WRITES.get(step, 0) if fused else unfused_writes
    found = {
        LedgerItem(step, STORAGE, "table write"): _thousand(writes),
        LedgerItem(step, STORAGE, "table read"): _thousand(1 if place == 0 or not fused else 0),
    }
    if not fused and not last:
        found[LedgerItem(step, STORAGE, "queue write")] = _thousand(1)
    return {item: amount for item, amount in found.items() if amount.calls}


def _thousand(calls: float, billed: float = 0) -> Amount:
    return Amount(round(calls * 1000), round(billed * 1000))
