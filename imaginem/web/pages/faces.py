"""`/faces`."""

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from imaginem.images.limits import PAGE_LIMIT
from imaginem.ports import DashboardServices
from imaginem.usecases.access import Caller
from imaginem.usecases.alike import may_have_more
from imaginem.usecases.audit.acting import state_purpose
from imaginem.usecases.faces import (
    matches_of_face,
    newest_faces,
    owner_of,
    review_pair,
    search_faces,
)
from imaginem.usecases.looked import found_nobody, look_of_face
from imaginem.usecases.unsearched import at_work_for
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, WebDep
from imaginem.web.pages.render import render
from imaginem.web.presenters import present_match, present_matches, present_search
from imaginem.web.requests import EMPTY_IS_NONE, one_file, read_upload

_RECENT_SHOWN = 36

router = APIRouter(prefix="/faces")


@router.get("")
def faces(
    caller: Viewer,
    services: ServicesDep,
    request: Request,
    face: Annotated[uuid.UUID | None, EMPTY_IS_NONE] = None,
) -> HTMLResponse:
    """Show recent faces, and the faces that look like the chosen one."""
    chosen = _chosen(services, face, caller) if face else None
    recent, has_more = newest_faces(services, caller, _RECENT_SHOWN)
    values = {
        "chosen": chosen,
        "recent": recent,
        "has_more": has_more,
        "purposes": services.core_settings.purposes,
    }
    return render(request, "faces.html", values)


def _chosen(services: DashboardServices, face_id: uuid.UUID, caller: Caller) -> dict[str, Any]:
    owner = owner_of(services, face_id, caller)
    matches, most = matches_of_face(services, face_id, caller), services.core_settings.match_limit
    look = look_of_face(services, face_id, caller)
    return {
        "face": face_id,
        "batch_id": owner.batch_id,
        "job_id": owner.job_id,
        "matches": present_matches(matches),
        "cut_at": most if may_have_more(matches, most) else 0,
        "look": look,
        "nobody": "" if matches else found_nobody(services, face_id, look, caller),
    }


@router.post("/search", dependencies=[Depends(one_file)])
async def search(
    caller: Caseworker,
    web: WebDep,
    services: ServicesDep,
    request: Request,
    file: Annotated[UploadFile, File()],
    purpose: Annotated[str, Form(max_length=200)] = "",
) -> HTMLResponse:
    """Show the faces that look like those of a photo."""
    state_purpose(purpose)
    faces = await web.turns.run(lambda: search_faces(services, read_upload(file), caller))
    left = await run_in_threadpool(at_work_for, services, caller.groups)
    values = {
        "search": present_search(faces, left),
        "page_limit": PAGE_LIMIT,
        "unsearched": left,
    }
    return render(request, "_search.html", values)


@router.post("/{face_id}/matches/{other_id}")
def review(
    caller: Caseworker,
    services: ServicesDep,
    request: Request,
    face_id: uuid.UUID,
    other_id: uuid.UUID,
    verdict: Annotated[Literal["confirmed", "rejected", ""], Form()] = "",
) -> HTMLResponse:
    """Store a person's decision on two faces, and show it."""
    matches = review_pair(services, (face_id, other_id), verdict, caller)
    (reviewed,) = [match for match in matches if other_id in match.matched_ids]
    return render(request, "_match.html", {"match": present_match(reviewed)})
