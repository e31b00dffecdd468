"""People search while jobs are erased: no answer may tell of one that is gone."""

from collections import Counter
from typing import Protocol

from imaginem.errors import NotFound
from imaginem.ports import JobKey, PhotoFilter
from imaginem.testing import photo_bytes
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.faces import matches_of_face, search_faces
from imaginem.usecases.searching import find_photos
from tests.simulation.ledger import BrokenInvariant, Ledger
from tests.simulation.services import SimulatedServices

_PHOTO = photo_bytes(8, 8)


class Surroundings(Protocol):
    """What a search needs of the run."""

    ledger: Ledger
    happened: Counter[str]


def search_everything(around: Surroundings, services: SimulatedServices) -> None:
    """Search photos, faces of a photo, and who looks like a face.

    Raises:
        BrokenInvariant: an answer tells of a job that had been erased before it was asked for, and
            that nobody has sent since.
    """
    gone = set(around.ledger.erased)
    found = find_photos(services, PhotoFilter()).photos
    _check(around, gone, "a search for photos", {(one.batch_id, one.id) for one in found})
    gone = set(around.ledger.erased)
    faces = search_faces(services, _PHOTO, EVERYTHING).faces
    alike = [match for face in faces for match in face.matches]
    _check(around, gone, "a search for faces", {job for one in alike for job in one.jobs})
    for face_id in sorted({match.matched_face_id for match in alike}):
        gone = set(around.ledger.erased)
        try:
            matches = matches_of_face(services, face_id, EVERYTHING)
        except NotFound:  # erased meanwhile
            continue
        _check(around, gone, "matches", {job for one in matches for job in one.jobs})
        around.happened["faces whose matches were asked for"] += 1


def _check(around: Surroundings, gone: set[JobKey], what: str, shown: set[JobKey]) -> None:
    left = sorted(gone & around.ledger.erased & shown)
    if left:
        raise BrokenInvariant(f"{left[0]} was erased, but {what} shows it")
    around.happened["answers to searches"] += 1
    around.happened["answers to searches that something had been erased before"] += bool(gone)
