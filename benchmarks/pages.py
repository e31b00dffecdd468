"""How quickly each page answers with many faces: `FACES=1000000 make bench ARGS=pages`.

SQLite gets the rows of that many faces, of their photos, labels and pairs; storage is an empty
emulator. A page's time is that of its HTML, on one connection at a time.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
from sqlalchemy import insert

from benchmarks.dashboard import ROOT, seconds_of, served
from benchmarks.options import Options, read_options
from benchmarks.result import Result
from benchmarks.search.crowd import DIMENSIONS, face_id
from imaginem.host import Emulator, EmulatorPorts
from imaginem.ports.text_search import tokens_of
from imaginem.sql import Database
from imaginem.sql.schema import (
    FaceMatchRow,
    FaceRow,
    Label,
    PhotoBatch,
    PhotoText,
    PipelineOutput,
)
from imaginem.sql.text_types import as_column
from imaginem.sql.types import job_number

_FACES_A_PHOTO = 4
_PHOTOS_A_BATCH = 500
_PHOTOS_AT_ONCE = 2_500
_TAGS, _TAGS_A_PHOTO = 200, 4
_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_ASKED = 20
_MOST_SECONDS = 0.25
_PAGES = {
    "first page": "/",
    "Photos": "/photos",
    "Photos of a tag": "/photos?tag=tag7",
    "Photos with faces": "/photos?faces=true",
    "Photos of a batch": "/photos?batch=batch-0",
    "Photos with a text": "/photos?text=number+17",
    "labels beside the photos": "/photos/facets",
    "a photo": "/photos/batch-0/1",
    "Faces": "/faces",
    "Faces, one chosen": f"/faces?face={face_id(5)}",
    "Batches": "/batches",
    "a batch": "/batches/batch-0",
    "Operations": "/operations",
    "Audit trail": "/operations/audit",
    "Poison": "/operations/poison",
    "Upload": "/upload",
}


def fill(home: Path, faces: int) -> None:
    """Write the rows of that many faces into the home's SQLite file."""
    database = Database("", home)
    photos = -(-faces // _FACES_A_PHOTO)
    chance = np.random.default_rng(15)
    pool = [chance.standard_normal(DIMENSIONS, np.float32).tobytes() for _ in range(500)]
    with database.session() as session:
        batches = {f"batch-{photo // _PHOTOS_A_BATCH}" for photo in range(photos)}
        session.execute(insert(PhotoBatch), [{"batch_id": name} for name in sorted(batches)])
    for begin in range(0, photos, _PHOTOS_AT_ONCE):
        numbers = range(begin, min(begin + _PHOTOS_AT_ONCE, photos))
        with database.session() as session:
            session.execute(insert(PipelineOutput), [_photo(number) for number in numbers])
            session.execute(insert(PhotoText), [_words(number) for number in numbers])
            session.execute(insert(Label), [row for one in numbers for row in _labels(one)])
            found = [number for one in numbers for number in _faces_of(one, faces)]
            rows = [_face(number, pool[number % len(pool)]) for number in found]
            session.execute(insert(FaceRow), rows)
            session.execute(insert(FaceMatchRow), [_pair(number, faces) for number in found])
    database.close()


def _key(photo: int) -> dict[str, Any]:
    batch, job = f"batch-{photo // _PHOTOS_A_BATCH}", str(photo)
    return {"batch_id": batch, "job": job_number(batch, job)}


def _faces_of(photo: int, faces: int) -> range:
    return range(photo * _FACES_A_PHOTO, min((photo + 1) * _FACES_A_PHOTO, faces))


def _photo(photo: int) -> dict[str, Any]:
    return {
        **_key(photo),
        "id": str(photo),
        "processing_pipeline": '["facedetection"]',
        "image_url": "https://photos.test/photo.jpg",
        "job_output": json.dumps({"ocr": {"full_text": f"Number {photo}"}}),
        "full_text": f"number {photo}",
        "faces": _FACES_A_PHOTO,
        "timestamp": _time(photo),
    }


def _time(photo: int) -> datetime:
    return _BEGUN + timedelta(seconds=photo)


def _words(photo: int) -> dict[str, Any]:
    row = _photo(photo)
    labels = [(label["kind"], label["name"]) for label in _labels(photo)]
    tokens = tokens_of(row["full_text"], labels, row["batch_id"])
    return {"job": row["job"], "tokens": as_column(tokens)}


def _labels(photo: int) -> Iterator[dict[str, Any]]:
    for step in range(_TAGS_A_PHOTO):
        name = f"tag{(photo * (step + 3) + step) % _TAGS}-{step}" if step else f"tag{photo % _TAGS}"
        row = {"job": _key(photo)["job"], "kind": "tag", "name": name, "confidence": 0.9}
        yield {**row, "timestamp": _time(photo)}


def _face(number: int, embedding: bytes) -> dict[str, Any]:
    photo = number // _FACES_A_PHOTO
    return {
        **_key(photo),
        "face_id": face_id(number),
        "job_id": str(photo),
        "photo_sha256": f"{photo:064x}",
        **{"left": 10, "top": 10, "width": 100, "height": 100},
        "model": "bench-model",
        "embedding": embedding,
        "quality": 0.9,
    }


def _pair(number: int, faces: int) -> dict[str, Any]:
    """Return one face's side of a pair: each face looks like one of another photo."""
    other = number ^ _FACES_A_PHOTO
    matched = face_id(other if other < faces else number)
    return {
        "face_id": face_id(number),
        "matched_face_id": matched,
        "confidence": 0.6,
        "band": "match",
    }


def run(options: Options | None = None) -> list[Result]:
    """Return the 95th percentile of each page, all asked in turns."""
    options = options or read_options()
    with tempfile.TemporaryDirectory() as name, Emulator(None, EmulatorPorts.free()) as emulator:
        home = Path(name)
        fill(home, options.faces)
        settings = {
            **os.environ,
            "IMAGINEM_HOME": str(home),
            "AzureWebJobsStorage": emulator.connection_string,
        }
        with served(ROOT, settings) as photos:
            taken = _ask_in_turns(photos)
    return [_row(page, seconds, options.faces) for page, seconds in taken.items()]


def _ask_in_turns(address: str) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {page: [] for page in _PAGES}
    for page in _PAGES.values():
        seconds_of(urljoin(address, page))
    for _ in range(_ASKED):
        for page, path in _PAGES.items():
            taken[page].append(seconds_of(urljoin(address, path)))
    return taken


def _row(page: str, seconds: list[float], faces: int) -> Result:
    p95 = statistics.quantiles(seconds, n=20)[-1]
    shown = f"{p95 * 1000:.0f} ms (median {statistics.median(seconds) * 1000:.0f})"
    budget, kept = f"<= {_MOST_SECONDS * 1000:.0f} ms", p95 <= _MOST_SECONDS
    name = f"page with {faces:,} faces, p95: {page}"
    return Result(name, p95, shown, budget, kept, key="pages", label=page)
