"""Faces that look alike: searching, people's decisions, and the photo that a face is in."""

import hashlib
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from imaginem.errors import NotFound
from imaginem.images.decoding import decode_photo
from imaginem.images.limits import BYTE_LIMIT
from imaginem.names import job_prefix
from imaginem.outputs import Rectangle
from imaginem.ports import (
    FACE_SEARCH,
    SEARCH_LIMIT,
    AuditDeed,
    AuditSubject,
    DashboardServices,
    FaceOwner,
    FacePair,
    InPhoto,
    JobKey,
    SimilarFace,
)
from imaginem.ports.face_places import place_on_page
from imaginem.ports.suppressed_faces import is_same_place
from imaginem.usecases.access import Caller
from imaginem.usecases.alike import (
    ReviewedMatch,
    fold_copies,
    reviewed_matches,
    visible_owners,
)
from imaginem.usecases.audit.acting import note

_COPIES_EXPECTED = 5
"""How often one photo may be among the newest before others have no room."""


@dataclass(frozen=True)
class SearchedFace:
    """A face of the photo that was searched with, and who looks like it, best first.

    Attributes:
        not_shown: how many more files show somebody who looks like it; a search finds
            `SEARCH_LIMIT` of each group at most.
        page: of the photo's file, from 1 on; None if that has one.
    """

    rectangle: Rectangle
    matches: Sequence[ReviewedMatch]
    not_shown: int = 0
    page: int | None = None

    @property
    def files(self) -> int:
        """How many different photos or scans the matches are in."""
        return len({match.file for match in self.matches})

    @property
    def may_have_more(self) -> bool:
        """Whether so many were found that more may look like it."""
        return self.files + self.not_shown >= SEARCH_LIMIT


@dataclass(frozen=True)
class FaceSearch:
    """The faces of a photo; width and height, in pixels, are those of the upright photo.

    Of a file of several pages they are those of the first.

    Attributes:
        not_compared: faces that were found in it, and that the engine can't compare.
        has_other_models: another model enrolled some faces of the gallery: those were not compared.
        pages: how many the file has; the first hundred at most were looked at.
        unread_pages: numbers of those that could not be decoded.
        ends_early: the file lacks its end.
    """

    width: int
    height: int
    faces: Sequence[SearchedFace]
    not_compared: int = 0
    has_other_models: bool = False
    pages: int = 1
    unread_pages: Sequence[int] = ()
    ends_early: bool = False


def search_faces(
    services: DashboardServices, photo: bytes, caller: Caller, limit: int = SEARCH_LIMIT
) -> FaceSearch:
    """Return the faces of a photo, page by page, each with who looks like it; nothing is kept.

    Args:
        services: their engines and gallery are used.
        photo: the file's bytes.
        caller: sees matches of some batches only.
        limit: files at most for each face, of those that the caller may see: pages of a file and
            copies of a photo count as one.

    Raises:
        PermanentError: the photo can't be decoded; a later page that can't is left out.
    """
    note(services, AuditDeed.SEARCHED_FACES, AuditSubject.PHOTOS)
    decoded = decode_photo(photo)
    detected, similar = 0, []
    for page in decoded.pages():
        call = replace(FACE_SEARCH, continues=page.page not in (None, 1))
        faces = services.faces.detect(page, call, for_recognition=True)
        detected += len(faces)
        found = services.recognizer.search(page, faces, call) if faces else []
        similar += [(face, page.page, neighbors) for face, neighbors in found]
    ids = {neighbor.face_id for *_, neighbors in similar for neighbor in neighbors}
    owners = visible_owners(services, ids, caller)
    digest = hashlib.sha256(photo).hexdigest()
    sent = services.submissions.photos({owner.key for owner in owners.values()})
    copies = {
        owner.face_id
        for owner in owners.values()
        if digest in (owner.photo_sha256, sent.get(owner.key))
    }
    return FaceSearch(
        width=decoded.width,
        height=decoded.height,
        faces=[
            _searched(face.face_rectangle, page, _owned(neighbors, owners, copies), limit)
            for face, page, neighbors in similar
        ],
        not_compared=detected - len(similar),
        has_other_models=detected > 0
        and services.gallery.has_other_models(services.recognizer.name, caller.groups),
        pages=decoded.page_count,
        unread_pages=sorted(decoded.unread_pages),
        ends_early=decoded.ends_early,
    )


def _searched(
    rectangle: Rectangle, page: int | None, matches: Sequence[ReviewedMatch], limit: int
) -> SearchedFace:
    files = list(dict.fromkeys(match.file for match in matches))
    best = set(files[:limit])
    shown = [match for match in matches if match.file in best]
    return SearchedFace(rectangle, shown, max(0, len(files) - limit), page)


def _owned(
    neighbors: Sequence[SimilarFace],
    owners: dict[uuid.UUID, FaceOwner],
    copies: Collection[uuid.UUID],
) -> list[ReviewedMatch]:
    matches = [
        ReviewedMatch(
            face_id=None,
            matched_face_id=neighbor.face_id,
            confidence=neighbor.confidence,
            band=neighbor.band,
            batch_id=owner.batch_id,
            job_id=owner.job_id,
            same_photo=neighbor.face_id in copies,
            page=place_on_page(owner.rectangle)[1],
        )
        for neighbor in neighbors
        if (owner := owners.get(neighbor.face_id))
    ]
    return fold_copies(matches, owners)


