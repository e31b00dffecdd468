"""Which face is called what by the service that keeps its print.

Every write is one narrow statement, or one transaction around a locked row: enrolling jobs,
erasures and the timer are at work at once.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, false, select, update
from sqlalchemy.orm import Session

from imaginem.ports import ServiceFace
from imaginem.sql.face_lists import UNPLACED, SqlFaceLists
from imaginem.sql.removal import LOCK, give_up, queue_removal
from imaginem.sql.schema import AdditionRow, FaceRow, ServiceFaceRow
from imaginem.sql.types import portions
from imaginem.sql.upsert import upsert


class SqlServiceFaces(SqlFaceLists):
    """Names of faces at a service, in SQL.

    Args:
        database: where.
        account: address of the Face account in use; lists of others are left alone.
    """

    def read(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, ServiceFace]:
        """Return what is known of faces."""
        with self._database.session(reading=True) as session:
            return {row.face_id: _face(row) for row in _rows(session, face_ids)}

    def note(self, faces: Mapping[uuid.UUID, tuple[str, datetime]]) -> None:
        """Keep the service's ids of faces that are in the gallery."""
        with self._database.session() as session:
            for face_id, (name, lapses) in sorted(faces.items()):
                if _is_here(session, face_id):
                    told = {"service_face_id": name, "lapses": lapses}
                    upsert(session, ServiceFaceRow, {"face_id": face_id}, told, **UNPLACED)

    def lapsed(self, service_face_ids: Sequence[str]) -> None:
        """Forget ids that the service knows no more."""
        with self._database.session() as session:
            for some in portions(service_face_ids):
                session.execute(
                    update(ServiceFaceRow)
                    .where(ServiceFaceRow.service_face_id.in_(some))
                    .values(service_face_id="", lapses=None)
                )

    def adding(self, face_id: uuid.UUID, list_id: str) -> uuid.UUID | None:
        """Note that a face is added to a list; None if it is erased."""
        addition = uuid.uuid4()
        with self._database.session() as session:
            if not _is_here(session, face_id):
                return None
            session.add(AdditionRow(addition=addition, face_id=face_id, list_id=list_id))
        return addition

    def added(
        self, addition: uuid.UUID, face_id: uuid.UUID, list_id: str, persisted_face_id: str
    ) -> None:
        """Note what it is called there; if it was erased meanwhile, that it must go again."""
        with self._database.session() as session:
            if _is_here(session, face_id):
                give_up(session, face_id, persisted_face_id)
                told = {**UNPLACED, "list_id": list_id, "persisted_face_id": persisted_face_id}
                fresh = {"service_face_id": "", "lapses": None}
                upsert(session, ServiceFaceRow, {"face_id": face_id}, told, **fresh)
            else:
                queue_removal(session, list_id, persisted_face_id)
            session.execute(delete(AdditionRow).where(AdditionRow.addition == addition))

    def not_added(self, addition: uuid.UUID) -> None:
        """Note that the list has nothing of it."""
        with self._database.session() as session:
            session.execute(delete(AdditionRow).where(AdditionRow.addition == addition))

    def under_way(self, list_id: str, since: datetime) -> set[uuid.UUID]:
        """Return faces that are being added."""
        query = select(AdditionRow.face_id).where(
            AdditionRow.list_id == list_id, AdditionRow.since >= since
        )
        with self._database.session(reading=True) as session:
            return set(session.scalars(query))

    def cut_short(self, list_id: str, before: datetime) -> bool:
        """Tell whether an addition was never concluded."""
        query = select(AdditionRow.addition).where(*_cut_short(list_id, before)).limit(1)
        with self._database.session(reading=True) as session:
            return session.scalar(query) is not None

    def swept(self, list_id: str, before: datetime) -> None:
        """Forget additions that were cut short."""
        with self._database.session() as session:
            session.execute(delete(AdditionRow).where(*_cut_short(list_id, before)))

    def fresh(self, now: datetime) -> dict[str, uuid.UUID]:
        """Return faces that live and that no trained list covers."""
        query = select(ServiceFaceRow.service_face_id, ServiceFaceRow.face_id).where(
            ServiceFaceRow.trained == false(),
            ServiceFaceRow.lapses > now,
            ServiceFaceRow.service_face_id != "",
        )
        with self._database.session(reading=True) as session:
            return {row[0]: row[1] for row in session.execute(query)}

    def owners(self, list_id: str, persisted: Sequence[str]) -> dict[str, uuid.UUID]:
        """Return which faces these are."""
        with self._database.session(reading=True) as session:
            return {
                row[0]: row[1]
                for some in portions(persisted)
                for row in session.execute(
                    select(ServiceFaceRow.persisted_face_id, ServiceFaceRow.face_id).where(
                        ServiceFaceRow.list_id == list_id,
                        ServiceFaceRow.persisted_face_id.in_(some),
                    )
                )
            }


def _cut_short(list_id: str, before: datetime) -> tuple[Any, Any]:
    return AdditionRow.list_id == list_id, AdditionRow.since < before


def _is_here(session: Session, face_id: uuid.UUID) -> bool:
    """Tell whether a face is in the gallery; it stays there until the transaction ends."""
    query = (
        select(FaceRow.number)
        .where(FaceRow.face_id == face_id)
        .with_for_update(read=True)
        .with_hint(FaceRow, LOCK, "mssql")
    )
    return session.scalar(query) is not None


def _rows(session: Session, ids: Sequence[uuid.UUID]) -> Iterable[ServiceFaceRow]:
    return [
        row
        for some in portions(ids)
        for row in session.scalars(select(ServiceFaceRow).where(ServiceFaceRow.face_id.in_(some)))
    ]


def _face(row: ServiceFaceRow) -> ServiceFace:
    return ServiceFace(
        face_id=row.face_id,
        service_face_id=row.service_face_id,
        lapses=row.lapses,
        list_id=row.list_id,
        persisted_face_id=row.persisted_face_id,
    )
