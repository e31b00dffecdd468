"""What people decide of two faces, in SQL."""

import uuid
from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from imaginem.errors import NotFound
from imaginem.ports import FacePair, Review
from imaginem.sql.database import Database
from imaginem.sql.removal import lock_faces
from imaginem.sql.schema import ReviewRow, now
from imaginem.sql.types import portions
from imaginem.sql.upsert import upsert

_REVIEWER_LIMIT = 200  # characters of the column


class SqlReviews:
    """Decisions on pairs of faces; the gallery removes them with their faces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def review(self, pair: FacePair, decision: str, reviewer: str) -> None:
        """Store a decision, or remove one."""
        one, other = sorted(pair)
        with self._database.session() as session:
            if lock_faces(session, pair) != set(pair):
                raise NotFound("one of the faces is not in the gallery any more")
            if decision:
                row = {"decision": decision, "reviewer": reviewer[:_REVIEWER_LIMIT], "at": now()}
                upsert(session, ReviewRow, {"face_id": one, "other_face_id": other}, row)
            else:
                pair_row = ReviewRow.face_id == one, ReviewRow.other_face_id == other
                session.execute(delete(ReviewRow).where(*pair_row))

    def decisions(self, face_ids: Sequence[uuid.UUID]) -> dict[FacePair, Review]:
        """Return the decisions on these faces."""
        reviews: dict[FacePair, Review] = {}
        with self._database.session(reading=True) as session:
            for portion in portions(face_ids):
                for row in session.scalars(select(ReviewRow).where(_on_any(portion))):
                    review = Review(row.decision, row.reviewer, row.at)
                    reviews[row.face_id, row.other_face_id] = review
                    reviews[row.other_face_id, row.face_id] = review
        return reviews


def remove_reviews(session: Session, face_ids: Sequence[uuid.UUID]) -> None:
    """Remove the decisions on faces, in the transaction that removes the faces."""
    for portion in portions(face_ids):
        session.execute(delete(ReviewRow).where(_on_any(portion)))


def _on_any(face_ids: Sequence[uuid.UUID]) -> ColumnElement[bool]:
    """Return the condition that a decision is on one of these faces."""
    return or_(ReviewRow.face_id.in_(face_ids), ReviewRow.other_face_id.in_(face_ids))
