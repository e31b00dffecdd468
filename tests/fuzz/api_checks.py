"""What must hold of every answer, whoever asked for whatever."""

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.fuzz.api_ledger import Ledger, faces_in, jobs_in
from tests.fuzz.api_world import BATCHES, MARKS, SECRET, Someone, World

_HEADERS = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=()",
}
_OPEN = ("/api/health",)
_OPERATORS = ("/api/operations", "/api/poison", "/api/audit", "/operations", "/api/photos/lift")
_ASKED_BY_VIEWERS = ("/api/pipeline/resolve",)


@dataclass(frozen=True)
class Asked:
    """A request, and what was answered.

    Attributes:
        stated: texts of the request; that an answer repeats them tells nothing.
    """

    who: Someone
    method: str
    path: str
    stated: Collection[str]
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body's JSON value; None if it is none."""
        try:
            return json.loads(self.text) if "json" in self.headers["content-type"] else None
        except (ValueError, KeyError):
            return None

    @property
    def told(self) -> str:
        """The answer without what the request stated itself."""
        told = f"{self.text} {sorted(self.headers.items())}"
        for text in sorted(filter(None, self.stated), key=len, reverse=True):
            for spelled in (json.dumps(text)[1:-1], quote(text, safe=""), text):
                told = told.replace(spelled, "…")
        return told


def check(asked: Asked, ledger: Ledger, world: World) -> None:
    """Check an answer.

    Raises:
        AssertionError: it tells what it must not, or not as it must.
    """
    assert asked.status < 500, f"{asked.status}: {asked.text[:500]}"
    _is_guarded(asked)
    _asks_for_a_role(asked)
    _hides_other_groups(asked, world)
    _hides_what_was_erased(asked, ledger, world)
    _keeps_receipts(asked, ledger)
    assert SECRET not in asked.text, f"a secret is shown: {_around(asked.text, SECRET)}"
    assert "Traceback" not in asked.text and 'File "/' not in asked.text


def _is_guarded(asked: Asked) -> None:
    for name, begin in _HEADERS.items():
        assert asked.headers.get(name, "").startswith(begin), f"header {name}"
    kept = asked.headers.get("cache-control", "")
    assert "no-store" in kept or "private" in kept, f"cache-control: {kept}"
    if asked.status >= 400 and asked.path.startswith("/api/"):
        assert asked.headers["content-type"] == "application/problem+json"
        assert asked.json["status"] == asked.status and asked.json["title"] and asked.json["detail"]


def _asks_for_a_role(asked: Asked) -> None:
    if asked.path in _OPEN:
        return
    if not asked.who.role:
        assert asked.status in (401, 403), f"{asked.status} for nobody"
    elif asked.who.role != "operator" and asked.path.startswith(_OPERATORS):
        assert asked.status == 403, f"{asked.status} for a {asked.who.role}"
    elif asked.who.role == "viewer" and asked.method != "GET":
        allowed = asked.path in _ASKED_BY_VIEWERS
        assert allowed or asked.status >= 400, f"{asked.status} for a viewer"


def _hides_other_groups(asked: Asked, world: World) -> None:
    """Check that no name, id or count tells of photos of a group that is hidden."""
    hidden = [group for group in MARKS if not asked.who.sees(group)]
    told = asked.told
    for group in hidden:
        assert MARKS[group] not in told, f"{MARKS[group]}: {_around(told, MARKS[group])}"
    if not hidden:
        return
    named = faces_in(told)
    owners = world.services.gallery.owners([uuid.UUID(face) for face in named]) if named else {}
    for face_id, owner in owners.items():
        group = BATCHES.get(owner.batch_id, "")
        assert group not in hidden, f"face {face_id} of {owner.batch_id}"
    if asked.path == "/api/tags" and asked.status == 200:
        seen = [info.batch_id for info in world.services.batches.batches(None, "", 1000).batches]
        seen = [name for name in seen if asked.who.sees(BATCHES.get(name, ""))]
        found = [(name, world.services.results.finished(name)) for name in seen]
        most = sum(len(jobs) for _, jobs in found)
        assert all(label["count"] <= most for label in asked.json), f"{asked.text}: {found}"


def _hides_what_was_erased(asked: Asked, ledger: Ledger, world: World) -> None:
    found = jobs_in(asked.json) & ledger.erased
    assert not found, f"erased jobs are back: {found}"
    told = asked.told
    for text in ledger.gone:
        assert text not in told, f"{text} was erased: {_around(told, text)}"
    gone = faces_in(told) & ledger.gone_faces
    # The same photo sent again has the same faces.
    back = world.services.gallery.owners([uuid.UUID(face) for face in gone]) if gone else {}
    assert gone <= {str(face) for face in back}, f"faces were erased: {gone}"

    removed = faces_in(told) & ledger.removed_faces
    assert not removed, f"erased faces are back: {removed}"


def _keeps_receipts(asked: Asked, ledger: Ledger) -> None:
    """Check that a receipt still tells what it told when it was issued."""
    answers = asked.json if isinstance(asked.json, list) else [asked.json]
    for told in (each for each in answers if isinstance(each, dict) and "mac" in each):
        issued = ledger.receipts.get(told["id"], told)
        same = ("at", "kind", "subject", "jobs", "removed", "left", "mac")
        for name in same:
            # The answer to an erasure leaves out what is empty.
            assert told.get(name, {}) == issued.get(name, {}), f"{name} of the receipt {told['id']}"


def check_lines(lines: list[str]) -> None:
    """Check that no log line has a secret."""
    for line in lines:
        assert SECRET not in line, f"a secret is logged: {_around(line, SECRET)}"


def _around(text: str, found: str) -> str:
    at = text.index(found)
    return text[max(at - 150, 0) : at + 150]
