"""Faces that look alike: searching, people's decisions, and the photo that a face is in."""

import hashlib
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from imaginem.errors import NotFound
from imaginem.images.decoding import decode_photo
from imaginem.images.limits import BYTE_LIMIT
from imaginem.names import job_prefix
from imaginem.outputs import FaceMatch, Rectangle
from imaginem.ports import (
    FACE_SEARCH,
    SEARCH_LIMIT,
    AuditDeed,
    AuditSubject,
    DashboardServices,
    FaceOwner,
    FacePair,
    JobKey,
    SimilarFace,
)
from imaginem.usecases.access import Caller, hidden_batches
from imaginem.usecases.audit.acting import note

NO_DECISION, REJECTED = "", "rejected"


@dataclass(frozen=True)
class ReviewedMatch:
    """A face that looks like another one, and what a person decided about the two.

    Attributes:
        face_id: the face that was searched for; None for a face of a photo that is not kept.
        matched_face_id: the face of the gallery that looks like it.
        confidence: as of `FaceMatch`.
        band: `match` or `possible`.
        batch_id, job_id: of the photo that the matched face is in.
        decision: `confirmed` or `rejected`; empty when nobody has decided.
        reviewer: who decided.
        reviewed_at: when.
        same_photo: the matched face is in the same photo, which was sent more than once.
    """

    face_id: uuid.UUID | None
    matched_face_id: uuid.UUID
    confidence: float
    band: str
    batch_id: str
    job_id: str
    decision: str = NO_DECISION
    reviewer: str = ""
    reviewed_at: datetime | None = None
    same_photo: bool = False

    @property
    def is_rejected(self) -> bool:
        """Whether a person said that these are two people."""
        return self.decision == REJECTED


@dataclass(frozen=True)
class SearchedFace:
    """A face of the photo that was searched with, and who looks like it, best first."""

    rectangle: Rectangle
    matches: Sequence[ReviewedMatch]


@dataclass(frozen=True)
class FaceSearch:
    """The faces of a photo; width and height, in pixels, are those of the upright photo."""

    width: int
    height: int
    faces: Sequence[SearchedFace]


def search_faces(
    services: DashboardServices, photo: bytes, caller: Caller, limit: int = SEARCH_LIMIT
) -> FaceSearch:
    """Return the faces of a photo, each with who looks like it; nothing is kept.

    Args:
        services: their engines and gallery are used.
        photo: the file's bytes.
        caller: sees matches of some batches only.
        limit: matches at most for each face, of those that the caller may see.

    Raises:
        PermanentError: the photo can't be decoded.
    """
    note(services, AuditDeed.SEARCHED_FACES, AuditSubject.PHOTOS)
    decoded = decode_photo(photo)
    detected = services.faces.detect(decoded, FACE_SEARCH, for_recognition=True)
    similar = services.recognizer.search(decoded, detected, FACE_SEARCH)
    ids = {neighbor.face_id for _, neighbors in similar for neighbor in neighbors}
    owners = _visible_owners(services, ids, caller)
    copies = _copies(services, hashlib.sha256(photo).hexdigest(), owners.values())
    return FaceSearch(
        width=decoded.width,
        height=decoded.height,
        faces=[
            SearchedFace(face.face_rectangle, _owned(neighbors, owners, copies)[:limit])
            for face, neighbors in similar
        ],
    )


def _owned(
    neighbors: Sequence[SimilarFace], owners: dict[uuid.UUID, FaceOwner], copies: set[JobKey]
) -> list[ReviewedMatch]:
    return [
        ReviewedMatch(
            face_id=None,
            matched_face_id=neighbor.face_id,
            confidence=neighbor.confidence,
            band=neighbor.band,
            batch_id=owner.batch_id,
            job_id=owner.job_id,
            same_photo=(owner.batch_id, owner.job_id) in copies,
        )
        for neighbor in neighbors
        if (owner := owners.get(neighbor.face_id))
    ]


