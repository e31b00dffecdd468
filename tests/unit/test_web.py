"""Who may call the API."""

import base64
import json
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from imaginem.registry import Registry
from imaginem.web import make_app
from imaginem.web.access import roles_of


def principal(*roles: str) -> dict[str, str]:
    """Return the header that platform authentication sets."""
    claims = [{"typ": "name", "val": "Ann"}, *({"typ": "roles", "val": role} for role in roles)]
    told = {"auth_typ": "aad", "role_typ": "roles", "claims": claims}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(told).encode()).decode()}


def client(access: str) -> TestClient:
    return TestClient(make_app(Registry(), access))


def test_health_is_for_everybody() -> None:
    for access in ("local", "health", "platform"):
        assert client(access).get("/api/health").status_code == 200


def test_with_health_alone_nothing_else_answers() -> None:
    shut = client("health")

    assert shut.get("/api/pipeline/steps", headers=principal("operator")).status_code == 403
    assert shut.get("/api/docs").status_code == 404


def test_the_platform_lets_in_whom_it_knows_and_who_has_a_role() -> None:
    app = client("platform")

    assert app.get("/api/pipeline/steps").status_code == 401
    assert app.get("/api/pipeline/steps", headers=principal()).status_code == 403
    for role in ("viewer", "caseworker", "operator"):
        assert app.get("/api/pipeline/steps", headers=principal(role)).status_code == 200


@pytest.mark.parametrize("header", ["", "nonsense", base64.b64encode(b"[]").decode(), "e30="])
def test_a_header_that_is_none_gives_no_role(header: str) -> None:
    assert roles_of(header) == set()


def routes() -> Iterator[APIRoute]:
    for route in make_app(Registry(), "platform").routes:
        if isinstance(route, APIRoute):
            yield route


def test_every_route_but_health_needs_a_role() -> None:
    open_routes = [route.path for route in routes() if not route.dependencies]
    assert open_routes == ["/api/health"]
