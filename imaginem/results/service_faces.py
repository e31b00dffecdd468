"""Which face is called what by the service that keeps its print."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, false, or_, select, update
from sqlalchemy.orm import Session

from imaginem.ports import FaceList, ServiceFace
from imaginem.results.database import Database
from imaginem.results.schema import FaceListRow, RemovalRow, ServiceFaceRow, now
from imaginem.results.types import portions
from imaginem.results.upsert import upsert


class SqlServiceFaces:
    """Names of faces at a service, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, ServiceFace]:
        """Return what is known of faces."""
        with self._database.session(reading=True) as session:
            return {row.face_id: _face(row) for row in _rows(session, face_ids)}

    def note(self, faces: Mapping[uuid.UUID, tuple[str, datetime]]) -> None:
        """Keep the service's ids of faces."""
        with self._database.session() as session:
            held = {row.face_id: row for row in _rows(session, list(faces))}
            for face_id, (name, lapses) in faces.items():
                row = held.get(face_id)
                if row is None:
                    row = _new(face_id)
                    session.add(row)
                row.service_face_id, row.lapses = name, lapses

    def lapsed(self, service_face_ids: Sequence[str]) -> None:
        """Forget ids that the service knows no more."""
        with self._database.session() as session:
            for some in portions(service_face_ids):
                session.execute(
                    update(ServiceFaceRow)
                    .where(ServiceFaceRow.service_face_id.in_(some))
                    .values(service_face_id="", lapses=None)
                )

    def adding(self, face_id: uuid.UUID, list_id: str) -> None:
        """Note that a face is added to a list."""
        self._place(face_id, list_id, "")

    def added(self, face_id: uuid.UUID, list_id: str, persisted_face_id: str) -> None:
        """Note what it is called there."""
        self._place(face_id, list_id, persisted_face_id)

    def _place(self, face_id: uuid.UUID, list_id: str, persisted_face_id: str) -> None:
        with self._database.session() as session:
            row = session.get(ServiceFaceRow, face_id)
            if row is None:
                row = _new(face_id)
                session.add(row)
            row.list_id, row.persisted_face_id = list_id, persisted_face_id
            row.training, row.trained = "", False

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

    def lists(self) -> list[FaceList]:
        """Return the lists; one has changed if it holds faces that no training covers."""
        waiting = exists().where(
            ServiceFaceRow.list_id == FaceListRow.list_id,
            ServiceFaceRow.persisted_face_id != "",
            ServiceFaceRow.trained == false(),
            or_(ServiceFaceRow.training == "", ServiceFaceRow.training != FaceListRow.training),
        )
        with self._database.session(reading=True) as session:
            rows = session.scalars(select(FaceListRow).order_by(FaceListRow.number)).all()
            changed = set(session.scalars(select(FaceListRow.list_id).where(waiting)))
        return [_list(row, changed=row.changed or row.list_id in changed) for row in rows]

    def put_list(self, face_list: FaceList) -> None:
        """Make or change a list."""
        with self._database.session() as session:
            told = dict(vars(face_list))
            upsert(session, FaceListRow, {"list_id": told.pop("list_id")}, told)

    def begin_training(self, list_id: str, training: str) -> None:
        """Note which faces a training that begins now will cover."""
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

    def end_training(self, list_id: str, training: str) -> None:
        """Note that a training has succeeded."""
        with self._database.session() as session:
            session.execute(
                update(ServiceFaceRow)
                .where(ServiceFaceRow.list_id == list_id, ServiceFaceRow.training == training)
                .values(trained=True)
            )
            session.execute(
                update(FaceListRow)
                .where(FaceListRow.list_id == list_id)
                .values(training="", searchable=True)
            )

    def removals(self, list_id: str, most: int) -> list[str]:
        """Return faces that must go there."""
        query = (
            select(RemovalRow.persisted_face_id)
            .where(RemovalRow.list_id == list_id)
            .order_by(RemovalRow.since)
            .limit(most)
        )
        with self._database.session(reading=True) as session:
            return list(session.scalars(query))

    def removed(self, list_id: str, persisted_face_ids: Sequence[str]) -> None:
        """Note that they are gone there."""
        with self._database.session() as session:
            for some in portions(persisted_face_ids):
                session.execute(
                    delete(RemovalRow).where(
                        RemovalRow.list_id == list_id, RemovalRow.persisted_face_id.in_(some)
                    )
                )


def forget_there(session: Session, face_ids: Sequence[uuid.UUID]) -> None:
    """Note, in the transaction that removes faces here, that the service must forget them too."""
    for row in _rows(session, face_ids):
        if row.persisted_face_id:
            place = {"list_id": row.list_id, "persisted_face_id": row.persisted_face_id}
            upsert(session, RemovalRow, place, {"since": now()})
        elif row.list_id:  # the service may have it under a name that we never learnt
            session.execute(
                update(FaceListRow).where(FaceListRow.list_id == row.list_id).values(uncertain=True)
            )
        session.delete(row)
    session.flush()


def _rows(session: Session, ids: Sequence[uuid.UUID]) -> Iterable[ServiceFaceRow]:
    return [
        row
        for some in portions(ids)
        for row in session.scalars(select(ServiceFaceRow).where(ServiceFaceRow.face_id.in_(some)))
    ]


def _new(face_id: uuid.UUID) -> ServiceFaceRow:
    return ServiceFaceRow(
        face_id=face_id,
        service_face_id="",
        lapses=None,
        list_id="",
        persisted_face_id="",
        training="",
        trained=False,
    )


def _face(row: ServiceFaceRow) -> ServiceFace:
    return ServiceFace(
        face_id=row.face_id,
        service_face_id=row.service_face_id,
        lapses=row.lapses,
        list_id=row.list_id,
        persisted_face_id=row.persisted_face_id,
    )


def _list(row: FaceListRow, *, changed: bool) -> FaceList:
    return FaceList(
        list_id=row.list_id,
        number=row.number,
        full=row.full,
        changed=changed,
        training=row.training,
        searchable=row.searchable,
        uncertain=row.uncertain,
    )