def matches_of_face(
    services: DashboardServices, face_id: uuid.UUID, caller: Caller
) -> list[ReviewedMatch]:
    """Return who looks like a face of the gallery, best first, as far as the caller may see.

    Raises:
        NotFound: the face is not in the gallery, or hidden from the caller.
    """
    owner = owner_of(services, face_id, caller)
    note(services, AuditDeed.VIEWED, AuditSubject.FACE, str(face_id))
    return _reviewed(services, [owner], caller)


def matches_of_job(services: DashboardServices, key: JobKey, caller: Caller) -> list[ReviewedMatch]:
    """Return who looks like a job's faces, best first, as far as the caller may see."""
    return _reviewed(services, services.gallery.faces_of(key), caller)


def review_pair(
    services: DashboardServices, pair: FacePair, decision: str, caller: Caller
) -> list[ReviewedMatch]:
    """Store a caller's decision on two faces; return the first one's matches.

    The decision is stored for the same two faces in copies of their photos, too, as far as the
    caller may see them.

    Args:
        services: keep the faces and the decisions.
        pair: two faces with a stored match.
        decision: `confirmed` or `rejected`; empty removes the earlier decision.
        caller: stored as the reviewer.

    Raises:
        NotFound: the two do not match, or one is hidden from the caller.
    """
    own, _ = [owner_of(services, face_id, caller) for face_id in pair]
    matches = _reviewed(services, [own], caller)
    judged = next((match for match in matches if pair[1] in match.matched_ids), None)
    if judged is None:
        raise NotFound(f"face {pair[1]} is no match of face {pair[0]}")
    copies = _copies_of_pair(services, own, judged, matches) - {pair}
    for face_id in sorted({pair[0], *(one for one, _ in copies)}):
        note(services, AuditDeed.REVIEWED, AuditSubject.FACE, str(face_id))
    services.reviews.review(pair, decision, caller.name)
    for copy in sorted(copies):
        with suppress(NotFound):  # erased meanwhile
            services.reviews.review(copy, decision, caller.name)
    return _reviewed(services, [own], caller)


def _copies_of_pair(
    services: DashboardServices,
    own: FaceOwner,
    judged: ReviewedMatch,
    matches: Sequence[ReviewedMatch],
) -> set[FacePair]:
    """Return the stored pairs of the same two faces in copies of their photos.

    Args:
        services: keep the pairs.
        own: the first face.
        judged: its match with the second one.
        matches: all of the first face that the caller may see.
    """
    others = set(judged.matched_ids)
    pairs = {(own.face_id, other) for other in others}
    again = [face_id for match in matches if match.same_photo for face_id in match.matched_ids]
    twins = [
        face.face_id
        for face in (services.gallery.owners(again).values() if again else ())
        if is_same_place(face.rectangle, own.rectangle)
    ]
    stored = services.gallery.matches_of(twins) if twins else []
    return pairs | {
        (match.face_id, match.matched_face_id)
        for match in stored
        if match.matched_face_id in others
    }


def newest_faces(
    services: DashboardServices, caller: Caller, limit: int
) -> tuple[list[FaceOwner], bool]:
    """Return the faces that were enrolled last, newest first, and whether there are others.

    Args:
        services: keep the faces.
        caller: sees those of some batches only.
        limit: faces at most; copies of a photo show nobody else, so they are left out.
    """
    wanted = limit * _COPIES_EXPECTED
    newest = services.gallery.recent_faces(caller.groups, wanted)
    shown: dict[InPhoto, FaceOwner] = {}
    for face in newest:
        shown.setdefault(face.in_photo, face)
    faces = list(shown.values())
    return faces[:limit], len(faces) > limit or len(newest) == wanted


def owner_of(services: DashboardServices, face_id: uuid.UUID, caller: Caller) -> FaceOwner:
    """Return whose photo a face is in.

    Raises:
        NotFound: the face is not in the gallery, or hidden from the caller.
    """
    owner = visible_owners(services, [face_id], caller).get(face_id)
    if owner is None:
        raise NotFound(f"there is no face {face_id}")
    return owner


def face_image(services: DashboardServices, face_id: uuid.UUID, caller: Caller) -> bytes:
    """Return a face as `facecrop` cut it out: a PNG.

    Raises:
        NotFound: there is none, or it is hidden from the caller.
    """
    owner = owner_of(services, face_id, caller)
    note(services, AuditDeed.VIEWED, AuditSubject.FACE, str(face_id))
    container = services.core_settings.faces_container
    name = f"{job_prefix(owner.batch_id, owner.job_id)}{face_id}.png"
    return services.blobs.get(container, name, BYTE_LIMIT)


def _reviewed(
    services: DashboardServices, faces: Sequence[FaceOwner], caller: Caller
) -> list[ReviewedMatch]:
    matches = services.gallery.matches_of([face.face_id for face in faces])
    return reviewed_matches(services, faces, matches, caller)
