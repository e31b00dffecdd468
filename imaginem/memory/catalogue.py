"""In-memory fake of the catalogue."""

import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from imaginem.memory.database import MemoryDatabase
from imaginem.ports import FoundPhoto, JobResult, PhotoFilter, PhotoPage
from imaginem.ports.cursors import cursor_after, cursor_to, read_hit_cursor, read_job_cursor
from imaginem.ports.searchable import (
    TAGS_SHOWN,
    UNREADABLE,
    count_faces,
    has_faces,
    labels_in,
    name_of,
    searched_text,
)
from imaginem.ports.text_search import (
    Ask,
    Sureness,
    TextSearch,
    met_by,
    tokens_of,
)


class MemoryCatalogue:
    """Searches the results in memory."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """List photos."""
        if wanted.text:
            return self._hits(wanted, cursor, limit)
        rows = sorted(self._matching(wanted), key=_place, reverse=True)
        if cursor:
            place = read_job_cursor(cursor)
            rows = [row for row in rows if _place(row) < place]
        shown = rows[:limit]
        next_cursor = ""
        if len(rows) > limit:
            at, job = _place(shown[-1])
            next_cursor = cursor_to(at, job.hex)
        return PhotoPage([self._photo(row) for row in shown], next_cursor)

    def _hits(self, wanted: PhotoFilter, cursor: str, limit: int) -> PhotoPage:
        """List photos with these words, surest first, newest first."""
        least, before = read_hit_cursor(cursor) if cursor else (Sureness.EXACT, 0)
        rows = sorted(self._matching(replace(wanted, text="")), key=_place)
        hits = [
            (ask.sureness, number, row)
            for ask in TextSearch(wanted.text).asks(self, least)
            for number, row in reversed(list(enumerate(rows)))
            if _meets(self._tokens(row), ask)
            and not (cursor and ask.sureness is least and number >= before)
        ]
        shown = hits[:limit]
        photos = [replace(self._photo(row), sureness=sureness) for sureness, _, row in shown]
        if len(hits) <= limit:
            return PhotoPage(photos)
        sureness, number, _ = shown[-1]
        return PhotoPage(photos, cursor_after(sureness, str(number)))

    def tokens_like(self, keys: Collection[str]) -> set[str]:
        """Return the tokens of all photos that begin with one of these keys."""
        tokens = {token for row in self._database.results.values() for token in self._tokens(row)}
        return {token for token in tokens if token.startswith(tuple(keys))}

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Count labels."""
        counts = Counter(
            name
            for row in self._matching(wanted)
            for label_kind, name in self._labels(row)
            if label_kind == kind
        )
        return sorted(counts.items(), key=lambda label: (-label[1], label[0]))[:limit]

    def _matching(self, wanted: PhotoFilter) -> list[JobResult]:
        ask = TextSearch(wanted.text).widest(self) if wanted.text else None
        return [
            row
            for row in self._database.results.values()
            if self._matches(row, wanted)
            and self._database.may_see(row.batch_id, wanted.groups)
            and (not wanted.text or (ask is not None and _meets(self._tokens(row), ask)))
        ]

    def _matches(self, row: JobResult, wanted: PhotoFilter) -> bool:
        labels = self._labels(row)
        at = _time(row)
        found = has_faces(row.job_output, row.processing_pipeline, row.unsuccessful)
        facts = self._database.index(row.job_output).facts if wanted.where else ()
        return (
            all(
                not name or (kind, name) in labels
                for kind, name in (
                    ("tag", wanted.tag),
                    ("category", wanted.category),
                    ("object", wanted.object),
                    (UNREADABLE, wanted.unreadable),
                )
            )
            and all(condition.is_met_by(facts) for condition in wanted.where)
            and (wanted.faces is None or wanted.faces is found)
            and (wanted.since is None or at >= wanted.since)
            and (wanted.until is None or at < wanted.until)
            and wanted.batch in ("", row.batch_id)
        )

    def _labels(self, row: JobResult) -> dict[tuple[str, str], float]:
        return labels_in(row.job_output, self._database.index(row.job_output))

    def _tokens(self, row: JobResult) -> frozenset[str]:
        text = searched_text(row.job_output, self._database.index(row.job_output))
        return frozenset(tokens_of(text, self._labels(row), row.batch_id))

    def _photo(self, row: JobResult) -> FoundPhoto:
        labels = self._labels(row)
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


def _meets(tokens: frozenset[str], ask: Ask) -> bool:
    return met_by(ask.groups, tokens) and not (ask.without and met_by(ask.without, tokens))


def _time(row: JobResult) -> datetime:
    return row.timestamp or datetime.min.replace(tzinfo=UTC)


def _place(row: JobResult) -> tuple[datetime, uuid.UUID]:
    return _time(row), uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID, row.batch_id), row.id)
