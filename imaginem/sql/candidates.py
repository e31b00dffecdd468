"""Exact answers from faces that a server says are about the nearest."""

import math
import uuid
from array import array
from collections.abc import Callable, Sequence
from operator import mul

from sqlalchemy.orm import Session

from imaginem.ports import Neighbor, Seen, best_of_each_group
from imaginem.sql.batches import groups_of
from imaginem.sql.embeddings import row_in_photo
from imaginem.sql.face_rows import rows_of
from imaginem.sql.probe import Probe
from imaginem.sql.schema import FaceRow

Candidate = tuple[uuid.UUID, float]
"""A face, and about its cosine similarity."""

Search = Callable[[Session, str, bytes, int], Sequence[Candidate]]
"""Takes a model, an embedding of it and a number; returns so many candidates, best first."""

_ROUNDING = 0.005
"""By how much a cosine of half-precision vectors may differ from that of float32: each of the two
is rounded to 11 bits, by at most 2⁻¹¹ of its length."""

_FEWEST, _MOST = 200, 20_000  # candidates that are asked for at first, and at last


def best_candidates(
    search: Search,
    session: Session,
    probe: Probe,
) -> list[Neighbor]:
    """Return the faces that are similar to one, best first.

    Args:
        search: returns candidates.
        session: in which to read.
        probe: what is searched for.
    """
    wanted, enough = _FEWEST, probe.min_similarity - _ROUNDING
    while True:
        candidates = search(session, probe.model, probe.embedding, wanted)
        all_seen = len(candidates) < wanted or wanted >= _MOST
        if all_seen or candidates[-1][1] < enough:
            break
        wanted *= 4
    ids = [face_id for face_id, near in candidates if near >= enough]
    found = sorted(
        (
            (similarity, row)
            for row in rows_of(session, ids, with_embeddings=True)
            if (similarity := _cosine(row.embedding or b"", probe.embedding))
            >= probe.min_similarity
            and (row.batch_id, row.job_id) != probe.exclude_job
        ),
        key=lambda each: (-each[0], each[1].number),
    )

    def seen(these: Sequence[tuple[float, FaceRow]]) -> list[Seen]:
        groups = groups_of(session, {row.batch_id for _, row in these})
        return [Seen(groups.get(row.batch_id, ""), row_in_photo(row)) for _, row in these]

    return [
        Neighbor(row.face_id, similarity, row.quality)
        for similarity, row in best_of_each_group(found, probe.limit, seen)
    ]


def _cosine(one: bytes, other: bytes) -> float:
    return math.fsum(map(mul, array("f", one), array("f", other)))  # numpy need not be there