def matches_of_face(
    services: DashboardServices, face_id: uuid.UUID, caller: Caller
) -> list[ReviewedMatch]:
    """Return who looks like a face of the gallery, best first, as far as the caller may see.

    Raises:
        NotFound: the face is not in the gallery, or hidden from the caller.
    """
    owner = owner_of(services, face_id, caller)
    key = (owner.batch_id, owner.job_id)
    note(services, AuditDeed.VIEWED, AuditSubject.FACE, str(face_id))
    return _reviewed(services, key, services.gallery.matches_of([face_id]), caller)


def matches_of_job(services: DashboardServices, key: JobKey, caller: Caller) -> list[ReviewedMatch]:
    """Return who looks like a job's faces, best first, as far as the caller may see."""
    face_ids = [face.face_id for face in services.gallery.faces_of(key)]
    return _reviewed(services, key, services.gallery.matches_of(face_ids), caller)


def review_pair(
    services: DashboardServices, pair: FacePair, decision: str, caller: Caller
) -> list[ReviewedMatch]:
    """Store a caller's decision on two faces; return the first one's matches.

    Args:
        services: keep the faces and the decisions.
        pair: two faces with a stored match.
        decision: `confirmed` or `rejected`; empty removes the earlier decision.
        caller: stored as the reviewer.

    Raises:
        NotFound: the two do not match, or one is hidden from the caller.
    """
    owner, _ = [owner_of(services, face_id, caller) for face_id in pair]
    matches = services.gallery.matches_of([pair[0]])
    if pair[1] not in {match.matched_face_id for match in matches}:
        raise NotFound(f"face {pair[1]} is no match of face {pair[0]}")
    note(services, AuditDeed.REVIEWED, AuditSubject.FACE, str(pair[0]))
    services.reviews.review(pair, decision, caller.name)
    return _reviewed(services, (owner.batch_id, owner.job_id), matches, caller)


def owner_of(services: DashboardServices, face_id: uuid.UUID, caller: Caller) -> FaceOwner:
    """Return whose photo a face is in.

    Raises:
        NotFound: the face is not in the gallery, or hidden from the caller.
    """
    owner = _visible_owners(services, [face_id], caller).get(face_id)
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
    services: DashboardServices, key: JobKey, matches: Sequence[FaceMatch], caller: Caller
) -> list[ReviewedMatch]:
    """Return pairs of a job's faces with owners and decisions, without hidden or erased ones."""
    owners = _visible_owners(services, {match.matched_face_id for match in matches}, caller)
    own = services.submissions.photos([key]).get(key, "") if owners else ""
    copies = _copies(services, own, owners.values())
    reviews = services.reviews.decisions(list({match.face_id for match in matches}))
    reviewed = []
    for match in matches:
        owner = owners.get(match.matched_face_id)
        if owner is None:
            continue
        review = reviews.get((match.face_id, match.matched_face_id))
        reviewed.append(
            ReviewedMatch(
                face_id=match.face_id,
                matched_face_id=match.matched_face_id,
                confidence=match.confidence,
                band=match.band,
                batch_id=owner.batch_id,
                job_id=owner.job_id,
                decision=review.decision if review else NO_DECISION,
                reviewer=review.reviewer if review else "",
                reviewed_at=review.at if review else None,
                same_photo=(owner.batch_id, owner.job_id) in copies,
            )
        )
    return reviewed


def _copies(services: DashboardServices, photo: str, owners: Iterable[FaceOwner]) -> set[JobKey]:
    """Return the jobs whose photo is the very same one.

    Args:
        services: know which photos were sent.
        photo: SHA-256 that names it; empty if it is not known.
        owners: of the faces in question.
    """
    if not photo:
        return set()
    sent = services.submissions.photos({(owner.batch_id, owner.job_id) for owner in owners})
    return {key for key, other in sent.items() if other == photo}


def _visible_owners(
    services: DashboardServices, face_ids: Collection[uuid.UUID], caller: Caller
) -> dict[uuid.UUID, FaceOwner]:
    owners = services.gallery.owners(list(face_ids))
    hidden = hidden_batches(services, {owner.batch_id for owner in owners.values()}, caller)
    return {face_id: owner for face_id, owner in owners.items() if owner.batch_id not in hidden}
