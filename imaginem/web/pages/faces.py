"""`/faces`."""

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse

from imaginem.web.access import Caller
from imaginem.web.api.batches import ONE_FILE, read_upload
from imaginem.web.api.faces import judge_pair, search_faces
from imaginem.web.api.images import EMPTY_IS_NONE
from imaginem.web.context import Site
from imaginem.web.pages.render import render
from imaginem.web.presenters import owner_of, told_matches

_PICKED = 36


def face_pages(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/faces")
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    def matches(face_id: uuid.UUID, caller: Caller) -> dict[str, Any]:
        services = site.services()
        batch_id, job_id = owner_of(services, face_id, caller)
        found = told_matches(services, services.gallery.matches_of([face_id]), caller)
        return {"face": face_id, "batch_id": batch_id, "job_id": job_id, "matches": found}

    @router.get("")
    def faces(
        caller: Annotated[Caller, viewer],
        request: Request,
        face: Annotated[uuid.UUID | None, EMPTY_IS_NONE] = None,
    ) -> HTMLResponse:
        chosen = matches(face, caller) if face else None
        recent = site.services().gallery.recent_faces(caller.groups, _PICKED)
        return render(request, "faces.html", {"chosen": chosen, "recent": recent})

    @router.post("/search", dependencies=[ONE_FILE])
    def search(
        caller: Annotated[Caller, caseworker], request: Request, file: Annotated[UploadFile, File()]
    ) -> HTMLResponse:
        found = search_faces(site.services(), read_upload(file), caller)
        return render(request, "_search.html", {"found": found})

    @router.post("/{face_id}/matches/{other_id}")
    def judge(
        caller: Annotated[Caller, caseworker],
        request: Request,
        face_id: uuid.UUID,
        other_id: uuid.UUID,
        verdict: Annotated[Literal["confirmed", "rejected", ""], Form()] = "",
    ) -> HTMLResponse:
        found = judge_pair(site.services(), (face_id, other_id), verdict, caller)
        (told,) = [match for match in found if match.matched_face_id == other_id]
        return render(request, "_match.html", {"match": told})

    _ = (faces, search, judge)
    return router
