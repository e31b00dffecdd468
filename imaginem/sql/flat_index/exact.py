"""Compares candidates of a search exactly, with what the database has of them now."""

import math
import uuid
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from imaginem.ports import (
    InPhoto,
    JobKey,
    Neighbor,
    Seen,
    best_of_each_group,
    in_photo,
)
from imaginem.sql.batches import all_groups, groups_of
from imaginem.sql.embeddings import IN_PHOTO
from imaginem.sql.flat_index.codes import Floats
from imaginem.sql.probe import Probe
from imaginem.sql.schema import FaceRow
from imaginem.sql.types import portions

_FEW = 100
"""Candidates whose embeddings are all read; of more, those that may be among the best only."""
_ERROR = 0.03
"""More than two estimates can be wrong by, in opposite directions."""


@dataclass(frozen=True)
class _Compared:
    """A candidate and its cosine; `place` is its photo's SHA-256, and its rectangle there."""

    number: int
    face_id: uuid.UUID
    job: JobKey
    quality: float
    place: tuple[Any, ...]
    similarity: float

    @property
    def in_photo(self) -> InPhoto:
        """What is the same of it in every copy of its photo."""
        photo, left, top, width, height = self.place
        return in_photo(self.face_id, photo, (left, top, width, height))


def nearest_exactly(
    session: Session, probe: Probe, numbers: NDArray[np.int64], estimates: Floats
) -> list[Neighbor]:
    """Return those candidates that are nearest, by their exact cosines.

    Args:
        session: candidates that are not in its database are left out.
        probe: what is searched for.
        numbers: of the candidates' rows in `face`.
        estimates: their similarities, wrong by `_ERROR / 2` at most.
    """
    if len(numbers) > _FEW:
        numbers = _best_by_estimate(session, probe, numbers, estimates)
    compared = [
        each
        for each in _compare(session, probe, numbers.tolist())
        if each.job != probe.exclude_job and each.similarity >= probe.min_similarity
    ]
    compared.sort(key=lambda each: (-each.similarity, each.number))

    def seen(some: Sequence[_Compared]) -> list[Seen]:
        groups = groups_of(session, {each.job[0] for each in some})
        return [Seen(groups.get(each.job[0], ""), each.in_photo) for each in some]

    return [
        Neighbor(each.face_id, each.similarity, each.quality)
        for each in best_of_each_group(compared, probe.limit, seen)
    ]


def _compare(session: Session, probe: Probe, numbers: Sequence[int]) -> list[_Compared]:
    """Read faces, and compare their embeddings."""
    query = select(
        FaceRow.number,
        FaceRow.face_id,
        FaceRow.batch_id,
        FaceRow.job_id,
        FaceRow.quality,
        FaceRow.embedding,
        *IN_PHOTO,
    ).where(FaceRow.model == probe.model, FaceRow.embedding.is_not(None))
    rows = [
        row
        for portion in portions(numbers)
        for row in session.execute(query.where(FaceRow.number.in_(portion)))
    ]
    if not rows:
        return []
    embeddings = np.array([np.frombuffer(row[5] or b"", np.float32) for row in rows])
    similar = (embeddings @ np.frombuffer(probe.embedding, np.float32)).tolist()
    return [
        _Compared(number, face_id, (batch_id, job_id), quality, (photo, *box), similarity)
        for (number, face_id, batch_id, job_id, quality, _, photo, *box), similarity in zip(
            rows, similar, strict=True
        )
    ]


def _best_by_estimate(
    session: Session, probe: Probe, numbers: NDArray[np.int64], estimates: Floats
) -> NDArray[np.int64]:
    """Return the candidates that may be among the best of their group."""
    order = np.argsort(-estimates)
    # The best estimate of each file; they fall, since dictionaries keep their order.
    best: dict[str, dict[Hashable, float]] = {group: {} for group in all_groups(session)}
    ranked: list[tuple[str, float, int]] = []
    for portion in portions(order.tolist()):
        owners = _owners(session, numbers[portion].tolist())
        groups = groups_of(session, {job[0] for job, _ in owners.values()})
        for number, estimate in zip(
            numbers[portion].tolist(), estimates[portion].tolist(), strict=True
        ):
            job, file = owners.get(number, (None, None))
            if job is not None and file is not None and job != probe.exclude_job:
                group = groups.get(job[0], "")
                best.setdefault(group, {}).setdefault(file, estimate)
                ranked.append((group, estimate, number))
        if float(estimates[portion[-1]]) < min(_least(each, probe.limit) for each in best.values()):
            break  # of every group the best have been seen
    least = {group: _least(each, probe.limit) for group, each in best.items()}
    kept = [number for group, estimate, number in ranked if estimate >= least[group]]
    return np.array(kept, np.int64)


def _least(best: Mapping[Hashable, float], limit: int) -> float:
    """Return the estimate under which nothing is among the best; estimates fall."""
    return list(best.values())[limit - 1] - _ERROR if len(best) >= limit else -math.inf


def _owners(session: Session, numbers: Sequence[int]) -> Mapping[int, tuple[JobKey, Hashable]]:
    """Return the job of each face, and what is the same of all faces of its file."""
    query = select(FaceRow.number, FaceRow.batch_id, FaceRow.job_id, FaceRow.photo_sha256)
    return {  # ids are not read: making them takes longer than all the rest
        number: ((batch_id, job_id), photo or number)
        for portion in portions(numbers)
        for number, batch_id, job_id, photo in session.execute(
            query.where(FaceRow.number.in_(portion))
        )
    }
