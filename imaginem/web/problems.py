"""Errors as RFC 9457 problem documents; people's browsers get a page instead."""

from collections.abc import Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from imaginem.errors import (
    ConfigurationError,
    DiskFull,
    ImaginemError,
    InvalidMessage,
    NotFound,
    PermanentError,
    RetryableError,
    StorageUnavailable,
    disk_full,
)
from imaginem.images.bodies import BodyRefused
from imaginem.images.limits import OverLimit
from imaginem.redaction import one_line
from imaginem.usecases.access import absence
from imaginem.usecases.admission import JobIdTaken
from imaginem.usecases.poison import NewerRun
from imaginem.usecases.rerun import StillAtWork

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 10
_STATUS: dict[type[ImaginemError], int] = {
    DiskFull: 507,
    NotFound: 404,
    JobIdTaken: 409,
    NewerRun: 409,
    StillAtWork: 409,
    InvalidMessage: 422,
    OverLimit: 413,
    PermanentError: 422,
    RetryableError: 503,
    StorageUnavailable: 503,
    ConfigurationError: 503,
}


class Problem(BaseModel):
    """What went wrong, and what to do about it (RFC 9457)."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no batch spring"])
    field: str | None = Field(default=None, examples=["batch_id"])


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers, besides success, that a route documents."""
    described = (401, 403, 503, 507, *codes)
    return {
        code: {
            "model": Problem,
            "description": HTTPStatus(code).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for code in sorted(described)
    }


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks for a whole page, not a script for a part of one."""
    by_script = "hx-request" in request.headers or request.url.path.startswith("/api/")
    return not by_script and "text/html" in request.headers.get("accept", "")


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document."""
    document = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=one_line(detail, 1000), field=field
    )
    added = {"Retry-After": str(_RETRY_SECONDS)} if status == 503 else {}
    if status == 401:
        added["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        document.model_dump(exclude_none=True),
        status,
        headers={**added, **(headers or {})},
        media_type=MEDIA_TYPE,
    )


class ProblemHandlers:
    """Turns every error of an app into a problem document, or a page for a browser.

    Args:
        page: returns a page for a request, a status and a detail.
    """

    def __init__(self, page: Callable[[Request, int, str], Response]) -> None:
        self._page = page

    def handle(self, app: FastAPI) -> None:
        """Handle the errors of an app; for defects, see `defect`."""
        app.exception_handler(HTTPException)(self._refused)
        app.exception_handler(RequestValidationError)(self._invalid)
        app.exception_handler(ImaginemError)(self._known)
        app.exception_handler(OSError)(self._file)

    def defect(self, scope: MutableMapping[str, Any]) -> Response:
        """Return the answer to a request that raised an unexpected error."""
        return self._answer(Request(scope), 500, "a defect in Imaginem; its log has the details")

    def _file(self, request: Request, error: OSError) -> Response:
        full = disk_full(error)
        if full is None:
            raise error
        return self._known(request, full)

    def _refused(self, request: Request, error: HTTPException) -> Response:
        # FastAPI says only that it could not read the form, whose files wait on the disk.
        if isinstance(error.__cause__, BodyRefused):
            return self._known(request, error.__cause__)
        if isinstance(error.__cause__, OSError) and disk_full(error.__cause__) is not None:
            return self._file(request, error.__cause__)
        return self._answer(request, error.status_code, str(error.detail), headers=error.headers)

    def _invalid(self, request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        more = len(error.errors()) - 1
        detail = f"{where}: {first['msg']}" + (f" (and {more} more)" if more else "")
        return self._answer(request, 422, detail, where)

    def _known(self, request: Request, error: ImaginemError) -> Response:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
        if isinstance(error, BodyRefused):
            status = error.status
        return self._answer(request, status, str(error))

    def _answer(
        self,
        request: Request,
        status: int,
        detail: str,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        absent = _absence(request) if 400 <= status < 500 else ""
        if absent:
            status, detail, field, headers = 404, absent, None, None
        if wants_page(request):
            return self._page(request, status, one_line(detail, 1000))
        return problem(status, detail, field=field, headers=headers)


def _absence(request: Request) -> str:
    """Return that what the address names is not there; empty if it is, or names nothing.

    A hidden batch is refused before the rest of a request is looked at. What is wrong with the
    rest must not be told of an absent one either: the difference would tell that the other exists.
    """
    named: tuple[str, ...] = getattr(request.state, "named", ())
    if not named:
        return ""
    try:
        return absence(request.app.state.web.services(), *named)
    except ImaginemError:  # storage is away, or nothing can have this name: the error is told
        return ""
