"""A batch's results as rows of a table."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from imaginem.pipeline.steps import Registry, default_registry
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, FaceOwner, JobResult
from imaginem.ports.categories import category_title
from imaginem.ports.searchable import count_faces, unread_text
from imaginem.ports.seen_words import words_seen
from imaginem.usecases.access import Caller
from imaginem.usecases.alike import reviewed_matches
from imaginem.usecases.audit.acting import note
from imaginem.usecases.findings import FOUND, findings_in
from imaginem.usecases.jobs import given_name
from imaginem.usecases.looked import has_looked
from imaginem.usecases.other_models import OtherModels
from imaginem.usecases.own_columns import add_own_columns
from imaginem.usecases.own_outputs import OwnFinding, OwnOutputs
from imaginem.usecases.unseen import unseen_in

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
    "not_looked_for",
    "rejected",
    "copies",
    "matches_told",
    "unreadable",
    "not_seen",
)

_SOUGHT_BY = {
    "caption": ("generalclassification", "description"),
    "tags": ("generalclassification", "tags"),
    "categories": ("generalclassification", "categories"),
    "objects": ("generalclassification", "objects"),
    "text": ("ocr", ""),
    "faces": ("facedetection", ""),
    "matches": ("facematch", ""),
}
"""Which step fills a column, and from which part of its output."""
_CHUNK = 200
"""Results whose faces are read in one query."""
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−⁺⁻⁼₊₋₌"  # noqa: RUF001 - spreadsheets read wide ones as plain ones
_NEXT_CELL = ";|\t\n\v\f\r\x85\u2028\u2029"
_IGNORED = r"\s\"'\ufeff\u00ad\u200b-\u200f\u2060"
# It looks at each run of such characters once: a text of many line feeds takes no longer.
_FORMULA = re.compile(f"(?<![{_NEXT_CELL}{_IGNORED}])([{_NEXT_CELL}{_IGNORED}]*)([{_SIGNS}])")
"""How a formula begins: in a cell, or where spreadsheets of other countries begin the next one.

Where `;` or a tab separates cells, the quotes around ours hold nothing together. A comma inside
needs no mark: where it separates cells, the quotes hold.
"""


def as_rows(
    services: DashboardServices,
    batch_id: str,
    caller: Caller,
    registry: Registry = default_registry,
) -> list[dict[str, Any]]:
    """Return a row for each result of a batch, in the order of job ids; lists stay lists.

    `matches_told` says why there is no match: nobody looks alike, there is no face, nobody has
    looked, or not at all faces of the gallery.
    `not_looked_for` names the columns whose step did not look, so that empty there is not nothing.
    `unreadable` says that there is text, and in which script, which is not in `text` since it can't
    be read; `not_seen` which part of the photo's file nobody has looked at.
    `matches` has no photo of which a person said that its face is another one: `rejected` has it;
    and none that is the very same photo, sent again: `copies` has it.
    Matches in batches that the caller may not see are left out.
    What own steps found is beside it, by `step.field`, for all steps that any of the batch's photos
    was sent through.
    """
    note(services, AuditDeed.EXPORTED, AuditSubject.BATCH, batch_id)
    results, others = services.results.batch(batch_id), OtherModels(services, caller)
    own = OwnOutputs(registry)
    rows: list[dict[str, Any]] = []
    found: list[list[OwnFinding]] = []
    while chunk := list(islice(results, _CHUNK)):
        keys = [(batch_id, result.id) for result in chunk]
        faces = services.gallery.faces_of(*keys)
        alike = _photos_alike(services, faces, caller)
        enrolled = Counter(face.job_id for face in faces)
        for result in chunk:
            photos = alike.get(result.id, _PhotosAlike())
            rows.append(_row(result, enrolled[result.id], photos, others))
            found.append(own.of_result(result))
    add_own_columns(rows, found, own)
    return rows


@dataclass
class _PhotosAlike:
    """The `batch/job` of each photo that matches a job's.

    Attributes:
        standing: with at least one pair of faces that nobody has rejected.
        rejected: with at least one pair that somebody has.
        copies: which are the very same photo.
    """

    standing: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)


def _photos_alike(
    services: DashboardServices, faces: Sequence[FaceOwner], caller: Caller
) -> dict[str, _PhotosAlike]:
    """Return the photos that match, by the id of the job that they match.

    Args:
        services: where faces and matches are.
        faces: of the jobs.
        caller: matches in batches that are hidden from the caller are left out.
    """
    job_of = {face.face_id: face.job_id for face in faces}
    matches = services.gallery.matches_of(list(job_of))
    alike = {job_id: _PhotosAlike() for job_id in job_of.values()}
    for match in reviewed_matches(services, faces, matches, caller):
        assert match.face_id is not None  # noqa: S101 - pairs that are stored have both faces
        photos = alike[job_of[match.face_id]]
        found = photos.rejected if match.is_rejected else photos.standing
        if match.same_photo:
            found = photos.copies
        found.update(f"{batch_id}/{job_id}" for batch_id, job_id in match.jobs)
    return alike


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV; it begins with a mark by which spreadsheets recognise UTF-8."""
    out = io.StringIO()
    columns = list(dict.fromkeys([*COLUMNS, *(rows[0] if rows else ())]))
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows({name: _cell(_titled(name, row[name])) for name in columns} for row in rows)
    return "\ufeff" + out.getvalue()


