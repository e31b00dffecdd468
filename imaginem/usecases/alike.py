"""Pairs of faces as people see them: with owners and decisions, and the same photo only once."""

import uuid
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from imaginem.outputs import FaceMatch
from imaginem.ports import COPIES_KEPT, DashboardServices, FaceOwner, JobKey, file_of
from imaginem.ports.face_places import place_on_page
from imaginem.ports.suppressed_faces import is_same_place
from imaginem.usecases.access import Caller, hidden_batches

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
        copies: the matched face in copies of its photo, as far as the caller may see.
        page: of the file that the matched face is in, from 1 on.
        file: `batch/job` of the first match in the same file: the same for all its pages and
            copies.
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
    copies: Sequence[FaceOwner] = ()
    page: int = 1
    file: str = ""

    @property
    def is_rejected(self) -> bool:
        """Whether a person said that these are two people."""
        return self.decision == REJECTED

    @property
    def matched_ids(self) -> list[uuid.UUID]:
        """The matched face, and the same one in copies of its photo."""
        return [self.matched_face_id, *(copy.face_id for copy in self.copies)]

    @property
    def jobs(self) -> list[JobKey]:
        """Jobs of the photo that the matched face is in, and of its copies."""
        return [(self.batch_id, self.job_id), *(copy.key for copy in self.copies)]

    @property
    def may_have_more_copies(self) -> bool:
        """Whether so many copies are known that more may not have been kept."""
        return len(self.copies) + 1 >= COPIES_KEPT


def visible_owners(
    services: DashboardServices, face_ids: Collection[uuid.UUID], caller: Caller
) -> dict[uuid.UUID, FaceOwner]:
    """Return whose photos faces are in, as far as the caller may see."""
    owners = services.gallery.owners(list(face_ids))
    hidden = hidden_batches(services, {owner.batch_id for owner in owners.values()}, caller)
    return {face_id: owner for face_id, owner in owners.items() if owner.batch_id not in hidden}


def reviewed_matches(
    services: DashboardServices,
    own: Sequence[FaceOwner],
    matches: Sequence[FaceMatch],
    caller: Caller,
) -> list[ReviewedMatch]:
    """Return pairs with owners and decisions, without hidden or erased ones.

    Args:
        services: know faces, photos and decisions.
        own: faces of which the pairs are.
        matches: their stored pairs, best first.
        caller: sees those of some batches only.
    """
    owners = visible_owners(services, {match.matched_face_id for match in matches}, caller)
    jobs = {face.key for face in (*own, *owners.values())} if owners else set()
    sent = services.submissions.photos(jobs) if jobs else {}
    faces = {face.face_id: face for face in own}
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
                same_photo=_is_same_photo(faces[match.face_id], owner, sent),
                page=place_on_page(owner.rectangle)[1],
            )
        )
    return fold_copies(reviewed, owners)


def _is_same_photo(one: FaceOwner, other: FaceOwner, sent: Mapping[JobKey, str]) -> bool:
    """Compare two faces' photos, by their bytes or by the addresses that were sent."""
    named = sent.get(one.key, "")
    same_bytes = one.photo_sha256 != "" and one.photo_sha256 == other.photo_sha256
    return same_bytes or (named != "" and named == sent.get(other.key))


def fold_copies(
    matches: Iterable[ReviewedMatch], owners: Mapping[uuid.UUID, FaceOwner]
) -> list[ReviewedMatch]:
    """Return matches with each face of a photo once, and with the file that it is in.

    Its copies go with the best one. What a person decided on one of them holds for all, since it is
    the same picture of the same face; of several decisions the last one does.

    Args:
        matches: best first.
        owners: of all matched faces.
    """
    places: dict[tuple[uuid.UUID | None, Hashable], list[list[ReviewedMatch]]] = {}
    folded: list[list[ReviewedMatch]] = []
    names: dict[Hashable, str] = {}
    for match in matches:
        owner = owners[match.matched_face_id]
        file = file_of(owner.in_photo)
        known = places.setdefault((match.face_id, file), [])
        same = next((each for each in known if _has_copy(each, owner, owners)), None)
        if same is None:
            same = []
            known.append(same)
            folded.append(same)
        name = names.setdefault(file, f"{match.batch_id}/{match.job_id}")
        same.append(replace(match, file=name))
    return [_as_one(same, owners) for same in folded]


def _has_copy(
    same: Sequence[ReviewedMatch], owner: FaceOwner, owners: Mapping[uuid.UUID, FaceOwner]
) -> bool:
    known = [owners[match.matched_face_id] for match in same]
    elsewhere = all(face.key != owner.key for face in known)
    return elsewhere and is_same_place(known[0].rectangle, owner.rectangle)


def _as_one(same: Sequence[ReviewedMatch], owners: Mapping[uuid.UUID, FaceOwner]) -> ReviewedMatch:
    best, *rest = same
    decided = [match for match in same if match.decision and match.reviewed_at is not None]
    last = max(decided, key=lambda match: match.reviewed_at or datetime.min, default=best)
    copies = sorted((owners[match.matched_face_id] for match in rest), key=lambda face: face.key)
    return replace(
        best,
        decision=last.decision,
        reviewer=last.reviewer,
        reviewed_at=last.reviewed_at,
        copies=copies,
    )


def may_have_more(matches: Iterable[ReviewedMatch], limit: int) -> bool:
    """Tell whether a face has matches in so many files that more may not have been kept.

    Args:
        matches: of one face or of several.
        limit: most files of which a face's matches are kept in each group.
    """
    counts = Counter(face_id for face_id, _ in {(match.face_id, match.file) for match in matches})
    return any(count >= limit for count in counts.values())
