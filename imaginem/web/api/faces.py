"""`/api/faces`."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, File, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from imaginem.errors import InvalidMessage
from imaginem.ports import SEARCH_LIMIT
from imaginem.usecases.faces import face_image, matches_of_face, review_pair, search_faces
from imaginem.usecases.forget_face import forget_face
from imaginem.usecases.looked import Looked, found_nobody, look_of_face
from imaginem.usecases.unsearched import at_work_for
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, WebDep
from imaginem.web.face_models import FaceSearch, VerdictAsked
from imaginem.web.files import PICTURE, file_response
from imaginem.web.models import Match
from imaginem.web.presenters import present_matches, present_search
from imaginem.web.problems import responses
from imaginem.web.receipt_models import Forgotten, present_erasure
from imaginem.web.requests import SEARCHED_MATCHES, one_file, read_upload

router = APIRouter(prefix="/api/faces", tags=["faces"])


@router.post(
    "/search",
    responses=responses(400, 408, 413, 415, 422),
    dependencies=[Depends(one_file)],
)
async def search(
    caller: Caseworker,
    web: WebDep,
    services: ServicesDep,
    file: Annotated[UploadFile, File(description="One photo, at most 20 MB; it is not kept.")],
    limit: Annotated[
        int,
        Query(
            ge=1,
            le=SEARCH_LIMIT,
            description="Files at most for each face; pages and copies of one count once.",
        ),
    ] = SEARCHED_MATCHES,
) -> FaceSearch:
    """Find faces that look like those of a photo."""
    found = await web.turns.run(lambda: search_faces(services, read_upload(file), caller, limit))
    return present_search(found, await run_in_threadpool(at_work_for, services, caller.groups))


@router.get("/{face_id}/matches", responses=responses(404, 422))
def matches(
    caller: Viewer, services: ServicesDep, response: Response, face_id: uuid.UUID
) -> list[Match]:
    """List the faces that look like a face of the gallery, best first.

    Where its own photo was not compared with the gallery, or none is alike and not all faces could
    be compared (`nobody_comparable`), the header `X-Looked` says so.
    """
    found = matches_of_face(services, face_id, caller)
    look = look_of_face(services, face_id, caller)
    told = found_nobody(services, face_id, look, caller) if not found else look.how
    if told not in ("nobody", Looked.DONE):
        response.headers["X-Looked"] = told
    return present_matches(found)


@router.get(
    "/{face_id}/image",
    responses={**PICTURE, **responses(404, 416, 422)},
    response_class=Response,
)
def image(caller: Viewer, services: ServicesDep, request: Request, face_id: uuid.UUID) -> Response:
    """Show a face, as `facecrop` cut it out."""
    data = face_image(services, face_id, caller)
    return file_response(request, data, "image/png", str(face_id))


@router.put(
    "/{face_id}/matches/{other_id}/verdict",
    responses=responses(400, 404, 422),
    name="judge",  # as the API's document calls it
)
def decide(
    caller: Caseworker,
    services: ServicesDep,
    face_id: uuid.UUID,
    other_id: uuid.UUID,
    review: VerdictAsked,
) -> list[Match]:
    """Confirm or reject that two faces are one person's; kept with who said so, and when."""
    return present_matches(review_pair(services, (face_id, other_id), review.verdict, caller))


@router.delete("/{face_id}", responses=responses(404, 422), response_model_exclude_defaults=True)
def erase(
    caller: Caseworker,
    services: ServicesDep,
    face_id: uuid.UUID,
    batch: Annotated[str, Query(max_length=512, description="Of its job.")] = "",
    job: Annotated[
        str, Query(max_length=512, description="With its batch: for one never enrolled.")
    ] = "",
) -> Forgotten:
    """Erase a face, which is not found again in its photo; the photo stays."""
    if bool(batch) != bool(job):
        raise InvalidMessage("batch and job: give both, or neither")
    done = forget_face(services, face_id, caller, (batch, job) if job else None)
    return present_erasure(services, done)
