"""`/api/batches`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile

from imaginem.usecases.batches import view_batch
from imaginem.usecases.intake import Upload, receive_photo
from imaginem.web.addresses import unpath
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, VisibleBatch, WebDep
from imaginem.web.models import Accepted, Batches, Progress
from imaginem.web.presenters import present_batch, present_progress, present_sent
from imaginem.web.problems import responses
from imaginem.web.requests import Cursor, Limit, one_file, read_step_parameters, read_upload

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
    return present_progress(view_batch(services, batch_id))


@router.post(
    "/batches/{batch_id}/images",
    status_code=201,
    responses={
        200: {
            "model": Accepted,
            "description": "The photo is in the batch: nothing is sent",
        },
        **responses(400, 404, 408, 409, 413, 415, 422),
    },
    dependencies=[Depends(one_file)],
)
def upload(
    caller: Caseworker,
    web: WebDep,
    services: ServicesDep,
    response: Response,
    batch_id: str,
    file: Annotated[UploadFile, File(description="One photo, at most 20 MB.")],
    pipeline: Annotated[
        str, Form(description="Steps, separated by commas; those they require are added.")
    ] = "",
    raw: Annotated[
        bool, Form(description="Take the steps as they are given; others are other apps' queues.")
    ] = False,
    job_id: Annotated[
        str, Form(description="Refused if another photo has it; made of name and content if empty.")
    ] = "",
    again: Annotated[
        bool, Form(description="Run the job of the same photo again if it has ended.")
    ] = False,
    replace: Annotated[
        bool,
        Form(description="Take the job_id, and its results, from another photo."),
    ] = False,
    group: Annotated[
        str, Form(max_length=200, description="Who may see the batch: an Entra group's id.")
    ] = "",
    budget: Annotated[
        float | None,
        Form(
            gt=0, le=1e9, description="US dollars that the batch may spend, unless it has a budget."
        ),
    ] = None,
    parameters: Annotated[
        str,
        Form(
            description='What is said to steps, as JSON: `{"blurriness": {"limit": 50}}`. '
            "`/api/pipeline/steps` tells what each takes."
        ),
    ] = "",
) -> Accepted:
    """Send one photo; it is processed at once. Send many in parallel.

    A photo that is in the batch already (same name, same bytes) is answered with 200 and its job.
    """
    upload = Upload(
        batch_id=unpath(batch_id),
        read=partial(read_upload, file),
        filename=file.filename or "",
        pipeline=[name for part in pipeline.split(",") if (name := part.strip())],
        raw=raw,
        job_id=job_id,
        again=again,
        replace=replace,
        group=group,
        step_parameters=read_step_parameters(parameters),
        budget=budget,
    )
    job = receive_photo(services, web.registry, upload, caller)
    if not job.sent:
        response.status_code = 200
    return present_sent(job)
