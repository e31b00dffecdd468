"""`/api/docs` and `/api/openapi.json`."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute

from imaginem.web import api
from imaginem.web.dependencies import Viewer
from imaginem.web.pages.render import render

router = APIRouter(prefix="/api")


def role_of(route: APIRoute) -> str:
    """Return the lowest app role that may call a route; empty if everybody may."""
    dependencies = route.dependant.dependencies
    roles = [getattr(dependency.call, "role", "") for dependency in dependencies]
    return next((str(role) for role in roles if role), "")


@router.get("/openapi.json")
def openapi(caller: Viewer, request: Request) -> JSONResponse:
    """Return the API's document."""
    return JSONResponse(_document(request))


@router.get("/docs")
def docs(caller: Viewer, request: Request) -> HTMLResponse:
    """Show the API's document."""
    return render(request, "docs.html", {"operations": list(_operations(_document(request)))})


def _document(request: Request) -> dict[str, Any]:
    app: FastAPI = request.app
    return app.openapi()


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return each operation of the API as the page shows it."""
    roles = {
        (route.path, method.lower()): role_of(route)
        for router in api.ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {})
            yield {
                "id": operation["operationId"],
                "method": method.upper(),
                "path": path,
                "summary": operation.get("description") or operation.get("summary", ""),
                "role": roles[path, method],
                "parameters": operation.get("parameters", []),
                "body": [*body],
                "example": _example(body),
                "answers": sorted(operation["responses"]),
            }


def _example(body: dict[str, Any]) -> str:
    for content in body.values():
        examples = content.get("schema", {}).get("examples") or content.get("examples")
        if isinstance(examples, list) and examples:
            return json.dumps(examples[0], indent=2)
    return ""
