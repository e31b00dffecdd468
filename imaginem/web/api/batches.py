"""`/api/batches` and `/api/jobs`."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, HTTPException, Query, Request, UploadFile

from imaginem.errors import PermanentError
from imaginem.images.decoding import BYTE_LIMIT, check_photo
from imaginem.pipeline.steps import Registry
from imaginem.usecases.submit import job_id_of, submit_photo
from imaginem.web.access import Caller, check_batch
from imaginem.web.api.models import Accepted, Batches, Progress
from imaginem.web.context import Site, path, unpath
from imaginem.web.presenters import batch_of, progress_of
from imaginem.web.problems import responses

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str, Query(max_length=2000, description="Of the page before.")]


async def _one_file(request: Request) -> None:
    """Check that a form has one file: of several, the others would be lost without a word."""
    sent = len((await request.form()).getlist("file"))
    if sent > 1:
        raise HTTPException(422, f"file: send one photo a request; this one has {sent}")


ONE_FILE: Any = Depends(_one_file)


def read_upload(file: UploadFile) -> bytes:
    """Return an uploaded photo's bytes.

    Raises:
        HTTPException: 413 for too many bytes or pixels, 415 for what is no photo.
    """
    data = file.file.read(BYTE_LIMIT + 1)
    if len(data) > BYTE_LIMIT:
        raise HTTPException(
            413, f"file: the photo has more than {BYTE_LIMIT} bytes (20 MB): send a smaller copy"
        )
    try:
        check_photo(data)
    except PermanentError as problem:
        status = 413 if "pixels" in str(problem) else 415
        raise HTTPException(status, f"file: {problem}") from None
    return data


def accepted(batch_id: str, job_id: str, run: str) -> Accepted:
    """Return a job that is on its way."""
    url = f"/api/jobs/{path(batch_id)}/{path(job_id)}"
    return Accepted(batch_id=batch_id, job_id=job_id, run=run, url=url)


def batch_routes(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["batches"])
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    @router.get("/batches", responses=responses(422))
    def batches(
        caller: Annotated[Caller, viewer], cursor: Cursor = "", limit: Limit = 50
    ) -> Batches:
        """List batches, newest first."""
        page = site.services().batches.batches(caller.groups, cursor, limit)
        return Batches(batches=[batch_of(each) for each in page.batches], cursor=page.cursor)

    @router.get("/batches/{batch_id}", responses=responses(404, 422))
    def batch(caller: Annotated[Caller, viewer], batch_id: str) -> Progress:
        """Tell how far a batch has come, step by step; ask again every second or so."""
        services, name = site.services(), unpath(batch_id)
        check_batch(services.batches, name, caller)
        return progress_of(services, name)

    @router.post(
        "/batches/{batch_id}/images",
        status_code=201,
        responses=responses(400, 404, 413, 415, 422),
        dependencies=[ONE_FILE],
    )
    def upload(
        caller: Annotated[Caller, caseworker],
        batch_id: str,
        file: Annotated[UploadFile, File(description="One photo, at most 20 MB.")],
        pipeline: Annotated[
            str, Form(description="Steps with commas between; what they need is added.")
        ] = "",
        job_id: Annotated[
            str, Form(description="The same id again replaces the photo; made up if empty.")
        ] = "",
        group: Annotated[
            str, Form(max_length=200, description="Who may see the batch: an Entra group's id.")
        ] = "",
    ) -> Accepted:
        """Send one photo; it is processed at once. Send many in parallel."""
        services, name = site.services(), unpath(batch_id)
        check_batch(services.batches, name, caller)
        if not caller.may_see(group):
            raise HTTPException(422, "group: you are not in this group")
        wanted = [each.strip() for each in pipeline.split(",") if each.strip()]
        steps = _resolved(site, wanted) or list(services.core_settings.default_pipeline)
        check_first(site.registry, steps[0])
        data = read_upload(file)
        plain = (file.filename or "").encode("utf-8", "replace").decode()
        told = plain.replace("\\", "/").rsplit("/", 1)[-1] or "photo"
        job = job_id or f"{job_id_of(told)}-{hashlib.sha256(data).hexdigest()[:8]}"
        if not caller.may_see(services.batches.open_batch(name, group)):
            raise HTTPException(404, f"there is no batch {name}")  # somebody else was quicker
        return accepted(name, job, submit_photo(services, (name, job), told, data, steps))

    _ = (batches, batch, upload)
    return router


def check_first(registry: Registry, queue: str) -> None:
    """Check that a step serves the queue on which a job begins: else nobody would tell of it.

    Raises:
        HTTPException: 422, no step does.
    """
    if queue not in registry:
        told = registry.suggestion(queue)
        raise HTTPException(422, f"pipeline: no step is named {queue!r}{told}")


def _resolved(site: Site, wanted: list[str]) -> list[str]:
    """Return steps with what they need, before a step that closes; other queues stay."""
    own = [name for name in wanted if name in site.registry]
    others = [name for name in wanted if name not in site.registry]
    return [*site.registry.resolve(own), *others] if wanted else []
