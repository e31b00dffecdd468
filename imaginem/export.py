"""A batch's results as rows of a table."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from imaginem.ports import JobResult, Services

COLUMNS = (
    "batch_id",
    "job_id",
    "name",
    "timestamp",
    "unfinished",
    "caption",
    "tags",
    "categories",
    "objects",
    "text",
    "faces",
    "matches",
    "image_url",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_rows(
    services: Services,
    batch_id: str,
    hidden: Callable[[set[str]], set[str]] = lambda batches: set(),
) -> Iterator[dict[str, Any]]:
    """Return a row for each result of a batch, by job id; lists are kept as lists.

    Args:
        services: where results and faces are.
        batch_id: of the batch.
        hidden: returns which batches may not be named.
    """
    for result in services.results.batch(batch_id):
        faces = [face.face_id for face in services.gallery.faces_of((batch_id, result.id))]
        found = services.gallery.matches_of(faces) if faces else []
        owners = services.gallery.owners([match.matched_face_id for match in found])
        unseen = hidden({owner.batch_id for owner in owners.values()}) if owners else set()
        matched = {
            f"{owner.batch_id}/{owner.job_id}"
            for owner in owners.values()
            if owner.batch_id not in unseen
        }
        yield _row(result, len(faces), sorted(matched))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV; a mark in front tells spreadsheets that it is UTF-8."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _cell(row[name]) for name in COLUMNS} for row in rows)
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> str:
    """Return a value as text that no spreadsheet takes for a formula."""
    text = "; ".join(str(item) for item in value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(result: JobResult, faces: int, matched: list[str]) -> dict[str, Any]:
    seen = result.job_output.get("generalclassification")
    captions = _names(_part(seen, "description"), "captions", "text")
    parameters = result.image_parameters
    name = parameters.get("original_name") if isinstance(parameters, dict) else None
    return {
        "batch_id": result.batch_id,
        "job_id": result.id,
        "name": name or result.id,
        "timestamp": result.timestamp.isoformat() if result.timestamp else "",
        "unfinished": list(result.unfinished),
        "caption": captions[0] if captions else "",
        "tags": _names(seen, "tags", "name"),
        "categories": _names(seen, "categories", "name"),
        "objects": _names(seen, "objects", "object"),
        "text": str(_part(result.job_output.get("ocr"), "full_text") or ""),
        "faces": faces,
        "matches": matched,
        "image_url": result.image_url,
    }


def _part(output: Any, name: str) -> Any:
    """Return a field of an output; outputs may be pre-filled with anything."""
    return output.get(name) if isinstance(output, dict) else None


def _names(output: Any, field: str, name: str) -> list[str]:
    items = _part(output, field)
    found = [_part(item, name) for item in items] if isinstance(items, list) else []
    return [text for text in found if isinstance(text, str)]
