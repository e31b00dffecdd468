"""The catalogue in SQL: photos by their labels, text and faces."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from imaginem.ports import FoundPhoto, PhotoFilter, PhotoPage
from imaginem.ports.cursors import cursor_after, cursor_to, read_hit_cursor, read_job_cursor
from imaginem.ports.searchable import FACE_STEP, TAGS_SHOWN, UNREADABLE, name_of
from imaginem.ports.text_search import Sureness, TextSearch, marks_of
from imaginem.sql.batches import hidden_from
from imaginem.sql.database import Database
from imaginem.sql.own_outputs import fact_conditions
from imaginem.sql.schema import Label, PhotoText, PipelineOutput
from imaginem.sql.text_index import SessionWords, TextIndex, text_index_of
from imaginem.sql.types import portions

COUNTED_PHOTOS = 10_000
"""Of photos that fit a filter, the labels of so many are counted, the newest ones."""
_KINDS = ("tag", "category", "object", UNREADABLE)
_FEW = 5_000
"""Photos of a label that is rather gone through than a batch."""
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
        led = _led_by(session, wanted)
        query = led.join_results(select(*_SHOWN)).where(*_conditions(session, wanted, led))
        if cursor:
            at, job = read_job_cursor(cursor)
            before = led.timestamp < at
            tie = and_(led.timestamp == at, led.job < job)
            query = query.where(or_(before, tie))
        query = query.order_by(led.timestamp.desc(), led.job.desc())
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
            .where(*_conditions(session, _beyond_tokens(wanted)))
        )
        hits: list[tuple[Sureness, Any]] = []
        for ask in search.asks(words, least):
            last = before if ask.sureness is least else None
            rows = index.rows(session, query, ask, last, limit + 1 - len(hits))
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
            led = _led_by(session, wanted)
            conditions = _conditions(session, wanted, led)
            jobs = select(led.job)
            if _asks_for_results(wanted):
                jobs = led.join_results(jobs)
            newest = jobs.where(*conditions).order_by(led.timestamp.desc())
            return newest if conditions else None
        index = self._index
        ask = _search(wanted).widest(SessionWords(session, index))
        if ask is None:
            return select(PipelineOutput.job).where(false())
        jobs = select(PhotoText.job)
        if beyond := _conditions(session, _beyond_tokens(wanted)):
            jobs = jobs.join(PipelineOutput, PipelineOutput.job == PhotoText.job).where(*beyond)
        hits: Select[Any] = index.newest(session, jobs, ask)
        return hits


def _search(wanted: PhotoFilter) -> TextSearch:
    """Return a filter's words, with the labels and the batch that the index knows as well."""
    labels = [(kind, name) for kind in _KINDS if (name := getattr(wanted, kind))]
    return TextSearch(wanted.text, marks_of(labels, wanted.batch))


def _beyond_tokens(wanted: PhotoFilter) -> PhotoFilter:
    """Return what a text index does not know of a filter."""
    return replace(wanted, text="", tag="", category="", object="", unreadable="", batch="")


@dataclass(frozen=True)
class _Lead:
    """The table by which the photos that fit are gone through, the newest first.

    Attributes:
        timestamp, job: its columns of these names.
        label: the table, if it is that of labels; else it is that of results.
        kind: of the label that all of its rows have.
    """

    timestamp: Any
    job: Any
    label: Any = None
    kind: str = ""

    def join_results(self, query: Any) -> Any:
        """Let a query of results go through this table."""
        if self.label is None:
            return query
        return query.select_from(self.label).join(PipelineOutput, PipelineOutput.job == self.job)


_BY_RESULTS = _Lead(PipelineOutput.timestamp, PipelineOutput.job)


def _led_by(session: Session, wanted: PhotoFilter) -> _Lead:
    """Choose by what to go through photos: the rarest label, unless a batch is asked for.

    A batch has few photos beside those of a common label.
    """
    named = [kind for kind in _KINDS if getattr(wanted, kind)]
    if not named:
        return _BY_RESULTS
    kind = named[0]
    if wanted.batch or len(named) > 1:
        counts = {kind: _counted(session, kind, getattr(wanted, kind)) for kind in named}
        kind = min(named, key=counts.__getitem__)
        if wanted.batch and counts[kind] >= _FEW:
            return _BY_RESULTS
    label = aliased(Label)
    return _Lead(label.timestamp, label.job, label, kind)


def _counted(session: Session, kind: str, name: str) -> int:
    """Return how many photos have a label; of many, as many as need be counted."""
    some = select(Label.job).where(Label.kind == kind, Label.name == name).limit(_FEW)
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _asks_for_results(wanted: PhotoFilter) -> bool:
    """Tell whether a filter has conditions that labels alone can't answer."""
    return bool(wanted.batch) or wanted.faces is not None or wanted.groups is not None


def _conditions(
    session: Session, wanted: PhotoFilter, led: _Lead = _BY_RESULTS
) -> list[ColumnElement[bool]]:
    """Return a filter as SQL; its text is what a text index is asked for."""
    conditions = [_has_label(led, kind, name) for kind in _KINDS if (name := getattr(wanted, kind))]
    conditions += fact_conditions(session, led.job, wanted.where)
    if wanted.faces:
        conditions.append(PipelineOutput.faces > 0)
    if wanted.faces is False:
        looked_for = _names(PipelineOutput.processing_pipeline, FACE_STEP)
        failed = _names(PipelineOutput.unfinished, FACE_STEP)
        conditions += [PipelineOutput.faces == 0, looked_for, ~failed]
    if wanted.since:
        conditions.append(led.timestamp >= wanted.since)
    if wanted.until:
        conditions.append(led.timestamp < wanted.until)
    if wanted.batch:
        conditions.append(PipelineOutput.batch_id == wanted.batch)
    if wanted.groups is not None:
        conditions.append(~hidden_from(PipelineOutput.batch_id, wanted.groups))
    return conditions


def _has_label(led: _Lead, kind: str, name: str) -> ColumnElement[bool]:
    """Return the condition that a photo has a label."""
    if kind == led.kind:
        return and_(led.label.kind == kind, led.label.name == name)
    label = aliased(Label)  # the outer query may select from labels itself
    return exists().where(label.job == led.job, label.kind == kind, label.name == name)


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
