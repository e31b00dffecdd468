"""Batches in SQL."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from imaginem.results.schema import PhotoBatch


def note_batch(session: Session, batch_id: str, group: str = "") -> PhotoBatch:
    """Return a batch's row, made if need be; whoever makes it says whose it is."""
    row = session.get(PhotoBatch, batch_id)
    if row is not None:
        row.erased = False
        return row
    try:
        with session.begin_nested():
            made = PhotoBatch(batch_id=batch_id, group_name=group)
            session.add(made)
            session.flush()
            return made
    except IntegrityError:  # somebody was quicker
        return session.get_one(PhotoBatch, batch_id)
