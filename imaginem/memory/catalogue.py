"""In-memory fake of the catalogue."""

import uuid
from collections import Counter
from datetime import UTC, datetime

from imaginem.memory.database import MemoryDatabase
from imaginem.ports import FoundPhoto, JobResult, PhotoFilter, PhotoPage
from imaginem.ports.cursors import cursor_to, read_job_cursor
from imaginem.ports.searchable import (
    TAGS_SHOWN,
    count_faces,
    has_faces,
    labels_in,
    name_of,
    text_in,
)


class MemoryCatalogue:
    """Searches the results in memory."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """List photos."""
        rows = sorted(self._matching(wanted), key=_place, reverse=True)
        if cursor:
            place = read_job_cursor(cursor)
            rows = [row for row in rows if _place(row) < place]
        shown = rows[:limit]
        next_cursor = ""
        if len(rows) > limit:
            at, job = _place(shown[-1])
            next_cursor = cursor_to(at, job.hex)
        return PhotoPage([_photo(row) for row in shown], next_cursor)

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Count labels."""
        counts = Counter(
            name
            for row in self._matching(wanted)
            for label_kind, name in labels_in(row.job_output)
            if label_kind == kind
        )
        return sorted(counts.items(), key=lambda label: (-label[1], label[0]))[:limit]

    def _matching(self, wanted: PhotoFilter) -> list[JobResult]:
        return [
            row
            for row in self._database.results.values()
            if _matches(row, wanted) and self._database.may_see(row.batch_id, wanted.groups)
        ]


def _matches(row: JobResult, wanted: PhotoFilter) -> bool:
    labels = labels_in(row.job_output)
    at = _time(row)
    found = has_faces(row.job_output, row.processing_pipeline, row.unsuccessful)
    return (
        all(
            not name or (kind, name) in labels
            for kind, name in (
                ("tag", wanted.tag),
                ("category", wanted.category),
                ("object", wanted.object),
            )
        )
        and wanted.text.casefold() in text_in(row.job_output)
        and (wanted.faces is None or wanted.faces is found)
        and (wanted.since is None or at >= wanted.since)
        and (wanted.until is None or at < wanted.until)
        and wanted.batch in ("", row.batch_id)
    )


def _time(row: JobResult) -> datetime:
    return row.timestamp or datetime.min.replace(tzinfo=UTC)


def _place(row: JobResult) -> tuple[datetime, uuid.UUID]:
    return _time(row), uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID, row.batch_id), row.id)


def _photo(row: JobResult) -> FoundPhoto:
    labels = labels_in(row.job_output)
    tags = sorted(
        (-confidence, name) for (kind, name), confidence in labels.items() if kind == "tag"
    )
    return FoundPhoto(
        batch_id=row.batch_id,
        id=row.id,
        name=name_of(row.image_parameters, row.id),
        timestamp=_time(row),
        faces=count_faces(row.job_output),
        tags=[name for _, name in tags[:TAGS_SHOWN]],
        unsuccessful=tuple(row.unsuccessful),
        kept=bool(row.photo_url),
    )
