"""A batch's results as rows of a table."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from imaginem.ports import DashboardServices, JobResult
from imaginem.usecases.access import Caller, hidden_batches
from imaginem.usecases.jobs import photo_name

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
_AT_ONCE = 200  # results, for which faces are asked for together
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_rows(services: DashboardServices, batch_id: str, caller: Caller) -> Iterator[dict[str, Any]]:
    """Return a row for each result of a batch, by job id; lists are kept as lists.

    Matches in batches that the caller may not see are left out.
    """
    results = services.results.batch(batch_id)
    gallery = services.gallery
    while some := list(islice(results, _AT_ONCE)):
        job_of = {
            face.face_id: face.job_id
            for face in gallery.faces_of(*((batch_id, result.id) for result in some))
        }
        matches = gallery.matches_of(list(job_of))
        owners = gallery.owners(list({match.matched_face_id for match in matches}))
        hidden = hidden_batches(services, {owner.batch_id for owner in owners.values()}, caller)
        matched: dict[str, set[str]] = {}
        for match in matches:
            owner = owners.get(match.matched_face_id)
            if owner and owner.batch_id not in hidden:
                place = f"{owner.batch_id}/{owner.job_id}"
                matched.setdefault(job_of[match.face_id], set()).add(place)
        faces = Counter(job_of.values())
        for result in some:
            yield _row(result, faces[result.id], sorted(matched.get(result.id, ())))


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
    return {
        "batch_id": result.batch_id,
        "job_id": result.id,
        "name": photo_name(result.image_parameters, result.id),
        "timestamp": result.timestamp.isoformat() if result.timestamp else "",
        "unfinished": list(result.unsuccessful),
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
    texts = [_part(item, name) for item in items] if isinstance(items, list) else []
    return [text for text in texts if isinstance(text, str)]
