"""Services for tests of API and pages: storage in memory, SQL in a SQLite file."""

import functools
import tempfile
import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

import steps  # noqa: F401 - importing the package registers every step
from imaginem.outputs import FaceMatch
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CoreSettings, EnrolledFace, JobKey, JobResult
from imaginem.sql import Database, SqlArchive, SqlGallery, SqlResults
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.web import make_app

PIPELINE = (
    "generalclassification",
    "ocr",
    "facedetection",
    "facecrop",
    "faceprint",
    "facematch",
    "pipelineoutput",
)


@dataclass
class WebServices(MemoryServices):
    """Everything in memory but SQL."""

    archive: Any = None
    engine_names = {name: "fake" for name in ("vision", "ocr", "faces", "prints")}  # noqa: RUF012


@functools.cache
def _empty_database() -> bytes:
    """Return a database file that has the tables: making them takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database("", Path(folder))
        SqlArchive(database).batches(None)
        database.close()
        return (Path(folder) / "imaginem.db").read_bytes()


def web_services(folder: Path) -> WebServices:
    """Return services with an empty database."""
    (folder / "imaginem.db").write_bytes(_empty_database())
    database = Database("", folder)
    made = WebServices(core_settings=CoreSettings(default_pipeline=PIPELINE))
    made.archive, made.results = SqlArchive(database), SqlResults(database)  # type: ignore[assignment]
    made.gallery = SqlGallery(database)  # type: ignore[assignment]
    return made


_served: ContextVar[Any] = ContextVar("served")


@functools.cache
def _app(access: str) -> FastAPI:
    """Return the app that every test of this access shares: making its routes takes a while."""
    return make_app(default_registry, access, _served.get)


def client(services: Any, access: str = "local", **headers: str) -> TestClient:
    """Return a client of these services that sees errors as a browser does."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        _served.set(services)
        await _app(access)(scope, receive, send)

    return TestClient(app, raise_server_exceptions=False, headers=headers)


def keep(
    services: WebServices, key: JobKey, outputs: dict[str, Any] | None = None, **more: Any
) -> None:
    """Put a finished job's result and photo into the services."""
    name = more.get("name", key[1])
    blob = f"{uuid.uuid4()}"
    url = services.blobs.put("inputimages", blob, more.get("photo") or photo_bytes(), "image/png")
    services.results.save(
        JobResult(
            key[0],
            key[1],
            PIPELINE,
            url,
            {"original_name": name},
            outputs or {},
            photo_url=url,
            unsuccessful=more.get("unsuccessful", ()),
        )
    )


def face(services: WebServices, key: JobKey) -> uuid.UUID:
    """Enrol a face of a job; return its id."""
    return enrol(services, key, 1)[0]


def enrol(services: WebServices, key: JobKey, count: int) -> list[uuid.UUID]:
    """Enrol faces of a job; return their ids."""
    ids = [uuid.uuid4() for _ in range(count)]
    print_ = bytes([0, 0, 128, 63]) * 4
    faces = [EnrolledFace(each, "m", print_, 0.9, (1, 2, 3, 4)) for each in ids]
    services.gallery.enrol(key, faces)
    return ids


def pair(services: WebServices, one: uuid.UUID, other: uuid.UUID) -> None:
    """Let two faces look alike."""
    found = FaceMatch(face_id=one, matched_face_id=other, confidence=0.81, band="match")
    services.gallery.keep_matches([found])
