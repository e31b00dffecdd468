"""The face lists of a service that keeps embeddings, their training, and faces to remove."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, exists, false, func, or_, select, update

from imaginem.ports import FaceList
from imaginem.sql.database import Database
from imaginem.sql.schema import AdditionRow, FaceListRow, RemovalRow, ServiceFaceRow, now
from imaginem.sql.types import portions

UNPLACED = {"list_id": "", "persisted_face_id": "", "training": "", "trained": False}
"""Columns of a face that is in no list."""


class SqlFaceLists:
    """The lists of one account; their faces are in `SqlServiceFaces`."""

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account

    def lists(self) -> list[FaceList]:
        """Return the account's lists; one has changed if it has faces that no training covers."""
        untrained = exists().where(
            ServiceFaceRow.list_id == FaceListRow.list_id,
            ServiceFaceRow.persisted_face_id != "",
            ServiceFaceRow.trained == false(),
            or_(ServiceFaceRow.training == "", ServiceFaceRow.training != FaceListRow.training),
        )
        has_faces = exists().where(ServiceFaceRow.list_id == FaceListRow.list_id)
        own = FaceListRow.account == self._account
        with self._database.session(reading=True) as session:
            query = select(FaceListRow).where(own).order_by(FaceListRow.number)
            rows = session.scalars(query).all()
            changed = set(session.scalars(select(FaceListRow.list_id).where(own, untrained)))
            filled = set(session.scalars(select(FaceListRow.list_id).where(own, has_faces)))
        return [
            _list(
                row, changed=row.changed or row.list_id in changed, empty=row.list_id not in filled
            )
            for row in rows
        ]

    def add_list(self, list_id: str, number: int) -> None:
        """Add a list that was made at the service."""
        with self._database.session() as session:
            session.add(FaceListRow(list_id=list_id, account=self._account, number=number))

    def drop_list(self, list_id: str) -> None:
        """Remove a list that the service no longer has; its faces are in no list then."""
        with self._database.session() as session:
            session.execute(
                update(ServiceFaceRow).where(ServiceFaceRow.list_id == list_id).values(**UNPLACED)
            )
            for table in (RemovalRow, AdditionRow, FaceListRow):
                session.execute(delete(table).where(table.list_id == list_id))

    def mark(
        self,
        list_id: str,
        *,
        full: bool | None = None,
        changed: bool | None = None,
        searchable: bool | None = None,
    ) -> None:
        """Set those of a list's flags that are given."""
        flags = {"full": full, "changed": changed, "searchable": searchable}
        self._change(list_id, **{name: value for name, value in flags.items() if value is not None})

    def _change(self, list_id: str, **values: Any) -> None:
        with self._database.session() as session:
            session.execute(
                update(FaceListRow).where(FaceListRow.list_id == list_id).values(**values)
            )

    def cover(self, list_id: str, training: str) -> None:
        """Record that a training covers the faces that are in the list now."""
        with self._database.session() as session:
            session.execute(
                update(ServiceFaceRow)
                .where(
                    ServiceFaceRow.list_id == list_id,
                    ServiceFaceRow.persisted_face_id != "",
                    ServiceFaceRow.trained == false(),
                )
                .values(training=training)
            )

    def begin_training(self, list_id: str, training: str) -> None:
        """Record that a training has begun."""
        self._change(list_id, training=training, training_began=now())

    def end_training(self, list_id: str, training: str, *, succeeded: bool) -> None:
        """Record whether a training succeeded."""
        with self._database.session() as session:
            running = FaceListRow.list_id == list_id, FaceListRow.training == training
            if succeeded:
                session.execute(
                    update(ServiceFaceRow)
                    .where(ServiceFaceRow.list_id == list_id, ServiceFaceRow.training == training)
                    .values(trained=True)
                )
                session.execute(
                    update(FaceListRow).where(*running).values(training="", searchable=True)
                )
            else:
                session.execute(
                    update(FaceListRow).where(*running).values(training="", changed=True)
                )

    def removals(self, list_id: str, limit: int) -> list[str]:
        """Return faces that are still to be removed from a list, the oldest first."""
        query = (
            select(RemovalRow.persisted_face_id)
            .where(RemovalRow.list_id == list_id)
            .order_by(RemovalRow.since)
            .limit(limit)
        )
        with self._database.session(reading=True) as session:
            return list(session.scalars(query))

    def removed(self, list_id: str, persisted_face_ids: Sequence[str]) -> None:
        """Record that faces were removed from a list."""
        with self._database.session() as session:
            for portion in portions(persisted_face_ids):
                session.execute(
                    delete(RemovalRow).where(
                        RemovalRow.list_id == list_id, RemovalRow.persisted_face_id.in_(portion)
                    )
                )

    def stranded(self) -> int:
        """Return how many faces are still to be removed from lists of other accounts."""
        own_lists = select(FaceListRow.list_id).where(FaceListRow.account == self._account)
        query = select(func.count()).where(RemovalRow.list_id.not_in(own_lists))
        with self._database.session(reading=True) as session:
            return int(session.scalar(query) or 0)


def _list(row: FaceListRow, *, changed: bool, empty: bool) -> FaceList:
    return FaceList(
        list_id=row.list_id,
        number=row.number,
        full=row.full,
        changed=changed,
        training=row.training,
        training_began=row.training_began,
        searchable=row.searchable,
        empty=empty,
    )
