"""Faces told apart by Azure Face: who looks alike is found by the service, prints stay there.

A face is searchable in two ways. Its fresh id, which detection gives, lives a day and can be
compared at once with up to a thousand others. In a face list it stays, and is found once the
list is trained, which `maintenance` has done. SQL knows which face is called what; the service
knows nothing but our face ids.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from imaginem.engines.azure.face_lists import FaceLists
from imaginem.engines.azure.face_search import FaceSearch, Lapsed, Search
from imaginem.engines.azure.face_service import AT_ONCE, RECOGNITION, FaceService, Similar
from imaginem.engines.azure.faces import read_faces
from imaginem.engines.azure.payload import FACE_LIMITS, payload
from imaginem.engines.match_tiers import MatchTiers
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceMatch, FacePrint, Rectangle
from imaginem.ports import EnrolledFace, FaceGallery, JobKey, ServiceFaces, SimilarFace

_logger = logging.getLogger("imaginem.engines.azure")
# The service's three words on our scale; see imaginem/engines/match_tiers.py.
_QUALITY = {"low": 0.2, "medium": 0.5, "high": 0.9}
_UNTOLD_QUALITY = 0.5
_OVERLAP = 0.3  # two rectangles of one face share at least this much of their union
_CANDIDATES = 5  # as many for each match wanted: some are of the same job, some erased

_Live = dict[uuid.UUID, str]


class AzureRecognizer:
    """Tells faces apart; a match's confidence is the service's own."""

    name = f"azure-{RECOGNITION.replace('_', '-')}"

    def __init__(
        self,
        service: FaceService,
        lists: FaceLists,
        gallery: FaceGallery,
        known: ServiceFaces,
        *,
        tiers: MatchTiers,
        match_limit: int,
    ) -> None:
        self._service = service
        self._lists = lists
        self._gallery = gallery
        self._known = known
        self._tiers = tiers
        self._limit = match_limit
        most = min(max(match_limit * _CANDIDATES, 100), AT_ONCE)
        self._searcher = FaceSearch(service, lists, known, most)

    def enrol(self, key: JobKey, photo: Photo, faces: Sequence[Face]) -> list[FacePrint]:
        """Make the faces the job's faces; one that the service can't print is left out."""
        if any(face.face_id is None for face in faces):
            raise PermanentError("job_output.facedetection.faces: a face has no face_id")
        now = datetime.now(UTC)
        if any(not _lives(face, now) for face in faces):
            faces = self._identified(photo, faces)
        enrolled = [self._enrolled(photo, face) for face in faces]
        self._gallery.enrol(key, enrolled)
        self._known.note({name: live for face in faces for name, live in _noted(face)})
        refused = self._lists.add(photo, {face.face_id: face.rectangle for face in enrolled})
        if refused:
            for face_id, why in refused.items():
                _logger.warning("face %s has no print: %s", face_id, why)
            enrolled = [face for face in enrolled if face.face_id not in refused]
            self._gallery.enrol(key, enrolled)
        return [
            FacePrint(face_id=face.face_id, model=face.model, dimensions=0, quality=face.quality)
            for face in enrolled
        ]

    def _identified(self, photo: Photo, faces: Sequence[Face]) -> list[Face]:
        """Return the faces with ids of the service, by looking at the photo once more.

        Raises:
            LimitedAccess: the account may not give ids.
        """
        sent = payload(photo, FACE_LIMITS)
        found = read_faces(self._service.detect(sent, with_ids=True), sent, photo)
        named = []
        for face in faces:
            twin = max(found, key=lambda other: _overlap(face, other), default=None)
            if twin is None or _overlap(face, twin) < _OVERLAP:
                _logger.warning("face %s is not found by Azure Face: no print", face.face_id)
                continue
            named.append(
                face.model_copy(
                    update={
                        "service_face_id": twin.service_face_id,
                        "service_face_until": twin.service_face_until,
                        "face_attributes": twin.face_attributes,
                    }
                )
            )
        return named

    def _enrolled(self, photo: Photo, face: Face) -> EnrolledFace:
        where = face.face_rectangle
        assert face.face_id is not None  # noqa: S101 - checked by enrol
        return EnrolledFace(
            face_id=face.face_id,
            model=self.name,
            embedding=b"",
            quality=_quality_of(face),
            rectangle=(where.left, where.top, where.width, where.height),
            photo_sha256=photo.sha256,
        )

    def match(
        self, key: JobKey, face_ids: Sequence[uuid.UUID], photo: Callable[[], Photo]
    ) -> list[FaceMatch]:
        """Find who looks like these faces; the pairs are kept for both sides."""
        mine = {face.face_id for face in self._gallery.faces_of(key)}
        qualities = self._gallery.qualities([name for name in face_ids if name in mine])
        if face_ids and not qualities:
            raise PermanentError(
                "none of these faces is in the gallery: put faceprint before facematch in "
                "processing_pipeline"
            )
        live = self._live(list(qualities), photo)
        matches: list[FaceMatch] = []
        for number, face_id in enumerate(live):
            # Read anew for each face: the search before may have found that some lapsed.
            fresh = {
                name: face
                for name, face in self._known.fresh(datetime.now(UTC)).items()
                if face not in mine
            }
            search = Search(live[face_id], list(fresh), wait_for_quota=number > 0)
            found = self._similar(face_id, search, photo)
            alike: dict[uuid.UUID, float] = {}
            for other, confidence in self._named(found, fresh):
                if other not in mine:
                    alike[other] = max(confidence, alike.get(other, 0.0))
            banded = self._banded(face_id, alike, qualities)
            self._gallery.keep_matches(banded)  # kept, whatever becomes of the other faces
            matches += banded
        return matches

    def search(self, photo: Photo, faces: Sequence[Face]) -> list[tuple[Face, list[SimilarFace]]]:
        """Let the service compare the faces of a photo with those that it keeps."""
        now = datetime.now(UTC)
        if any(not _lives(face, now) for face in faces):
            faces = self._identified(photo, faces)
        found = []
        for number, face in enumerate(faces):
            fresh = self._known.fresh(datetime.now(UTC))
            search = Search(str(face.service_face_id), list(fresh), wait_for_quota=number > 0)
            try:
                told = self._searcher.everywhere(search)
            except Lapsed:
                raise RetryableError(
                    "Azure face: the id of a face lapsed as soon as it was given"
                ) from None
            alike: dict[uuid.UUID, float] = {}
            for other, confidence in self._named(told, fresh):
                alike[other] = max(confidence, alike.get(other, 0.0))
            asked = uuid.uuid4()
            banded = self._banded(asked, alike, {asked: _quality_of(face)})
            similar = [
                SimilarFace(each.matched_face_id, each.confidence, each.band) for each in banded
            ]
            found.append((face, similar))
        return found

    def _live(self, face_ids: Sequence[uuid.UUID], photo: Callable[[], Photo]) -> _Live:
        """Return the faces' ids at the service; those that lapsed are asked for again."""
        now = datetime.now(UTC)
        known = self._known.read(face_ids)
        live = {
            face_id: face.service_face_id
            for face_id, face in known.items()
            if face.service_face_id and face.lapses and face.lapses > now
        }
        lapsed = [face_id for face_id in face_ids if face_id not in live]
        return {**live, **self._revived(lapsed, photo)} if lapsed else live

    def _revived(self, face_ids: Sequence[uuid.UUID], photo: Callable[[], Photo]) -> _Live:
        owners = self._gallery.owners(face_ids)
        faces = [
            Face(
                face_id=face_id,
                face_rectangle=Rectangle(
                    left=owner.rectangle[0],
                    top=owner.rectangle[1],
                    width=owner.rectangle[2],
                    height=owner.rectangle[3],
                ),
            )
            for face_id, owner in owners.items()
        ]
        named = self._identified(photo(), faces)
        self._known.note({name: live for face in named for name, live in _noted(face)})
        return {name: live[0] for face in named for name, live in _noted(face)}

    def _similar(
        self, face_id: uuid.UUID, search: Search, photo: Callable[[], Photo]
    ) -> list[tuple[str, Similar]]:
        """Search everywhere; return what was found by list, the fresh ones under no list."""
        try:
            return self._searcher.everywhere(search)
        except Lapsed:
            revived = self._revived([face_id], photo)
            if face_id not in revived:
                return []
        search.face, search.wait_for_quota = revived[face_id], True
        try:
            return self._searcher.everywhere(search)
        except Lapsed:
            raise RetryableError(
                f"Azure face: the id of face {face_id} lapsed as soon as it was given"
            ) from None

    def _named(
        self, found: Iterable[tuple[str, Similar]], fresh: dict[str, uuid.UUID]
    ) -> Iterable[tuple[uuid.UUID, float]]:
        """Return what was found under our own ids; faces that nobody knows are left out."""
        for list_id, alike in found:
            names = [name for name, _ in alike]
            owners = self._known.owners(list_id, names) if list_id else fresh
            for name, confidence in alike:
                if name in owners:
                    yield owners[name], confidence

    def _banded(
        self, face_id: uuid.UUID, alike: dict[uuid.UUID, float], mine: dict[uuid.UUID, float]
    ) -> list[FaceMatch]:
        near = {i: c for i, c in alike.items() if c >= self._tiers.possible}
        qualities = self._gallery.qualities(list(near))
        matches = []
        for other, confidence in sorted(near.items(), key=lambda item: -item[1]):
            if other not in qualities:
                continue
            band = self._tiers.of(confidence, qualities[other], mine[face_id])
            if band:
                matches.append(
                    FaceMatch(
                        face_id=face_id,
                        matched_face_id=other,
                        confidence=round(confidence, 4),
                        band=band,
                    )
                )
        return matches[: self._limit]


def _quality_of(face: Face) -> float:
    told = face.face_attributes.quality_for_recognition
    return _QUALITY.get(str(told).lower(), _UNTOLD_QUALITY)


def _lives(face: Face, now: datetime) -> bool:
    return bool(face.service_face_id and face.service_face_until and face.service_face_until > now)


def _noted(face: Face) -> Iterable[tuple[uuid.UUID, tuple[str, datetime]]]:
    if face.face_id and face.service_face_id and face.service_face_until:
        yield face.face_id, (str(face.service_face_id), face.service_face_until)


def _overlap(one: Face, other: Face) -> float:
    """Return the share of two rectangles' union that they have in common."""
    a, b = one.face_rectangle, other.face_rectangle
    across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    down = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    if across <= 0 or down <= 0:
        return 0.0
    common = across * down
    return common / (a.width * a.height + b.width * b.height - common)