def _titled(column: str, value: Any) -> Any:
    """Return a value with Azure's categories as people read them; programs take JSON."""
    return list(map(category_title, value)) if column == "categories" else value


def _cell(value: Any) -> str:
    """Return a value as text that no spreadsheet runs as a formula."""
    if value is None:
        return ""
    text = "; ".join(map(_said, value)) if isinstance(value, list) else _said(value)

    def marked_start(found: re.Match[str]) -> str:
        begins = found.start() == 0 or not set(_NEXT_CELL).isdisjoint(found[1])
        return f"{found[1]}'{found[2]}" if begins else found[0]

    marked = _FORMULA.sub(marked_start, text)
    return f"'{marked}" if marked.startswith(("\t", "\r", "\n")) else marked


def _said(value: Any) -> str:
    """Return a value on one line; an object with its fields' names left out."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(_said(each) for each in value.values() if each is not None)
    return str(value)


def _row(
    result: JobResult, enrolled: int, alike: _PhotosAlike, others: OtherModels
) -> dict[str, Any]:
    classification = result.job_output.get("generalclassification")
    tags = _names(classification, "tags", "name")
    captions = _names(_part(classification, "description"), "captions", "text")
    faces = max(count_faces(result.job_output), enrolled)
    has_matches = bool(alike.standing or alike.rejected or alike.copies)
    other_models = not has_matches and others.are_beside(result.job_output)
    told = findings_in(result, has_matches=has_matches, other_models=other_models)["matches"]
    unsought = [column for column, by in _SOUGHT_BY.items() if not has_looked(result, *by)]
    return {
        "batch_id": result.batch_id,
        "job_id": result.id,
        "name": given_name(result.image_parameters) or result.id,
        "timestamp": result.timestamp.isoformat() if result.timestamp else "",
        "unfinished": list(result.unsuccessful),
        "caption": captions[0] if captions else "",
        "tags": list(dict.fromkeys([*tags, *words_seen(result.job_output)])),
        "categories": _names(classification, "categories", "name"),
        "objects": _names(classification, "objects", "object"),
        "text": str(_part(result.job_output.get("ocr"), "full_text") or ""),
        "faces": None if "faces" in unsought and not faces else faces,
        "matches": sorted(alike.standing - alike.copies),
        "image_url": result.image_url,
        "not_looked_for": unsought,
        "rejected": sorted(alike.rejected - alike.standing),
        "copies": sorted(alike.copies),
        "matches_told": "" if told.how == FOUND else told.told,
        "unreadable": unread_text(result.job_output),
        "not_seen": unseen_in(result.job_output),
    }


def _part(output: Any, name: str) -> Any:
    """Return a field of an output, or None; senders may put any value into outputs."""
    return output.get(name) if isinstance(output, dict) else None


def _names(output: Any, field: str, name: str) -> list[str]:
    """Return one text of each item in a field that is a list."""
    items = _part(output, field)
    texts = [_part(item, name) for item in items] if isinstance(items, list) else []
    return [text for text in texts if isinstance(text, str)]
