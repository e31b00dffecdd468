"""Exact search by a matrix in memory."""

import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from imaginem.ports import InPhoto, JobKey, Neighbor, Seen, best_of_each_group
from imaginem.sql.batches import groups_of
from imaginem.sql.changes import GalleryState, removed_since, state_of
from imaginem.sql.database import Database
from imaginem.sql.embeddings import StoredEmbedding, read_after
from imaginem.sql.probe import Kind, Probe


@dataclass(frozen=True)
class _Matrix:
    """The embeddings of one kind, as rows."""

    rows: NDArray[np.float32]
    ids: list[uuid.UUID]
    jobs: list[JobKey]
    qualities: list[float]
    in_photos: list[InPhoto]
    numbers: list[int]
    state: GalleryState


class TooMany(Exception):
    """A kind has more faces than a matrix may."""


class MatrixSearch:
    """Compares with every embedding of a kind; the matrices in use stay in memory.

    Each search first asks the database whether its matrix is up to date.

    Args:
        database: has the embeddings.
        most: faces of a kind.
    """

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        self._matrices: dict[Kind, _Matrix] = {}
        self._lock = threading.Lock()

    def forget_removed(self) -> None:
        """Bring the matrices up to date, without the rows of removed faces."""
        for kind in list(self._matrices):
            with suppress(TooMany), self._database.session(reading=True) as session:
                self._matrix(session, kind)

    def nearest(self, session: Session, probe: Probe) -> list[Neighbor]:
        """Compare with every embedding of the kind, exactly.

        Raises:
            TooMany: there are more faces than may be in memory.
        """
        matrix = self._matrix(session, probe.kind)
        if not matrix.ids:
            return []
        scores = matrix.rows @ np.frombuffer(probe.embedding, np.float32)
        similar = np.flatnonzero(scores >= probe.min_similarity)
        similar = similar[np.argsort(-scores[similar], kind="stable")]
        found = [index for index in similar.tolist() if matrix.jobs[index] != probe.exclude_job]

        def seen(places: Sequence[int]) -> list[Seen]:
            groups = groups_of(session, {matrix.jobs[index][0] for index in places})
            return [
                Seen(groups.get(matrix.jobs[index][0], ""), matrix.in_photos[index])
                for index in places
            ]

        return [
            Neighbor(matrix.ids[index], float(scores[index]), matrix.qualities[index])
            for index in best_of_each_group(found, probe.limit, seen)
        ]

    def _matrix(self, session: Session, kind: Kind) -> _Matrix:
        """Return the kind's matrix, with new rows and without removed ones."""
        state = state_of(session)
        with self._lock:
            known = self._matrices.pop(kind, None)
            if known is not None and known.state != state:
                gone = removed_since(session, known.state)
                known = None if gone is None else _without(known, set(gone))
            if known is None or known.state != state:
                last = known.numbers[-1] if known and known.numbers else 0
                room = self._most - (len(known.ids) if known else 0)
                new = read_after(session, kind, last, room + 1)
                if len(new) > room:
                    raise TooMany
                known = _grown(known, new, state)
            self._matrices[kind] = known
            return known


def _without(known: _Matrix, gone: set[int]) -> _Matrix:
    if gone.isdisjoint(known.numbers):
        return known
    kept = [place for place, number in enumerate(known.numbers) if number not in gone]
    return _Matrix(
        rows=known.rows[kept],
        ids=[known.ids[place] for place in kept],
        jobs=[known.jobs[place] for place in kept],
        qualities=[known.qualities[place] for place in kept],
        in_photos=[known.in_photos[place] for place in kept],
        numbers=[known.numbers[place] for place in kept],
        state=known.state,
    )


def _grown(known: _Matrix | None, new: Sequence[StoredEmbedding], state: GalleryState) -> _Matrix:
    rows = np.array([np.frombuffer(row.embedding, np.float32) for row in new], np.float32)
    if known is not None and known.ids:
        rows = np.concatenate([known.rows, rows]) if new else known.rows
    return _Matrix(
        rows=rows,
        ids=[*(known.ids if known else []), *(row.face_id for row in new)],
        jobs=[*(known.jobs if known else []), *(row.job for row in new)],
        qualities=[*(known.qualities if known else []), *(row.quality for row in new)],
        in_photos=[*(known.in_photos if known else []), *(row.in_photo for row in new)],
        numbers=[*(known.numbers if known else []), *(row.number for row in new)],
        state=state,
    )
