"""`barred_photo`: photos that may not come back into a group's batches."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from imaginem.ports import BarredPhoto
from imaginem.sql.batches import groups_of
from imaginem.sql.database import Database
from imaginem.sql.schema import BarredPhotoRow

_WHO_LIMIT = 200  # characters of the column


class SqlBarredPhotos:
    """The photos that are barred, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bar(self, group: str, mark: str, who: str) -> bool:
        """Bar a photo; who barred it first stays noted."""
        row = {"mark": mark, "group_name": group, "who": who[:_WHO_LIMIT]}
        with self._database.session() as session:
            try:
                with session.begin_nested():
                    session.execute(insert(BarredPhotoRow).values(row))
            except IntegrityError:
                return False
        return True

    def restore(self, photos: Iterable[BarredPhoto]) -> None:
        """Insert bars that are not there, as old as they are."""
        with self._database.session() as session:
            there = set(session.scalars(select(BarredPhotoRow.mark)))
            for each in photos:
                if each.mark not in there:
                    there.add(each.mark)
                    session.add(
                        BarredPhotoRow(
                            mark=each.mark, group_name=each.group, at=each.at, who=each.who
                        )
                    )

    def lift(self, mark: str) -> bool:
        """Let a photo come back."""
        with self._database.session() as session:
            found: Any = session.execute(delete(BarredPhotoRow).where(BarredPhotoRow.mark == mark))
            return bool(found.rowcount)

    def of_batch(self, batch_id: str) -> Sequence[BarredPhoto]:
        """Return what is barred in a batch's group; one that nobody opened has none."""
        with self._database.session(reading=True) as session:
            if session.scalar(select(BarredPhotoRow.mark).limit(1)) is None:
                return []  # as in most installations: then the batch's group does not matter
            group = groups_of(session, [batch_id]).get(batch_id, "")
            query = select(BarredPhotoRow).where(BarredPhotoRow.group_name == group)
            return [_barred(row) for row in session.scalars(query)]

    def all(self) -> Sequence[BarredPhoto]:
        """Return what is barred anywhere."""
        with self._database.session(reading=True) as session:
            return [_barred(row) for row in session.scalars(select(BarredPhotoRow))]


def _barred(row: BarredPhotoRow) -> BarredPhoto:
    return BarredPhoto(row.group_name, row.mark, row.at, row.who)
