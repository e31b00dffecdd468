"""Steps of somebody's own for tests: fields of every kind that is shown."""

from datetime import datetime
from typing import Annotated, Any

from fastapi.testclient import TestClient
from pydantic import Field

from imaginem import JobContext, Shown, StepOutput
from imaginem.outputs import Box
from imaginem.pipeline.steps import Registry, step
from imaginem.ports import JobKey, JobResult
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.usecases.own_outputs import OwnOutputs
from imaginem.web import make_app


class Sign(StepOutput):
    """Something on the photo."""

    label: str
    confidence: float
    where: Box
    page: int | None = None
    face_id: str | None = None


class Paper(StepOutput):
    """An object within the output."""

    kind: str = ""
    width: float | None = None


class SignsOutput(StepOutput):
    """A field of each kind."""

    caption: str = Field("", title="Caption", description="What a passer-by would say.")
    brightness: Annotated[float | None, Shown(unit="lux")] = None
    is_blurred: bool | None = None
    taken: datetime | None = None
    words: list[str] = Field(default_factory=list)
    signs: list[Sign] = Field(default_factory=list)
    paper: Paper = Field(default_factory=Paper)
    embedding: list[float] = Field(default_factory=list)
    note: Annotated[str, Shown(hide=True)] = ""
    remark: Annotated[str, Shown(searchable=False)] = ""


FOUND = {
    "caption": "A Zebra at the gate",
    "brightness": 120.5,
    "is_blurred": False,
    "taken": "2026-03-01T10:00:00Z",
    "words": ["gate", "tree house"],
    "signs": [
        {"label": "stop", "confidence": 0.9, "where": {"x": 10, "y": 5, "w": 20, "h": 10}},
        {"label": "exit", "confidence": 0.4, "where": {"x": 1, "y": 2, "w": 3, "h": 4}},
    ],
    "paper": {"kind": "letter", "width": 210},
    "embedding": [0.123456] * 128,
    "note": "never shown",
    "remark": "Not searched",
}
NOTHING: dict[str, Any] = {}


def registry_with_signs() -> Registry:
    """Return a registry whose one step of its own is `signs`."""
    registry = Registry()

    @step(registry=registry)
    def signs(job: JobContext) -> SignsOutput:
        """Read the signs at the road."""
        return SignsOutput.model_validate(FOUND)

    @step(finalizer=True, registry=registry)
    def written(job: JobContext) -> Paper:
        """Report."""
        return Paper()

    return registry


def services_with_signs(registry: Registry) -> MemoryServices:
    """Return services in memory that index what the registry's steps find."""
    services = MemoryServices()
    services.database.index = OwnOutputs(registry).index
    return services


def keep_result(
    services: Any,
    key: JobKey,
    output: Any,
    *,
    pipeline: tuple[str, ...] = ("signs",),
    unsuccessful: tuple[str, ...] = (),
    photo: bytes = b"",
) -> None:
    """Keep the result of a job whose step `signs` found this; None for nothing of it."""
    outputs = {} if output is None else {"signs": output}
    url = ""
    if hasattr(services, "blobs"):
        url = services.blobs.put("inputimages", "/".join(key), photo or photo_bytes(), "image/png")
    result = JobResult(
        *key,
        pipeline,
        "https://x.test/a",
        {},
        outputs,
        photo_url=url,
        unsuccessful=unsuccessful,
    )
    services.results.save(result)


def web_of(services: MemoryServices, registry: Registry, **headers: str) -> TestClient:
    """Return a client of an app with these steps."""
    access = "platform" if headers else "local"
    return TestClient(make_app(registry, access, lambda: services), headers=headers)
