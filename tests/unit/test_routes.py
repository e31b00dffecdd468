"""Which routes there are, and who may call them; what apps of one process share."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from imaginem.pipeline.steps import Registry, default_registry
from imaginem.testing import MemoryServices
from imaginem.web import api, make_app, pages
from imaginem.web.pages.docs import role_of
from tests.dashboard import client, keep, principal, web_services


def routes() -> Iterator[APIRoute]:
    for router in (*api.ROUTERS, *pages.ROUTERS):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield route


def jobs_of(answer: Any) -> list[str]:
    return [photo["job_id"] for photo in answer.json()["images"]]


OPEN = {"/api/health", "/static/{name}", "/favicon.ico"}
CASEWORKERS = {
    "POST /api/batches/{batch_id}/images",
    "POST /api/batches/{batch_id}/cancel",
    "POST /api/batches/{batch_id}/reopen",
    "POST /api/batches/{batch_id}/pause",
    "POST /api/batches/{batch_id}/resume",
    "PUT /api/batches/{batch_id}/budget",
    "DELETE /api/batches/{batch_id}",
    "POST /api/jobs",
    "POST /api/jobs/{batch_id}/{job_id}/retry",
    "POST /api/jobs/{batch_id}/{job_id}/rerun",
    "DELETE /api/jobs/{batch_id}/{job_id}",
    "POST /api/faces/search",
    "POST /api/photos/forget",
    "DELETE /api/faces/{face_id}",
    "PUT /api/faces/{face_id}/matches/{other_id}/verdict",
    "GET /api/images/{batch_id}/{job_id}/original",
    "GET /api/receipts/{receipt_id}",
    "GET /receipts/{receipt_id}",
    "GET /upload",
    "GET /api/forecast",
    "POST /batches/{batch_id}/cancel",
    "POST /batches/{batch_id}/reopen",
    "POST /batches/{batch_id}/pause",
    "POST /batches/{batch_id}/resume",
    "POST /batches/{batch_id}/budget",
    "POST /batches/{batch_id}/{job_id}/retry",
    "POST /batches/{batch_id}/erase",
    "POST /photos/{batch_id}/{job_id}/erase",
    "POST /photos/{batch_id}/{job_id}/faces/{face_id}/erase",
    "POST /photos/{batch_id}/{job_id}/retry",
    "POST /photos/{batch_id}/{job_id}/rerun",
    "POST /faces/search",
    "POST /faces/{face_id}/matches/{other_id}",
}
OPERATORS = {
    "GET /api/operations",
    "GET /api/costs",
    "GET /operations/costs",
    "GET /api/poison",
    "POST /api/poison/replay",
    "POST /api/poison/drop",
    "GET /api/poison/{poison_id}",
    "POST /api/poison/{poison_id}/replay",
    "DELETE /api/poison/{poison_id}",
    "GET /api/audit",
    "GET /api/receipts",
    "GET /operations/audit",
    "GET /operations/receipts",
    "POST /api/photos/lift",
    "POST /operations/photo/erase",
    "POST /operations/photo/lift",
    "GET /operations",
    "GET /operations/now",
    "GET /operations/poison",
    "GET /operations/poison/{poison_id}",
    "POST /operations/poison/replay",
    "POST /operations/poison/drop",
    "POST /operations/poison/{poison_id}/replay",
    "POST /operations/poison/{poison_id}/drop",
}


def test_the_table_of_routes_and_roles_is_complete() -> None:
    told = {
        f"{method} {route.path}": role_of(route)
        for route in routes()
        for method in route.methods or ()
    }
    for route, role in sorted(told.items()):
        print(f"{role or 'everybody':<10} {route}")
    assert {route.split(" ")[1] for route, role in told.items() if not role} == OPEN
    assert {route for route, role in told.items() if role == "caseworker"} == CASEWORKERS
    assert {route for route, role in told.items() if role == "operator"} == OPERATORS
    # What only looks is for viewers; what changes anything never is, but for a computation.
    changing = {r for r, role in told.items() if role == "viewer" and not r.startswith("GET")}
    assert changing == {"POST /api/pipeline/resolve"}


def test_nobody_learns_anything_before_logging_in() -> None:
    def built() -> MemoryServices:
        return pytest.fail("services were built for somebody who has not logged in")

    app = make_app(default_registry, "platform", built)
    browser = TestClient(app, raise_server_exceptions=False)
    asked = 0
    for route in routes():
        if role_of(route):
            address = re.sub(r"\{\w+\}", str(uuid.uuid4()), route.path)
            for method in route.methods or ():
                assert browser.request(method, address).status_code == 401, address
                asked += 1
    assert asked > 40


def test_apps_of_one_process_share_nothing() -> None:
    services, other = web_services(), web_services()
    keep(services, ("b", "mine"))
    keep(other, ("b", "theirs"))
    open_, shut = client(services), client(other, "platform")
    assert open_.get("/api/me").json()["name"] == "local user"
    assert shut.get("/api/me").status_code == 401
    for _ in range(2):
        assert jobs_of(open_.get("/api/images")) == ["mine"]
        assert jobs_of(shut.get("/api/images", headers=principal("viewer"))) == ["theirs"]
    none = TestClient(make_app(Registry(), "local", lambda: services))
    assert none.get("/api/pipeline/steps").json() == []
    assert "ocr" in [step["name"] for step in open_.get("/api/pipeline/steps").json()]
