"""`/api/faces`."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import Response

from imaginem.errors import NotFound
from imaginem.images.decoding import BYTE_LIMIT, decode_photo
from imaginem.names import job_prefix
from imaginem.outputs import FaceMatch
from imaginem.ports import DashboardServices, FacePair
from imaginem.web.access import Caller
from imaginem.web.api.batches import ONE_FILE, read_upload
from imaginem.web.api.images import IMAGE
from imaginem.web.api.models import FaceSearch, FoundFace, Match, VerdictAsked
from imaginem.web.context import Site
from imaginem.web.files import file_response
from imaginem.web.presenters import owner_of, told_matches
from imaginem.web.problems import responses

_SHOWN = 20


def search_faces(services: DashboardServices, data: bytes, caller: Caller) -> FaceSearch:
    """Return the faces of a photo, each with who looks like it; nothing is kept."""
    photo = decode_photo(data)
    faces = services.faces.detect(photo, for_recognition=True)
    found = []
    for face, similar in services.recognizer.search(photo, faces):
        pairs = [
            FaceMatch(
                face_id=uuid.UUID(int=0),
                matched_face_id=each.face_id,
                confidence=each.confidence,
                band=each.band,
            )
            for each in similar
        ]
        where = face.face_rectangle
        matches = [
            match.model_copy(update={"face_id": None})
            for match in told_matches(services, pairs, caller)[:_SHOWN]
        ]
        box = (where.left, where.top, where.width, where.height)
        found.append(FoundFace(rectangle=box, matches=matches))
    return FaceSearch(width=photo.width, height=photo.height, faces=found)


def judge_pair(
    services: DashboardServices, pair: FacePair, verdict: str, caller: Caller
) -> list[Match]:
    """Keep what a caller says of two faces; return the first one's matches.

    Raises:
        NotFound: they are no pair that anybody found alike, or hidden from the caller.
    """
    for each in pair:
        owner_of(services, each, caller)
    found = services.gallery.matches_of([pair[0]])
    if pair[1] not in {match.matched_face_id for match in found}:
        raise NotFound(f"face {pair[1]} is no match of face {pair[0]}")
    services.reviews.review(pair, verdict, caller.name)
    return told_matches(services, found, caller)


def face_routes(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/faces", tags=["faces"])
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    @router.post("/search", responses=responses(400, 413, 415, 422), dependencies=[ONE_FILE])
    def search(
        caller: Annotated[Caller, caseworker],
        file: Annotated[UploadFile, File(description="One photo, at most 20 MB; it is not kept.")],
    ) -> FaceSearch:
        """Find faces that look like those of a photo."""
        return search_faces(site.services(), read_upload(file), caller)

    @router.get("/{face_id}/matches", responses=responses(404, 422))
    def matches(caller: Annotated[Caller, viewer], face_id: uuid.UUID) -> list[Match]:
        """List the faces that look like a face of the gallery, best first."""
        services = site.services()
        owner_of(services, face_id, caller)
        return told_matches(services, services.gallery.matches_of([face_id]), caller)

    @router.get(
        "/{face_id}/image",
        responses={**IMAGE, **responses(404, 416, 422)},
        response_class=Response,
    )
    def image(caller: Annotated[Caller, viewer], request: Request, face_id: uuid.UUID) -> Response:
        """Show a face, as `facecrop` cut it out."""
        services = site.services()
        key = owner_of(services, face_id, caller)
        container = services.core_settings.faces_container
        data = services.blobs.get(container, f"{job_prefix(*key)}{face_id}.png", BYTE_LIMIT)
        return file_response(request, data, "image/png", str(face_id))

    @router.put("/{face_id}/matches/{other_id}/verdict", responses=responses(400, 404, 422))
    def judge(
        caller: Annotated[Caller, caseworker],
        face_id: uuid.UUID,
        other_id: uuid.UUID,
        said: VerdictAsked,
    ) -> list[Match]:
        """Confirm or reject that two faces are one person's; kept with who said so, and when."""
        pair = (face_id, other_id)
        return judge_pair(site.services(), pair, said.verdict, caller)

    _ = (search, matches, image, judge)
    return router
