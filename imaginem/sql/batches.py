"""Batches in SQL."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from imaginem.errors import PermanentError
from imaginem.ports import BatchInfo, BatchPage, Groups
from imaginem.ports.cursors import cursor_to, read_cursor
from imaginem.sql.database import MARK, Database
from imaginem.sql.schema import ErasedBatchRow, PhotoBatch, PipelineOutput, SubmissionRow
from imaginem.sql.types import portions


class SqlBatches:
    """The batches that were opened."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def batches(self, groups: Groups, cursor: str = "", limit: int = 50) -> BatchPage:
        """Return batches, newest first."""
        query = select(PhotoBatch)
        if groups is not None:
            query = query.where(or_(PhotoBatch.group_name == "", PhotoBatch.group_name.in_(groups)))
        if cursor:
            at, batch_id = read_cursor(cursor)
            tie = and_(PhotoBatch.created == at, PhotoBatch.batch_id < batch_id)
            query = query.where(or_(PhotoBatch.created < at, tie))
        query = query.order_by(PhotoBatch.created.desc(), PhotoBatch.batch_id.desc())
        with self._database.session(reading=True) as session:
            rows = session.scalars(query.limit(limit + 1)).all()
            shown = _with_counts(session, rows[:limit])
        last = shown[-1] if shown else None
        more = last is not None and len(rows) > limit
        return BatchPage(shown, cursor_to(last.created, last.batch_id) if last and more else "")

    def batch(self, batch_id: str) -> BatchInfo | None:
        """Return a batch."""
        with self._database.session(reading=True) as session:
            row = session.get(PhotoBatch, batch_id)
            return _with_counts(session, [row])[0] if row is not None else None

    def groups_of(self, batch_ids: Collection[str]) -> dict[str, str]:
        """Return the group of each batch that belongs to one."""
        with self._database.session(reading=True) as session:
            return groups_of(session, batch_ids)

    def open_batch(self, batch_id: str, group: str = "") -> str:
        """Record a batch; return its group."""
        with self._database.session() as session:
            row = note_batch(session, batch_id, group)
            if group and row.group_name != group:
                raise PermanentError(
                    f"batch {batch_id} exists and is not this group's: choose another id"
                )
            return row.group_name

    def forget_batch(self, batch_id: str) -> None:
        """Remove a batch."""
        with self._database.session() as session:
            this_batch = PhotoBatch.batch_id == batch_id
            group = session.scalar(select(PhotoBatch.group_name).where(this_batch))
            gone: Any = session.execute(delete(PhotoBatch).where(this_batch))
            if gone.rowcount and group:
                erased = {"mark": _mark(session, batch_id), "group_name": group}
                session.execute(insert(ErasedBatchRow).values(erased))


def groups_of(session: Session, batch_ids: Collection[str]) -> dict[str, str]:
    """Return the group of each batch that belongs to one, of erased batches too."""
    query = select(PhotoBatch.batch_id, PhotoBatch.group_name)
    known = {
        row[0]: row[1]
        for portion in portions(list(batch_ids))
        for row in session.execute(query.where(PhotoBatch.batch_id.in_(portion)))
    }
    known |= _erased_groups(session, [batch_id for batch_id in batch_ids if batch_id not in known])
    return {batch_id: group for batch_id, group in known.items() if group}


def all_groups(session: Session) -> set[str]:
    """Return all groups that batches belong to or belonged to, and the empty one."""
    here, gone = select(PhotoBatch.group_name), select(ErasedBatchRow.group_name)
    return {"", *session.scalars(here.union(gone))}


def note_batch(session: Session, batch_id: str, group: str = "") -> PhotoBatch:
    """Return a batch's row; insert it if it is missing.

    An erased batch gets its group again, any other one this group.
    """
    if row := session.get(PhotoBatch, batch_id):
        return row
    kept = _erased_groups(session, [batch_id])
    try:
        with session.begin_nested():
            row = PhotoBatch(batch_id=batch_id, group_name=kept.get(batch_id, group))
            session.add(row)
            session.flush()
    except IntegrityError:  # another transaction has inserted it meanwhile
        return session.get_one(PhotoBatch, batch_id)
    if kept:
        session.execute(
            delete(ErasedBatchRow).where(
                ErasedBatchRow.mark.in_([_mark(session, batch_id), batch_id])
            )
        )
    return row


def _erased_groups(session: Session, batch_ids: Sequence[str]) -> dict[str, str]:
    """Return the group of each of these batches that was erased and belongs to one."""
    if not batch_ids or session.scalar(select(ErasedBatchRow.group_name).limit(1)) is None:
        return {}  # the key of the marks may not even exist
    named = {_mark(session, batch_id): batch_id for batch_id in batch_ids}
    named |= {batch_id: batch_id for batch_id in batch_ids}
    query = select(ErasedBatchRow.mark, ErasedBatchRow.group_name)
    return {
        named[row[0]]: row[1]
        for portion in portions(list(named))
        for row in session.execute(query.where(ErasedBatchRow.mark.in_(portion)))
    }


def _mark(session: Session, batch_id: str) -> str:
    """Return what an erased batch is known by."""
    return str(session.info[MARK]("batch of a group", batch_id))


def hidden_from(batch_id: Any, groups: frozenset[str]) -> ColumnElement[bool]:
    """Return the condition that a batch belongs to a group, and to none of these."""
    return exists().where(
        PhotoBatch.batch_id == batch_id,
        PhotoBatch.group_name != "",
        PhotoBatch.group_name.not_in(groups),
    )


def _with_counts(session: Session, rows: Sequence[PhotoBatch]) -> list[BatchInfo]:
    ids = [row.batch_id for row in rows]
    done: dict[str, tuple[int, int, int]] = {}
    sent: dict[str, int] = {}
    problems = func.sum(PipelineOutput.problems)
    for portion in portions(ids):
        counts = select(
            PipelineOutput.batch_id, func.count(), problems, func.sum(PipelineOutput.faces)
        ).where(PipelineOutput.batch_id.in_(portion))
        for row in session.execute(counts.group_by(PipelineOutput.batch_id)):
            done[row[0]] = (row[1], int(row[2]), int(row[3]))
        query = select(SubmissionRow.batch_id, func.count()).where(
            SubmissionRow.batch_id.in_(portion)
        )
        sent |= {row[0]: row[1] for row in session.execute(query.group_by(SubmissionRow.batch_id))}
    return [
        BatchInfo(
            row.batch_id,
            row.group_name,
            row.created,
            sent.get(row.batch_id, 0),
            *done.get(row.batch_id, (0, 0, 0)),
        )
        for row in rows
    ]
