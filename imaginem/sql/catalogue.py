"""The catalogue in SQL: photos by their labels, text and faces."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from imaginem.ports import FoundPhoto, PhotoFilter, PhotoPage
from imaginem.ports.cursors import cursor_to, read_job_cursor
from imaginem.ports.searchable import FACE_STEP, TAGS_SHOWN, name_of
from imaginem.sql.batches import hidden_from
from imaginem.sql.database import Database
from imaginem.sql.schema import Label, PipelineOutput
from imaginem.sql.types import portions

COUNTED_PHOTOS = 10_000
"""Of photos that fit a filter, the labels of so many are counted, the newest ones."""
_KINDS = ("tag", "category", "object")
_FEW = 5_000


class SqlCatalogue:
    """Photos that have a result."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """Return photos, newest first."""
        with self._database.session(reading=True) as session:
            return self._photos(session, wanted, cursor, limit)

    def _photos(self, session: Session, wanted: PhotoFilter, cursor: str, limit: int) -> PhotoPage:
        # All that a list shows, without the outputs, which are long.
        query = select(
            PipelineOutput.job,
            PipelineOutput.batch_id,
            PipelineOutput.id,
            PipelineOutput.image_parameters,
            PipelineOutput.timestamp,
            PipelineOutput.faces,
            PipelineOutput.unfinished,
            PipelineOutput.photo_url,
        ).where(*_conditions(wanted, _rare_labels(session, wanted)))
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

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the labels of these photos with their counts."""
        count = func.count()
        query = select(Label.name, count).where(Label.kind == kind)
        if conditions := _conditions(wanted):
            # SQLite would go through all labels of the kind if it could search for the kind.
            of_kind = Label.kind.concat("") == kind
            newest = PipelineOutput.timestamp.desc()
            jobs = select(PipelineOutput.job).where(*conditions).order_by(newest)
            query = select(Label.name, count).where(
                of_kind, Label.job.in_(jobs.limit(COUNTED_PHOTOS))
            )
        query = query.group_by(Label.name).order_by(count.desc(), Label.name).limit(limit)
        with self._database.session(reading=True) as session:
            return [(row[0], row[1]) for row in session.execute(query)]


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
        wanted: the filter.
        rare: kinds of labels whose photos are looked up; the photos are looked through for others.
    """
    conditions = [
        _has_label(kind, getattr(wanted, kind), kind in rare)
        for kind in _KINDS
        if getattr(wanted, kind)
    ]
    if wanted.text:
        text = wanted.text.casefold()  # as it is stored; see `text_in`
        conditions.append(PipelineOutput.full_text.contains(text, autoescape=True))
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
