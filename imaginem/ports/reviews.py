"""People's decisions on two faces that look alike."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

FacePair = tuple[uuid.UUID, uuid.UUID]


@dataclass(frozen=True)
class Review:
    """A person's decision on two faces.

    Attributes:
        decision: `confirmed` or `rejected`.
        reviewer: who decided.
    """

    decision: str
    reviewer: str
    at: datetime


class Reviews(Protocol):
    """Decisions on pairs of the gallery's faces; removed as soon as one of the faces is."""

    def review(self, pair: FacePair, decision: str, reviewer: str) -> None:
        """Store a decision in place of an earlier one; an empty decision removes it.

        Raises:
            NotFound: one of the faces is not in the gallery.
        """

    def decisions(self, face_ids: Sequence[uuid.UUID]) -> dict[FacePair, Review]:
        """Return the decisions on these faces, by pair, seen from either side."""
