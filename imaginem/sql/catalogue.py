"""The catalogue in SQL: photos by their labels, text and faces."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from imaginem.ports import FoundPhoto, PhotoFilter, PhotoPage
from imaginem.ports.cursors import cursor_after, cursor_to, read_hit_cursor, read_job_cursor
from imaginem.ports.searchable import FACE_STEP, TAGS_SHOWN, name_of
from imaginem.ports.text_search import Sureness, TextSearch, marks_of
from imaginem.sql.batches import hidden_from
from imaginem.sql.database import Database
from imaginem.sql.schema import Label, PhotoText, PipelineOutput
from imaginem.sql.text_index import SessionWords, TextIndex, text_index_of
from imaginem.sql.types import portions

COUNTED_PHOTOS = 10_000
"""Of photos that fit a filter, the labels of so many are counted, the newest ones."""
_KINDS = ("tag", "category", "object")
_FEW = 5_000
# All that a list shows, without the outputs, which are long.
_SHOWN = (
    PipelineOutput.job,
    PipelineOutput.batch_id,
    PipelineOutput.id,
    PipelineOutput.image_parameters,
    PipelineOutput.timestamp,
    PipelineOutput.faces,
    PipelineOutput.unfinished,
    PipelineOutput.photo_url,
)


class SqlCatalogue:
    """Photos that have a result.

    Args:
        database: of the results.
        index: finds words; None for the one that the server has.
    """

    def __init__(self, database: Database, index: TextIndex | None = None) -> None:
        self._database, self._chosen = database, index

    @property
    def _index(self) -> TextIndex:
        return self._chosen or text_index_of(self._database.engine.dialect.name)

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """Return photos, newest first."""
        with self._database.session(reading=True) as session:
            return self._photos(session, wanted, cursor, limit)

    def _photos(self, session: Session, wanted: PhotoFilter, cursor: str, limit: int) -> PhotoPage:
        if wanted.text:
            return self._hits(session, wanted, cursor, limit)
        query = select(*_SHOWN).where(*_conditions(wanted, _rare_labels(session, wanted)))
        if cursor:
            at, job = read_job_cursor(cursor)
            before = PipelineOutput.timestamp < at
            tie = and_(PipelineOutput.timestamp == at, PipelineOutput.job < job)
            query = query.where(or_(before, tie))
        query = query.order_by(PipelineOutput.timestamp.desc(), PipelineOutput.job.desc())
        rows = session.execute(query.limit(limit + 1)).all()
        tags = _tags(session, [row.job for row in rows[:limit]])
        shown = rows[:limit]
        more = len(rows) > limit
        next_cursor = cursor_to(shown[-1].timestamp, shown[-1].job.hex) if more else ""
        return PhotoPage([_photo(row, tags[row.job]) for row in shown], next_cursor)

    def _hits(self, session: Session, wanted: PhotoFilter, cursor: str, limit: int) -> PhotoPage:
        """Return photos with these words: the index names them, surest first, newest first."""
        search, index = _search(wanted), self._index
        words = SessionWords(session, index)
        least, before = read_hit_cursor(cursor) if cursor else (Sureness.EXACT, None)
        query = (
            select(PhotoText.number, *_SHOWN)
            .join(PipelineOutput, PipelineOutput.job == PhotoText.job)
            .where(*_conditions(_beyond_tokens(wanted)))
        )
        hits: list[tuple[Sureness, Any]] = []
        for ask in search.asks(words, least):
            last = before if ask.sureness is least else None
            here = index.newest(session, query, ask, last)
            rows = session.execute(here.limit(limit + 1 - len(hits))).all()
            hits += [(ask.sureness, row) for row in rows]
            if len(hits) > limit:
                break
        shown = hits[:limit]
        tags = _tags(session, [row.job for _, row in shown])
        photos = [replace(_photo(row, tags[row.job]), sureness=sure) for sure, row in shown]
        if len(hits) <= limit:
            return PhotoPage(photos)
        sureness, row = shown[-1]
        return PhotoPage(photos, cursor_after(sureness, str(row.number)))

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the labels of these photos with their counts."""
        count = func.count()
        query = select(Label.name, count).where(Label.kind == kind)
        with self._database.session(reading=True) as session:
            if (jobs := self._newest(session, wanted)) is not None:
                # SQLite would go through all labels of the kind if it could search for the kind.
                of_kind = Label.kind.concat("") == kind
                query = select(Label.name, count).where(
                    of_kind, Label.job.in_(jobs.limit(COUNTED_PHOTOS))
                )
            query = query.group_by(Label.name).order_by(count.desc(), Label.name).limit(limit)
            return [(row[0], row[1]) for row in session.execute(query)]

    def _newest(self, session: Session, wanted: PhotoFilter) -> Select[Any] | None:
        """Return the query for the jobs of photos that fit, newest first; None if all do."""
        if not wanted.text:
            conditions = _conditions(wanted)
            newest = PipelineOutput.timestamp.desc()
            jobs = select(PipelineOutput.job).where(*conditions).order_by(newest)
            return jobs if conditions else None
        index = self._index
        ask = _search(wanted).widest(SessionWords(session, index))
        if ask is None:
            return select(PipelineOutput.job).where(false())
        jobs = (
            select(PhotoText.job)
            .join(PipelineOutput, PipelineOutput.job == PhotoText.job)
            .where(*_conditions(_beyond_tokens(wanted)))
        )
        hits: Select[Any] = index.newest(session, jobs, ask)
        return hits


