"""`/api/docs` and `/api/openapi.json`."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute

from imaginem.web.access import Caller
from imaginem.web.context import Site
from imaginem.web.pages.render import render


def role_of(route: APIRoute) -> str:
    """Return the least app role that may call a route; empty where everybody may."""
    roles = [getattr(needed.call, "role", "") for needed in route.dependant.dependencies]
    return next((str(role) for role in roles if role), "")


def docs_pages(site: Site, app: FastAPI, described: Sequence[APIRouter]) -> APIRouter:
    """Return the routes.

    Args:
        site: the parts.
        app: has the document.
        described: the API's routes.
    """
    router = APIRouter(prefix="/api")
    viewer: Any = site.access.needs("viewer")

    @router.get("/openapi.json")
    def openapi(caller: Annotated[Caller, viewer]) -> JSONResponse:
        return JSONResponse(app.openapi())

    @router.get("/docs")
    def docs(caller: Annotated[Caller, viewer], request: Request) -> HTMLResponse:
        operations = list(_operations(app.openapi(), described))
        return render(request, "docs.html", {"operations": operations})

    _ = (openapi, docs)
    return router


def _operations(
    document: dict[str, Any], described: Sequence[APIRouter]
) -> Iterator[dict[str, Any]]:
    """Return each operation of the API as the page shows it."""
    roles = {
        (route.path, method.lower()): role_of(route)
        for router in described
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            body = told.get("requestBody", {}).get("content", {})
            yield {
                "id": told["operationId"],
                "method": method.upper(),
                "path": path,
                "summary": told.get("description") or told.get("summary", ""),
                "role": roles[path, method],
                "parameters": told.get("parameters", []),
                "body": [*body],
                "example": _example(body),
                "answers": sorted(told["responses"]),
            }


def _example(body: dict[str, Any]) -> str:
    for told in body.values():
        examples = told.get("schema", {}).get("examples") or told.get("examples")
        if isinstance(examples, list) and examples:
            return json.dumps(examples[0], indent=2)
    return ""
