"""Removing faces: they are locked first, and their removal at the service is queued."""

import uuid
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from imaginem.sql.schema import FaceRow, RemovalRow, ServiceFaceRow, now
from imaginem.sql.types import portions
from imaginem.sql.upsert import upsert

LOCK = "WITH (UPDLOCK, HOLDLOCK)"  # T-SQL's way; others write FOR UPDATE


def lock_faces(
    session: Session, ids: Sequence[uuid.UUID], *, alone: bool = False
) -> set[uuid.UUID]:
    """Lock faces until the transaction ends; return those that exist.

    Whoever writes faces or pairs locks the faces first, always in the same order, so that no
    two transactions wait for each other.
    """
    query = (
        select(FaceRow.face_id)
        .order_by(FaceRow.face_id)
        .with_for_update(read=not alone)
        .with_hint(FaceRow, LOCK, "mssql")
    )
    return {
        face_id
        for portion in portions(sorted(ids))
        for face_id in session.scalars(query.where(FaceRow.face_id.in_(portion)))
    }


def queue_replaced(session: Session, face_id: uuid.UUID, new_name: str) -> None:
    """Queue a face's earlier entry in a list for removal, unless it has the new name."""
    query = (
        select(ServiceFaceRow.list_id, ServiceFaceRow.persisted_face_id)
        .where(ServiceFaceRow.face_id == face_id, ServiceFaceRow.persisted_face_id != "")
        .with_for_update()
        .with_hint(ServiceFaceRow, LOCK, "mssql")
    )
    for list_id, name in session.execute(query).all():
        if name != new_name:
            queue_removal(session, list_id, name)


def queue_removal(session: Session, list_id: str, persisted_face_id: str) -> None:
    """Queue a face of a list for removal by the timer."""
    place = {"list_id": list_id, "persisted_face_id": persisted_face_id}
    upsert(session, RemovalRow, place, {"since": now()})


def forget_at_azure(session: Session, face_ids: Sequence[uuid.UUID]) -> None:
    """Queue faces for removal at the service, in the transaction that removes them here.

    A face that is being added to a list at this moment is queued once that is done, or removed
    by the sweep.
    """
    for portion in portions(face_ids):
        query = (
            select(ServiceFaceRow.list_id, ServiceFaceRow.persisted_face_id)
            .where(ServiceFaceRow.face_id.in_(portion), ServiceFaceRow.persisted_face_id != "")
            .with_for_update()
            .with_hint(ServiceFaceRow, LOCK, "mssql")
        )
        for list_id, name in session.execute(query).all():
            queue_removal(session, list_id, name)
        session.execute(delete(ServiceFaceRow).where(ServiceFaceRow.face_id.in_(portion)))
