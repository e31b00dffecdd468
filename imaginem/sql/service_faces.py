"""The ids that faces have at the service that keeps their embeddings.

Every write is one narrow statement, or one transaction around a locked row, because enrolling
jobs, erasures and the timer write at the same time.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, false, select, update
from sqlalchemy.orm import Session

from imaginem.ports import ServiceFace
from imaginem.sql.face_lists import UNPLACED, SqlFaceLists
from imaginem.sql.removal import LOCK, queue_removal, queue_replaced
from imaginem.sql.schema import AdditionRow, FaceRow, ServiceFaceRow
from imaginem.sql.types import portions
from imaginem.sql.upsert import upsert


class SqlServiceFaces(SqlFaceLists):
    """Ids of faces at a service, in SQL.

    Args:
        database: where they are kept.
        account: address of the Face account in use; lists of other accounts are left alone.
    """

    def read(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, ServiceFace]:
        """Return the ids of faces."""
        with self._database.session(reading=True) as session:
            return {row.face_id: _face(row) for row in _rows(session, face_ids)}

    def note(self, faces: Mapping[uuid.UUID, tuple[str, datetime]]) -> None:
        """Store the service's ids of faces that are in the gallery."""
        with self._database.session() as session:
            for face_id, (name, lapses) in sorted(faces.items()):
                if _lock_face(session, face_id):
                    values = {"service_face_id": name, "lapses": lapses}
                    upsert(session, ServiceFaceRow, {"face_id": face_id}, values, **UNPLACED)

    def lapsed(self, service_face_ids: Sequence[str]) -> None:
        """Remove ids that have expired at the service."""
        with self._database.session() as session:
            for portion in portions(service_face_ids):
                session.execute(
                    update(ServiceFaceRow)
                    .where(ServiceFaceRow.service_face_id.in_(portion))
                    .values(service_face_id="", lapses=None)
                )

    def adding(self, face_id: uuid.UUID, list_id: str) -> uuid.UUID | None:
        """Record that a face is about to be added to a list; None if it is erased."""
        addition = uuid.uuid4()
        with self._database.session() as session:
            if not _lock_face(session, face_id):
                return None
            session.add(AdditionRow(addition=addition, face_id=face_id, list_id=list_id))
        return addition

    def added(
        self, addition: uuid.UUID, face_id: uuid.UUID, list_id: str, persisted_face_id: str
    ) -> None:
        """Store the face's id in the list; queue its removal if it was erased meanwhile."""
        with self._database.session() as session:
            if _lock_face(session, face_id):
                queue_replaced(session, face_id, persisted_face_id)
                entry = {**UNPLACED, "list_id": list_id, "persisted_face_id": persisted_face_id}
                no_id = {"service_face_id": "", "lapses": None}
                upsert(session, ServiceFaceRow, {"face_id": face_id}, entry, **no_id)
            else:
                queue_removal(session, list_id, persisted_face_id)
            session.execute(delete(AdditionRow).where(AdditionRow.addition == addition))

    def not_added(self, addition: uuid.UUID) -> None:
        """Remove the record of an addition that the service refused."""
        with self._database.session() as session:
            session.execute(delete(AdditionRow).where(AdditionRow.addition == addition))

    def under_way(self, list_id: str, since: datetime) -> set[uuid.UUID]:
        """Return faces that are being added to a list."""
        query = select(AdditionRow.face_id).where(
            AdditionRow.list_id == list_id, AdditionRow.since >= since
        )
        with self._database.session(reading=True) as session:
            return set(session.scalars(query))

    def cut_short(self, list_id: str, before: datetime) -> bool:
        """Tell whether an addition was never completed."""
        query = select(AdditionRow.addition).where(*_cut_short(list_id, before)).limit(1)
        with self._database.session(reading=True) as session:
            return session.scalar(query) is not None

    def swept(self, list_id: str, before: datetime) -> None:
        """Remove the records of interrupted additions."""
        with self._database.session() as session:
            session.execute(delete(AdditionRow).where(*_cut_short(list_id, before)))

    def fresh(self, now: datetime) -> dict[str, uuid.UUID]:
        """Return faces that have an unexpired id and are in no trained list."""
        query = select(ServiceFaceRow.service_face_id, ServiceFaceRow.face_id).where(
            ServiceFaceRow.trained == false(),
            ServiceFaceRow.lapses > now,
            ServiceFaceRow.service_face_id != "",
        )
        with self._database.session(reading=True) as session:
            return {row[0]: row[1] for row in session.execute(query)}

    def owners(self, list_id: str, persisted: Sequence[str]) -> dict[str, uuid.UUID]:
        """Return the faces that have these ids in a list."""
        with self._database.session(reading=True) as session:
            return {
                row[0]: row[1]
                for portion in portions(persisted)
                for row in session.execute(
                    select(ServiceFaceRow.persisted_face_id, ServiceFaceRow.face_id).where(
                        ServiceFaceRow.list_id == list_id,
                        ServiceFaceRow.persisted_face_id.in_(portion),
                    )
                )
            }


def _cut_short(list_id: str, before: datetime) -> tuple[Any, Any]:
    return AdditionRow.list_id == list_id, AdditionRow.since < before


def _lock_face(session: Session, face_id: uuid.UUID) -> bool:
    """Lock a face in the gallery until the transaction ends; False if it is not there."""
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
        for portion in portions(ids)
        for row in session.scalars(
            select(ServiceFaceRow).where(ServiceFaceRow.face_id.in_(portion))
        )
    ]


def _face(row: ServiceFaceRow) -> ServiceFace:
    return ServiceFace(
        face_id=row.face_id,
        service_face_id=row.service_face_id,
        lapses=row.lapses,
        list_id=row.list_id,
        persisted_face_id=row.persisted_face_id,
    )
