"""What changed between two outputs of a job: labels, text, faces, matches, and other fields.

Fields are told apart by their names and shapes, whichever step has them: outputs of an earlier
version or of somebody's own step are compared as far as they can be.
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imaginem.usecases.looked import parts_left_out

_LABELS = {
    "tags": ("tag", "name", "confidence"),
    "categories": ("category", "name", "score"),
    "objects": ("object", "object", "confidence"),
}
NOT_LOOKED_FOR = "not looked for"
_SAME_CONFIDENCE = 0.005
_SAME_FACE = 0.5  # intersection over union of two rectangles
_SHOWN = 60  # characters of a value
Value = float | str | None


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes:
        what: `tag`, `category`, `object`, `line`, `face`, `match`, `field` or `output`.
        name: of the thing; for a line its text.
        before: its confidence or value; None where it is new.
        after: the same now; None where it is gone.
    """

    what: str
    name: str
    before: Value
    after: Value

    @property
    def sign(self) -> str:
        """`+` for what is new, `-` for what is gone, `~` for what has another value."""
        return "+" if self.before is None else "-" if self.after is None else "~"


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Change]]:
    """Return what changed, by step; steps without changes are left out.

    Args:
        before: outputs by step.
        after: the same from now.
    """
    names = dict.fromkeys([*before, *after])
    changes = {name: list(_step(before.get(name), after.get(name))) for name in names}
    return {name: found for name, found in changes.items() if found}


def _step(before: Any, after: Any) -> Iterator[Change]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        if before != after:
            yield Change("output", "", _text(before), _text(after))
        return
    for name in dict.fromkeys([*before, *after]):
        was, is_now = _sought(before, name), _sought(after, name)
        if was != is_now and NOT_LOOKED_FOR in (was, is_now):
            yield Change("field", name, _text(was), _text(is_now))
        else:
            yield from _field(name, was, is_now, "lines" in {*before, *after})


def _sought(output: Mapping[str, Any], name: str) -> Any:
    """Return a part of an output; what nobody looked for is not the same as nothing."""
    return output.get(name) if name not in parts_left_out(output) else NOT_LOOKED_FOR


def _field(name: str, before: Any, after: Any, has_lines: bool) -> Iterator[Change]:
    one, other = _items(before), _items(after)
    if before == after or (name == "full_text" and has_lines):  # its lines are compared
        return
    if name in _LABELS:
        yield from _labels(*_LABELS[name], one, other)
    elif name == "lines":
        yield from _lines(one, other)
    elif name == "faces" and any(_rectangle(face) for face in (*one, *other)):
        yield from _faces(one, other)
    elif name == "matches":
        yield from _labels("match", "matched_face_id", "confidence", one, other)
    elif name == "turn":
        yield from _turns(before, after)
    else:
        yield Change("field", name, _text(before), _text(after))


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _labels(
    what: str, key: str, score: str, one: Sequence[Any], other: Sequence[Any]
) -> Iterator[Change]:
    before, after = _best(key, score, one), _best(key, score, other)
    for name in dict.fromkeys([*before, *after]):
        was, is_now = before.get(name), after.get(name)
        if was is None or is_now is None or abs(was - is_now) >= _SAME_CONFIDENCE:
            yield Change(what, name, was, is_now)


def _best(key: str, score: str, items: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return labels with their confidence; a label that occurs twice with the higher one."""
    best: dict[str, float] = {}
    for item in items:
        name, confidence = str(item.get(key, "")), item.get(score)
        number = float(confidence) if isinstance(confidence, int | float) else 0.0
        best[name] = max(number, best.get(name, 0.0))
    return best


def _lines(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> Iterator[Change]:
    before = [str(line.get("text") or line.get("unreadable", "")) for line in one]
    after = [str(line.get("text") or line.get("unreadable", "")) for line in other]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        if kind != "equal":
            yield from (Change("line", text, text, None) for text in before[start:end])
            yield from (Change("line", text, None, text) for text in after[other_start:other_end])


def _turns(before: Any, after: Any) -> Iterator[Change]:
    """Tell where a photo was turned otherwise; that it was left as it lies is nothing new."""
    was, is_now = (
        f"{turn['degrees']}°" if isinstance(turn, dict) and turn.get("degrees") else None
        for turn in (before, after)
    )
    if was != is_now:
        yield Change("field", "turn", was, is_now)


Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""


def _faces(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> Iterator[Change]:
    """Pair faces whose rectangles overlap most on their page; the rest were lost or added."""
    for page in sorted({_page(face) for face in (*one, *other)}):
        was = [face for face in one if _page(face) == page]
        now = [face for face in other if _page(face) == page]
        where = f" on page {page}" if page > 1 else ""
        yield from _faces_of_page(was, now, where)


def _page(face: Mapping[str, Any]) -> int:
    page = face.get("page")
    return page if isinstance(page, int) else 1


def _faces_of_page(
    one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], where: str
) -> Iterator[Change]:
    lost = [box for face in one if (box := _rectangle(face))]
    added = [box for face in other if (box := _rectangle(face))]
    pairs = [(_overlap(was, now), was, now) for was in lost for now in added]
    for share, was, now in sorted(pairs, reverse=True):
        if share >= _SAME_FACE and was in lost and now in added:
            lost.remove(was)
            added.remove(now)
    for box in lost:
        yield Change("face", _place(box) + where, _place(box) + where, None)
    for box in added:
        yield Change("face", _place(box) + where, None, _place(box) + where)


def _rectangle(face: Mapping[str, Any]) -> Box | None:
    where = face.get("face_rectangle")
    if not isinstance(where, dict):
        return None
    sides = [where.get(name) for name in ("left", "top", "width", "height")]
    numbers = [float(side) for side in sides if isinstance(side, int | float)]
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None


def _overlap(one: Box, other: Box) -> float:
    """Return the intersection over the union of two rectangles, from 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union > 0 else 0.0


def _place(box: Box) -> str:
    left, top, width, height = (round(side) for side in box)
    return f"{width} x {height} at {left}, {top}"


def _text(value: Any) -> str | None:
    """Return a value in short; lists by their length."""
    if value is None:
        return None
    if isinstance(value, list):
        return "1 entry" if len(value) == 1 else f"{len(value)} entries"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
