"""Faces that go: locked here first, and to be removed at the service that keeps their prints."""

import uuid
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from imaginem.sql.schema import FaceRow, RemovalRow, ServiceFaceRow, now
from imaginem.sql.types import portions
from imaginem.sql.upsert import upsert

LOCK = "WITH (UPDLOCK, HOLDLOCK)"  # T-SQL's way; others write FOR UPDATE


def hold_faces(
    session: Session, ids: Sequence[uuid.UUID], *, to_remove: bool = False
) -> set[uuid.UUID]:
    """Return which faces are here; none of them goes before the transaction ends.

    Whoever writes faces or pairs comes here first, and in one order: so nobody waits for
    somebody who waits for him.
    """
    query = (
        select(FaceRow.face_id)
        .order_by(FaceRow.face_id)
        .with_for_update(read=not to_remove)
        .with_hint(FaceRow, LOCK, "mssql")
    )
    return {
        face_id
        for some in portions(sorted(ids))
        for face_id in session.scalars(query.where(FaceRow.face_id.in_(some)))
    }


def give_up(session: Session, face_id: uuid.UUID, but: str) -> None:
    """Queue what a face was called in a list, unless that is its name now, for removal."""
    query = (
        select(ServiceFaceRow.list_id, ServiceFaceRow.persisted_face_id)
        .where(ServiceFaceRow.face_id == face_id, ServiceFaceRow.persisted_face_id != "")
        .with_for_update()
        .with_hint(ServiceFaceRow, LOCK, "mssql")
    )
    for list_id, name in session.execute(query).all():
        if name != but:
            queue_removal(session, list_id, name)


def queue_removal(session: Session, list_id: str, persisted_face_id: str) -> None:
    """Queue a face of a list for removal by the timer."""
    place = {"list_id": list_id, "persisted_face_id": persisted_face_id}
    upsert(session, RemovalRow, place, {"since": now()})


def forget_at_azure(session: Session, face_ids: Sequence[uuid.UUID]) -> None:
    """Note, in the transaction that removes faces here, that the service must forget them too.

    A face that is being added at this moment is seen to by whoever adds it, or by the sweep.
    """
    for some in portions(face_ids):
        query = (
            select(ServiceFaceRow.list_id, ServiceFaceRow.persisted_face_id)
            .where(ServiceFaceRow.face_id.in_(some), ServiceFaceRow.persisted_face_id != "")
            .with_for_update()
            .with_hint(ServiceFaceRow, LOCK, "mssql")
        )
        for list_id, name in session.execute(query).all():
            queue_removal(session, list_id, name)
        session.execute(delete(ServiceFaceRow).where(ServiceFaceRow.face_id.in_(some)))
