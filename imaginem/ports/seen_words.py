"""Tags that other steps than the classification give a photo: pages of text, and crowds.

They are made where photos are searched, shown and exported. The outputs stay as the engines gave
them, so that texts and faces of any engine count.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

DOCUMENT = "document"
CROWD = "crowd"
# Of 23 sample photos only the printed page has so much: 7 lines over 73 %; the next 3 over 0.3 %.
_LINES = 5
_TEXT_SHARE = 0.1  # of the photo, that lines of a document cover
_FACES = 8


def words_seen(outputs: Mapping[str, Any]) -> dict[str, float]:
    """Return tags with their confidence, which grows from 0.5 with the text or the faces.

    Args:
        outputs: by step; they may be pre-filled with anything.
    """
    found = {}
    pages = _by_page(_items(outputs, "ocr", "lines"))  # those that could not be read, too
    full = [sum(map(_area, lines)) for lines in pages if len(lines) >= _LINES]
    share = max(full, default=0) / (_pixels(outputs) or float("inf"))
    if share >= _TEXT_SHARE:
        found[DOCUMENT] = round(min(1.0, share / _TEXT_SHARE / 2), 4)
    faces = max(map(len, _by_page(_items(outputs, "facedetection", "faces"))), default=0)
    if faces >= _FACES:
        found[CROWD] = round(min(1.0, faces / _FACES / 2), 4)
    return found


def _items(outputs: Mapping[str, Any], step: str, name: str) -> list[Mapping[str, Any]]:
    value = _part(outputs.get(step), name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _by_page(items: list[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return what is on each page of the photo's file; many pages with a face are no crowd."""
    pages: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        pages.setdefault(str(item.get("page")), []).append(item)
    return list(pages.values())


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _pixels(outputs: Mapping[str, Any]) -> float:
    """Return the area of the photo; 0 if it is not told."""
    metadata = _part(outputs.get("generalclassification"), "metadata")
    sides = [_part(metadata, side) for side in ("width", "height")]
    if not all(isinstance(side, int | float) and side > 0 for side in sides):
        return 0
    return float(sides[0] * sides[1])


def _area(line: Mapping[str, Any]) -> float:
    """Return the area within a line's polygon (the shoelace formula); 0 if it is none."""
    polygon = line.get("polygon")
    if not isinstance(polygon, list) or not all(isinstance(at, int | float) for at in polygon):
        return 0
    closed = [*polygon, *polygon[:2]]
    corners = list(zip(closed[::2], closed[1::2], strict=False))
    doubled = sum(x * below - right * y for (x, y), (right, below) in pairwise(corners))
    return float(abs(doubled)) / 2
