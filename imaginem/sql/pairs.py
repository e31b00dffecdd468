"""Pairs of faces that look alike, many in few statements."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from imaginem.outputs import FaceMatch
from imaginem.sql.removal import lock_faces
from imaginem.sql.schema import FaceMatchRow, now
from imaginem.sql.types import portions

_Pair = tuple[uuid.UUID, uuid.UUID]


def store_pairs(session: Session, matches: Sequence[FaceMatch]) -> None:
    """Store pairs from both sides, without faces that were erased meanwhile.

    All faces are locked, so of two transactions with the same pair one waits; both rows of a pair
    are always written together, so that looking for one of them is enough.

    Args:
        session: in whose transaction.
        matches: the pairs; of one that is given twice the last one counts.
    """
    pairs: dict[_Pair, FaceMatch] = {}
    for match in matches:
        pairs.pop((match.matched_face_id, match.face_id), None)
        pairs[match.face_id, match.matched_face_id] = match
    faces = {face_id for pair in pairs for face_id in pair}
    known = lock_faces(session, list(faces), alone=True)
    wanted = {pair: _values(match) for pair, match in pairs.items() if known.issuperset(pair)}
    stored = _stored(session, list(wanted))
    changed = {p: v for p, v in wanted.items() if p in stored and stored[p] != v}
    if changed:
        session.execute(update(FaceMatchRow), _rows(changed))
    added = {pair: values for pair, values in wanted.items() if pair not in stored}
    if added:
        found = now()
        session.execute(insert(FaceMatchRow), [{**row, "found": found} for row in _rows(added)])


def _values(match: FaceMatch) -> dict[str, Any]:
    return {"confidence": match.confidence, "band": match.band}


def _stored(session: Session, pairs: Sequence[_Pair]) -> dict[_Pair, dict[str, Any]]:
    others = defaultdict(list)
    for one, other in pairs:
        others[one].append(other)
    return {
        (row.face_id, row.matched_face_id): {"confidence": row.confidence, "band": row.band}
        for one, many in others.items()
        for portion in portions(many)
        for row in session.execute(
            select(
                FaceMatchRow.face_id,
                FaceMatchRow.matched_face_id,
                FaceMatchRow.confidence,
                FaceMatchRow.band,
            ).where(FaceMatchRow.face_id == one, FaceMatchRow.matched_face_id.in_(portion))
        )
    }


def _rows(pairs: Mapping[_Pair, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return both rows of each pair."""
    return [
        {"face_id": one, "matched_face_id": other, **values}
        for pair, values in pairs.items()
        for one, other in (pair, pair[::-1])
    ]
