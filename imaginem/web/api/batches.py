"""`/api/batches`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, UploadFile

from imaginem.usecases.batches import batch_overview
from imaginem.usecases.intake import Upload, receive_photo
from imaginem.web.addresses import unpath
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, VisibleBatch, WebDep
from imaginem.web.models import Accepted, Batches, Progress
from imaginem.web.presenters import present_batch, present_progress, present_sent
from imaginem.web.problems import responses
from imaginem.web.requests import Cursor, Limit, one_file, read_upload

router = APIRouter(prefix="/api", tags=["batches"])


@router.get("/batches", responses=responses(422))
def batches(
    caller: Viewer, services: ServicesDep, cursor: Cursor = "", limit: Limit = 50
) -> Batches:
    """List batches, newest first."""
    page = services.batches.batches(caller.groups, cursor, limit)
    return Batches(batches=[present_batch(info) for info in page.batches], cursor=page.cursor)


@router.get("/batches/{batch_id}", responses=responses(404, 422))
def batch(caller: Viewer, services: ServicesDep, batch_id: VisibleBatch) -> Progress:
    """Return a batch's progress, step by step; a client may poll it every second."""
    return present_progress(batch_overview(services, batch_id))


@router.post(
    "/batches/{batch_id}/images",
    status_code=201,
    responses=responses(400, 404, 413, 415, 422),
    dependencies=[Depends(one_file)],
)
def upload(
    caller: Caseworker,
    web: WebDep,
    services: ServicesDep,
    batch_id: str,
    file: Annotated[UploadFile, File(description="One photo, at most 20 MB.")],
    pipeline: Annotated[
        str, Form(description="Steps, separated by commas; those they require are added.")
    ] = "",
    job_id: Annotated[
        str, Form(description="An id used before replaces that photo; made if empty.")
    ] = "",
    group: Annotated[
        str, Form(max_length=200, description="Who may see the batch: an Entra group's id.")
    ] = "",
) -> Accepted:
    """Send one photo; it is processed at once. Send many in parallel."""
    sent = Upload(
        batch_id=unpath(batch_id),
        read=partial(read_upload, file),
        filename=file.filename or "",
        pipeline=[name for part in pipeline.split(",") if (name := part.strip())],
        job_id=job_id,
        group=group,
    )
    return present_sent(receive_photo(services, web.registry, sent, caller))
