"""Tells whoever keeps a copy of the gallery's embeddings what has changed in it.

Whoever changes faces locks the gallery's state first, until its transaction ends. So versions are
committed in their order, and so are the numbers of new faces: whoever has read all faces up to a
number finds the newer ones above it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from imaginem.sql.schema import FaceRow, GalleryChangeRow, GalleryStateRow
from imaginem.sql.types import portions

KEPT_CHANGES = 10_000
"""So many of the last changes are known one by one; who missed more reads all faces again."""


@dataclass(frozen=True)
class GalleryState:
    """A state of the gallery, of this database or of any other one."""

    version: int
    stamp: uuid.UUID


def note_change(session: Session, removed: Sequence[uuid.UUID] = ()) -> None:
    """Lock the gallery's state and make a new one; SQL Server's gallery has no copies.

    Args:
        session: whose transaction is about to change faces.
        removed: the faces that it removes; they are still there.
    """
    if session.get_bind().dialect.name == "mssql":
        return
    stamp = uuid.uuid4()
    session.execute(
        update(GalleryStateRow).values(version=GalleryStateRow.version + 1, stamp=stamp)
    )
    version = session.scalars(select(GalleryStateRow.version)).one()
    numbers = [0]
    for portion in portions(removed):
        numbers += session.scalars(select(FaceRow.number).where(FaceRow.face_id.in_(portion)))
    rows = [{"version": version, "number": number, "stamp": stamp} for number in numbers]
    session.execute(insert(GalleryChangeRow), rows)
    old = GalleryChangeRow.version <= version - KEPT_CHANGES
    session.execute(delete(GalleryChangeRow).where(old))


def state_of(session: Session) -> GalleryState:
    """Return the gallery's state."""
    row = session.execute(select(GalleryStateRow.version, GalleryStateRow.stamp)).one()
    return GalleryState(row[0], row[1])


def removed_since(session: Session, state: GalleryState) -> list[int] | None:
    """Return the numbers of the faces that were removed since a state.

    None if that is not known: it is too old, or of another database.
    """
    here = select(GalleryChangeRow.stamp).where(
        GalleryChangeRow.version == state.version, GalleryChangeRow.number == 0
    )
    if session.scalar(here) != state.stamp:
        return None
    query = select(GalleryChangeRow.number).where(
        GalleryChangeRow.version > state.version, GalleryChangeRow.number > 0
    )
    return list(session.scalars(query))
