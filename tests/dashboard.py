"""Services in memory for tests of API and pages, and what these tests put into them."""

import base64
import functools
import json
import uuid
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

import steps  # noqa: F401 - importing the package registers every step
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.images.decoding import Photo
from imaginem.names import job_prefix
from imaginem.outputs import Face, FaceMatch
from imaginem.pipeline.steps import default_registry
from imaginem.ports import (
    CallContext,
    CoreSettings,
    EnrolledFace,
    JobKey,
    JobResult,
    SimilarFace,
)
from imaginem.testing import FakeRecognizer, MemoryServices, photo_bytes, run_all
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.intake import Upload, receive_photo
from imaginem.web import make_app

PIPELINE = DEFAULT_PIPELINE
FACE = {"face_rectangle": {"left": 30, "top": 20, "width": 60, "height": 60}}


class AlikeToAll(FakeRecognizer):
    """Finds these faces alike to every face."""

    def __init__(self, face_ids: Sequence[uuid.UUID]) -> None:
        self._similar = [SimilarFace(face_id, 0.81, "match") for face_id in face_ids]

    def search(
        self, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[tuple[Face, list[SimilarFace]]]:
        """Return the same faces for each."""
        return [(each, self._similar) for each in faces]


def web_services() -> MemoryServices:
    """Return services in memory with the usual pipeline."""
    return MemoryServices(core_settings=CoreSettings(default_pipeline=PIPELINE))


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


def client_after_one_job(services: MemoryServices) -> TestClient:
    """Return a client of services in which job x of batch b has ended."""
    api = client(services)
    form = {"file": ("a.png", photo_bytes(), "image/png")}
    api.post("/api/batches/b/images", files=form, data={"job_id": "x"})
    run_all(services, default_registry)
    return api


def photo_page(services: MemoryServices, data: bytes, name: str, step: str) -> str:
    """Send a photo through one step; return its page."""
    web = client(services)
    sent = web.post(
        "/api/batches/b/images",
        files={"file": (name, data)},
        data={"pipeline": f"{step}, pipelineoutput"},
    ).json()
    run_all(services, default_registry)
    page = web.get(f"/photos/b/{sent['job_id']}")
    assert page.status_code == 200
    return page.text


def crop(services: MemoryServices, batch: str, job: str, face_id: uuid.UUID) -> None:
    """Keep a picture of a face, so that pages can show it."""
    name = f"{job_prefix(batch, job)}{face_id}.png"
    services.blobs.put("faces", name, photo_bytes(120, 120, color="teal"), "image/png")


def keep(
    services: MemoryServices, key: JobKey, outputs: dict[str, Any] | None = None, **more: Any
) -> None:
    """Save the result and the photo of a finished job.

    Args:
        services: where to save.
        key: batch id and job id.
        outputs: of the job's steps.
        more: `name` and `photo` (bytes) of the photo, `unsuccessful` steps.
    """
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


def send_photo(services: MemoryServices, key: JobKey, pipeline: Sequence[str]) -> None:
    """Send a photo; no step of its job has run yet."""
    upload = Upload(key[0], photo_bytes, "a.png", pipeline, key[1])
    receive_photo(services, default_registry, upload, EVERYTHING)


def face(services: MemoryServices, key: JobKey, photo: str = "") -> uuid.UUID:
    """Enrol a face of a job; return its id."""
    return enrol(services, key, 1, photo)[0]


def enrol(services: MemoryServices, key: JobKey, count: int, photo: str = "") -> list[uuid.UUID]:
    """Enrol faces of a job, whose photo has this SHA-256; return their ids."""
    ids = [uuid.uuid4() for _ in range(count)]
    embedding = bytes([0, 0, 128, 63]) * 4
    faces = [EnrolledFace(face_id, "m", embedding, 0.9, (1, 2, 3, 4), photo) for face_id in ids]
    services.gallery.enrol(key, faces)
    return ids


def pair(services: MemoryServices, one: uuid.UUID, other: uuid.UUID) -> None:
    """Save a match of two faces."""
    match = FaceMatch(face_id=one, matched_face_id=other, confidence=0.81, band="match")
    services.gallery.keep_matches([match])


def two_alike(services: MemoryServices) -> tuple[uuid.UUID, uuid.UUID]:
    """Enrol the faces of mine.jpg and other.jpg of batch b, which match; return their ids."""
    (mine,) = enrol(services, ("b", "mine.jpg"), 1, "mine")
    other = face(services, ("b", "other.jpg"), "other")
    pair(services, mine, other)
    for name, face_id in (("mine.jpg", mine), ("other.jpg", other)):
        crop(services, "b", name, face_id)
    return mine, other


def principal(*roles: str, name: str = "Ann", groups: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the header that platform authentication sets."""
    claims = [{"typ": "name", "val": name}, *({"typ": "roles", "val": role} for role in roles)]
    claims += [{"typ": "groups", "val": group} for group in groups]
    identity = {"auth_typ": "aad", "role_typ": "roles", "claims": claims}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(identity).encode()).decode()}
