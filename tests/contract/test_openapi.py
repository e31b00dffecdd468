"""The API keeps what its OpenAPI document promises, whatever it is sent."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from imaginem.pipeline.steps import default_registry
from imaginem.ports import CoreSettings
from imaginem.sql import Database
from imaginem.testing import MemoryServices, photo_bytes, run_all
from imaginem.web import make_app
from tests.dashboard import PIPELINE, client, face, pair
from tests.stores import keyed, sql_stores

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


def _app() -> Any:
    """Return an app with a batch, faces that match, and something poisoned."""
    database = Database("", Path(tempfile.mkdtemp()), mark=keyed)
    services = MemoryServices(
        core_settings=CoreSettings(default_pipeline=PIPELINE), **vars(sql_stores(database))
    )
    api = client(services)
    for job in ("one", "two"):
        photo = {"file": ("a.png", photo_bytes(), "image/png")}
        api.post("/api/batches/b/images", files=photo, data={"job_id": job})
    services.queues.send("ocr", "nonsense")
    run_all(services, default_registry)
    pair(services, face(services, ("b", "one")), face(services, ("b", "two")))
    return make_app(default_registry, "local", lambda: services)


schema = schemathesis.openapi.from_asgi("/api/openapi.json", _app())


@schema.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_the_answer_is_documented(case: Any) -> None:
    case.call_and_validate(checks=CHECKS)


def test_every_operation_has_a_summary_and_documents_its_refusals() -> None:
    document = _app().openapi()
    assert len(document["paths"]) > 20
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            assert told.get("description"), f"{method} {path}"
            if path != "/api/health":
                assert {"401", "403", "503"} <= set(told["responses"]), f"{method} {path}"


@pytest.mark.parametrize("name", ["Accepted", "Photo", "StepInfo", "Poisoned", "Problem"])
def test_models_come_with_examples(name: str) -> None:
    fields = _app().openapi()["components"]["schemas"][name]["properties"]
    assert any("examples" in field for field in fields.values())
