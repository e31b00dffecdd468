"""Synthetic faces: persons with one to eight photos each, whose embeddings look alike."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from sqlalchemy import insert

from imaginem.sql import Database
from imaginem.sql.schema import FaceRow
from imaginem.sql.types import job_number

Vectors = NDArray[np.float32]

DIMENSIONS = 512
POSSIBLE = 0.37
"""Least cosine of the match tier `possible`."""
LIMIT = 20
MODEL = "bench-model"
BATCH = "crowd"
_MOST_PHOTOS = 8
_COSINES = (0.35, 0.75)  # between two photos of one person
_AT_ONCE = 10_000
_SEED = 15


def write_crowd(folder: Path, faces: int, queries: int) -> None:
    """Write `vectors.npy`, `queries.npy`, and the true neighbours of each query.

    A query is another photo of a person who is in the crowd. True are the faces with a cosine of
    `POSSIBLE` or more, at most `LIMIT`, best first; `truth.json` has their rows.
    """
    chance = np.random.default_rng(_SEED)
    vectors = open_memmap(folder / "vectors.npy", "w+", np.float32, (faces, DIMENSIONS))
    asked: list[Vectors] = []
    row = 0
    while row < faces:
        count = min(_AT_ONCE, faces - row)
        photos, more = _persons(chance, count, -(-queries * count // faces))
        vectors[row : row + count] = photos
        asked.append(more)
        row += count
    vectors.flush()
    wanted = np.concatenate(asked)[:queries]
    np.save(folder / "queries.npy", wanted)
    (folder / "truth.json").write_text(json.dumps(_truth(vectors, wanted)), "utf-8")


def _persons(chance: np.random.Generator, photos: int, queries: int) -> tuple[Vectors, Vectors]:
    """Return photos of persons, one after the other, and further ones of some of them."""
    sizes = chance.integers(1, _MOST_PHOTOS + 1, photos)  # more persons than needed
    person = np.repeat(np.arange(photos), sizes)[:photos]
    centres = _unit(chance.standard_normal((person[-1] + 1, DIMENSIONS), np.float32))
    cosines = chance.uniform(*_COSINES, len(centres)).astype(np.float32)
    asked = chance.choice(len(centres), min(queries, len(centres)), replace=False)
    return (
        _photos(chance, centres[person], cosines[person]),
        _photos(chance, centres[asked], cosines[asked]),
    )


def _photos(chance: np.random.Generator, centres: Vectors, cosines: Vectors) -> Vectors:
    noise = _unit(chance.standard_normal(centres.shape, np.float32))
    shares = cosines[:, None]
    return _unit(np.sqrt(shares) * centres + np.sqrt(1 - shares) * noise)


def _unit(rows: NDArray[Any]) -> Vectors:
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _truth(vectors: Vectors, queries: Vectors) -> list[list[int]]:
    found: list[list[tuple[float, int]]] = [[] for _ in queries]
    for begin in range(0, len(vectors), _AT_ONCE):
        scores = queries @ vectors[begin : begin + _AT_ONCE].T
        for query, row in np.argwhere(scores >= POSSIBLE).tolist():
            found[query].append((float(scores[query, row]), begin + row))
    return [[row for _, row in sorted(one, reverse=True)[:LIMIT]] for one in found]


def face_id(row: int) -> uuid.UUID:
    """Return the id of the face of a row."""
    return uuid.UUID(int=row + 1)


def fill(database: Database, vectors: Vectors) -> None:
    """Write the faces into the gallery's table, each of a job of its own."""
    for begin in range(0, len(vectors), _AT_ONCE):
        rows = range(begin, min(begin + _AT_ONCE, len(vectors)))
        with database.session() as session:
            session.execute(insert(FaceRow), list(_rows(rows, vectors)))


def _rows(numbers: range, vectors: Vectors) -> Iterator[dict[str, Any]]:
    for number in numbers:
        job = f"job-{number}"
        yield {
            "face_id": face_id(number),
            "job": job_number(BATCH, job),
            "batch_id": BATCH,
            "job_id": job,
            "photo_sha256": f"{number:064x}",
            **{"left": 10, "top": 10, "width": 100, "height": 100},
            "model": MODEL,
            "embedding": vectors[number].tobytes(),
            "quality": 0.9,
        }