def _search(wanted: PhotoFilter) -> TextSearch:
    """Return a filter's words, with the labels and the batch that the index knows as well."""
    labels = [(kind, name) for kind in _KINDS if (name := getattr(wanted, kind))]
    return TextSearch(wanted.text, marks_of(labels, wanted.batch))


def _beyond_tokens(wanted: PhotoFilter) -> PhotoFilter:
    """Return what a text index does not know of a filter."""
    return replace(wanted, text="", tag="", category="", object="", batch="")


def _rare_labels(session: Session, wanted: PhotoFilter) -> set[str]:
    """Return which kinds of labels a filter names one of that few photos have."""
    few = set()
    for kind in _KINDS:
        if name := getattr(wanted, kind):
            some = select(Label.job).where(Label.kind == kind, Label.name == name).limit(_FEW)
            if (session.scalar(select(func.count()).select_from(some.subquery())) or 0) < _FEW:
                few.add(kind)
    return few


def _conditions(wanted: PhotoFilter, rare: Collection[str] = _KINDS) -> list[ColumnElement[bool]]:
    """Return a filter as SQL.

    Args:
        wanted: the filter; its text is what a text index is asked for.
        rare: kinds of labels whose photos are looked up; the photos are looked through for others.
    """
    conditions = [
        _has_label(kind, getattr(wanted, kind), kind in rare)
        for kind in _KINDS
        if getattr(wanted, kind)
    ]
    if wanted.faces:
        conditions.append(PipelineOutput.faces > 0)
    if wanted.faces is False:
        looked_for = _names(PipelineOutput.processing_pipeline, FACE_STEP)
        failed = _names(PipelineOutput.unfinished, FACE_STEP)
        conditions += [PipelineOutput.faces == 0, looked_for, ~failed]
    if wanted.since:
        conditions.append(PipelineOutput.timestamp >= wanted.since)
    if wanted.until:
        conditions.append(PipelineOutput.timestamp < wanted.until)
    if wanted.batch:
        conditions.append(PipelineOutput.batch_id == wanted.batch)
    if wanted.groups is not None:
        conditions.append(~hidden_from(PipelineOutput.batch_id, wanted.groups))
    return conditions


def _has_label(kind: str, name: str, rare: bool) -> ColumnElement[bool]:
    """Return the condition that a photo has a label, as suits a rare or a common one."""
    label = aliased(Label)  # the outer query may select from labels itself
    named = (label.kind == kind, label.name == name)
    if rare:
        return PipelineOutput.job.in_(select(label.job).where(*named))
    return exists().where(label.job == PipelineOutput.job, *named)


def _names(column: InstrumentedAttribute[str], step: str) -> ColumnElement[bool]:
    """Return the condition that a list of steps, with commas between them, has this one."""
    return (literal(",") + column + ",").contains(f",{step},", autoescape=True)


def _tags(session: Session, jobs: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """Return the tags that a list shows of each job, by confidence, the highest first."""
    ranked: dict[uuid.UUID, list[tuple[float, str]]] = defaultdict(list)
    query = select(Label.job, Label.confidence, Label.name).where(Label.kind == "tag")
    for portion in portions(jobs):
        for job, confidence, name in session.execute(query.where(Label.job.in_(portion))):
            ranked[job].append((-confidence, name))
    return {job: [name for _, name in sorted(ranked[job])[:TAGS_SHOWN]] for job in jobs}


def _photo(row: Any, tags: Sequence[str]) -> FoundPhoto:
    return FoundPhoto(
        batch_id=row.batch_id,
        id=row.id,
        name=name_of(from_json(row.image_parameters), row.id),
        timestamp=row.timestamp,
        faces=row.faces,
        tags=tags,
        unsuccessful=tuple(name for name in row.unfinished.split(",") if name),
        kept=bool(row.photo_url),
    )
