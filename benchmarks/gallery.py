"""Galleries of made-up persons, as large as wanted, in a SQLite file."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaginem.sql import Database
from imaginem.sql.types import job_number

Floats = NDArray[np.float32]

MODEL = "bench"
DIMENSIONS = 512
POSSIBLE = 0.37
QUERIES = 200
_PORTION = 50_000
_INSERT = (
    'INSERT INTO face (face_id, job, batch_id, job_id, photo_sha256, "left", top, width, height, '
    "model, embedding, quality, enrolled) VALUES (?, ?, ?, ?, '', 0, 0, 9, 9, ?, ?, 0.9, ?)"
)


@dataclass
class Gallery:
    """A gallery in SQLite, and what is right about it.

    Attributes:
        home: its folder.
        size: faces.
        queries: embeddings to search with, of persons who are in it.
        right: for each query the ids of all faces whose cosine is at least `POSSIBLE`.
    """

    home: Path
    size: int
    queries: Floats
    right: list[dict[uuid.UUID, float]] = field(default_factory=list)


def fill(home: Path, size: int, real: Floats | None = None) -> Gallery:
    """Make a gallery of persons with 1 to 8 photos, whose cosines are 0.35 to 0.75.

    Args:
        home: an empty folder.
        size: faces.
        real: embeddings of real faces. If they are given, all faces are mixtures of them and of
            noise, so that strangers are as alike as real ones are.
    """
    database = Database("", home)
    database.engine  # noqa: B018  makes the tables
    database.close()
    random = np.random.default_rng(size)
    people = _People(random, real)
    queries, first = people.seen(QUERIES)
    gallery = Gallery(home, size, queries, [{} for _ in queries])
    with closing(sqlite3.connect(home / "imaginem.db")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        count = 0
        for rows in _portions(first, people, size):
            ids = [uuid.UUID(bytes=random.bytes(16)) for _ in rows]
            connection.executemany(_INSERT, _records(count, ids, rows))
            connection.commit()
            count += len(rows)
            for start in range(0, len(rows), 10_000):
                similar = rows[start : start + 10_000] @ queries.T
                for face, query in np.argwhere(similar >= POSSIBLE).tolist():
                    gallery.right[query][ids[start + face]] = float(similar[face, query])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return gallery


class _People:
    def __init__(self, random: np.random.Generator, real: Floats | None) -> None:
        self._random, self._real = random, real

    def _directions(self, count: int) -> Floats:
        rows = self._random.standard_normal((count, DIMENSIONS), np.float32)
        if self._real is not None:
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            weights = self._random.standard_normal((count, len(self._real)), np.float32)
            middle = self._real.mean(axis=0)
            mixed = weights @ (self._real - middle) / np.sqrt(len(self._real), dtype=np.float32)
            rows = 1.95 * rows + mixed + 1.3 * middle  # so alike are strangers among the real ones
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows, np.float32)

    def _photos(self, persons: Floats, counts: NDArray[np.int64]) -> Floats:
        """Return so many photos of each person."""
        alike = np.repeat(self._random.uniform(0.35, 0.75, len(persons)), counts)[:, None]
        centres = np.repeat(persons, counts, axis=0)
        rows = np.sqrt(alike) * centres + np.sqrt(1 - alike) * self._directions(len(centres))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows, np.float32)

    def seen(self, count: int) -> tuple[Floats, Floats]:
        """Return a photo of each of some persons, and other photos of them."""
        persons = self._directions(count)
        if self._real is not None:
            persons = self._real[np.arange(count) % len(self._real)]
        counts = self._random.integers(2, 10, count)
        photos = self._photos(persons, counts)
        ends = np.cumsum(counts) - 1
        return photos[ends], np.delete(photos, ends, axis=0)

    def more(self, count: int) -> Floats:
        """Return photos of other persons, about so many."""
        counts = self._random.integers(1, 9, count * 2 // 9 + 1)
        return self._photos(self._directions(len(counts)), counts)


def _portions(first: Floats, people: _People, size: int) -> Iterator[Floats]:
    left = size
    rows = first
    while left > 0:
        yield rows[:left]
        left -= len(rows)
        rows = people.more(min(left, _PORTION)) if left > 0 else rows


def _records(start: int, ids: list[uuid.UUID], rows: Floats) -> Iterator[tuple[object, ...]]:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    for place, (face_id, row) in enumerate(zip(ids, rows, strict=True), start):
        batch, job = f"batch-{place // 2000}", str(place // 2)
        yield (
            face_id.hex,
            job_number(batch, job).hex,
            batch,
            job,
            MODEL,
            row.tobytes(),
            now,
        )
