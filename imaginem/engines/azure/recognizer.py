"""Face recognition by Azure Face: the service keeps the embeddings and compares them.

A face is searchable in two ways. Detection gives it a fresh id of the service, which expires after
a day and can be compared at once with up to a thousand others. In a face list it stays until it is
erased, and is found once `maintenance_timer` has had the list trained. SQL records which of
our faces has which id at the service; the service knows our face ids and nothing else of a job.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import face_account, face_lists
from imaginem.engines.azure.face_ids import FaceIds, ids_of
from imaginem.engines.azure.face_lists import FaceLists
from imaginem.engines.azure.face_search import Expired, FaceSearch, Search
from imaginem.engines.azure.face_service import (
    FACES_PER_CALL,
    RECOGNITION,
    FaceService,
    Similar,
)
from imaginem.engines.enrolled import best_matches, by_page, enrolled_qualities
from imaginem.engines.logs import logger_for
from imaginem.engines.match_tiers import MatchTiers
from imaginem.engines.parts import EngineParts
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceMatch, FacePrint
from imaginem.ports import (
    SEARCH_LIMIT,
    CallContext,
    EnrolledFace,
    FaceGallery,
    FaceRecognizer,
    JobKey,
    ServiceFaces,
    SimilarFace,
)
from imaginem.ports.face_places import place_in_file

_logger = logging.getLogger("imaginem.engines.azure")
# The service's three words on our scale of 0 to 1; see imaginem/engines/match_tiers.py.
_QUALITY = {"low": 0.2, "medium": 0.5, "high": 0.9}
_UNKNOWN_QUALITY = 0.5


class AzureRecognizer:
    """Recognizes faces; a match's confidence is the service's own.

    Args:
        service: the Face account.
        lists: the account's face lists.
        gallery: the faces that are known.
        known: which of our faces has which id at the service.
        tiers: how alike two faces must be.
        match_limit: most files with matches of a face in each group.
    """

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
        self._ids = FaceIds(service, gallery, known)
        self._lists = lists
        self._gallery = gallery
        self._known = known
        self._tiers = tiers
        self._limit = match_limit
        # The service knows no groups: it is asked for all that one call can return.
        self._searcher = FaceSearch(service, lists, known, FACES_PER_CALL)

    def enrol(
        self, key: JobKey, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[FacePrint]:
        """Put the faces into the gallery; one that the service can't add is left out."""
        if any(face.face_id is None for face in faces):
            raise PermanentError("job_output.facedetection.faces: a face has no face_id")
        known: list[Face] = []
        for shown, group in by_page(photo, faces):
            known += self._ids.identified(shown, group, replace(call, continues=bool(known)))
        enrolled = [self._enrolled(photo, face) for face in known]
        self._gallery.enrol(key, enrolled, run=call.run)
        self._known.note(ids_of(known))
        refused: dict[uuid.UUID, str] = {}
        for shown, group in by_page(photo, known):
            boxes = {face.face_id: _box(face) for face in group if face.face_id}
            refused |= self._lists.add(shown, boxes, call)
        if refused:
            for face_id, reason in refused.items():
                logger_for(_logger, call).warning("face %s is left out: %s", face_id, reason)
            enrolled = [face for face in enrolled if face.face_id not in refused]
            self._gallery.enrol(key, enrolled, run=call.run)
        return [
            FacePrint(face_id=face.face_id, model=face.model, dimensions=0, quality=face.quality)
            for face in enrolled
        ]

    def _enrolled(self, photo: Photo, face: Face) -> EnrolledFace:
        assert face.face_id is not None  # noqa: S101 - checked by enrol
        return EnrolledFace(
            face_id=face.face_id,
            model=self.name,
            embedding=b"",
            quality=_quality_of(face),
            rectangle=place_in_file(_box(face), face.page),
            photo_sha256=photo.sha256,
        )

    def match(
        self,
        key: JobKey,
        face_ids: Sequence[uuid.UUID],
        photo: Callable[[], Photo],
        call: CallContext,
    ) -> list[FaceMatch]:
        """Find faces of other jobs that look like these; a pair is kept for both of its faces."""
        own = {face.face_id for face in self._gallery.faces_of(key)}
        qualities = enrolled_qualities(self._gallery, own, face_ids)
        service_ids = self._ids.unexpired(list(qualities), photo, call)
        matches: list[FaceMatch] = []
        for number, face_id in enumerate(service_ids):
            # Read again for each face: the search before may have found that some ids expired.
            fresh = {
                service_id: other
                for service_id, other in self._known.fresh(datetime.now(UTC)).items()
                if other not in own
            }
            search = Search(service_ids[face_id], list(fresh), wait_for_quota=number > 0, call=call)
            results = self._similar(face_id, search, photo)
            confidences = self._by_face(results, fresh)
            others = {other: value for other, value in confidences.items() if other not in own}
            found = self._matches(face_id, others, qualities[face_id], self._limit)
            self._gallery.keep_matches(found)  # now: the search for the next face may fail
            matches += found
        return matches

    def search(
        self, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[tuple[Face, list[SimilarFace]]]:
        """Let the service compare the faces of a photo with those that it keeps."""
        faces = self._ids.identified(photo, faces, call)
        results = []
        for number, face in enumerate(faces):
            fresh = self._known.fresh(datetime.now(UTC))
            search = Search(
                str(face.service_face_id), list(fresh), wait_for_quota=number > 0, call=call
            )
            try:
                similar = self._searcher.everywhere(search)
            except Expired:
                raise RetryableError(
                    "Azure face: the id of a face expired as soon as it was given"
                ) from None
            confidences = self._by_face(similar, fresh)
            # The face has no face id: nothing of it is kept.
            nobody = uuid.UUID(int=0)
            matches = self._matches(nobody, confidences, _quality_of(face), SEARCH_LIMIT)
            results.append(
                (face, [SimilarFace(m.matched_face_id, m.confidence, m.band) for m in matches])
            )
        return results

    def _similar(
        self, face_id: uuid.UUID, search: Search, photo: Callable[[], Photo]
    ) -> list[tuple[str, Similar]]:
        """Search everywhere, and once more under a new id if the face's id has expired."""
        try:
            return self._searcher.everywhere(search)
        except Expired:
            renewed = self._ids.renewed([face_id], photo, search.call)
            if face_id not in renewed:
                return []
        search.face, search.wait_for_quota = renewed[face_id], True
        try:
            return self._searcher.everywhere(search)
        except Expired:
            raise RetryableError(
                f"Azure face: the id of face {face_id} expired as soon as it was given"
            ) from None

    def _by_face(
        self, results: Iterable[tuple[str, Similar]], fresh: dict[str, uuid.UUID]
    ) -> dict[uuid.UUID, float]:
        """Return the best confidence of each face, by our ids; faces without one are left out."""
        best: dict[uuid.UUID, float] = {}
        for list_id, similar in results:
            service_ids = [service_id for service_id, _ in similar]
            ours = self._known.owners(list_id, service_ids) if list_id else fresh
            for service_id, confidence in similar:
                if service_id in ours:
                    face_id = ours[service_id]
                    best[face_id] = max(confidence, best.get(face_id, 0.0))
        return best

    def _matches(
        self, face_id: uuid.UUID, confidences: dict[uuid.UUID, float], quality: float, limit: int
    ) -> list[FaceMatch]:
        """Return the matches of a face, best first.

        Args:
            face_id: of the face.
            confidences: of faces that look like it.
            quality: of the face itself.
            limit: files of each group at most.
        """
        near = {
            other: confidence
            for other, confidence in confidences.items()
            if confidence >= self._tiers.possible
        }
        qualities = self._gallery.qualities(list(near))
        matches = []
        for other, confidence in sorted(near.items(), key=lambda item: -item[1]):
            if other not in qualities:  # erased meanwhile
                continue
            band = self._tiers.of(confidence, qualities[other], quality)
            if band:
                matches.append(
                    FaceMatch(
                        face_id=face_id,
                        matched_face_id=other,
                        confidence=round(confidence, 4),
                        band=band,
                    )
                )
        return best_matches(self._gallery, matches, limit)


def engine_name(settings: Settings) -> str:
    """Return the model's name."""
    return AzureRecognizer.name


def make_engine(parts: EngineParts) -> FaceRecognizer:
    """Return the engine of `faceprint` and `facematch`."""
    settings = parts.settings
    return AzureRecognizer(
        face_account(parts),
        face_lists(parts),
        parts.gallery(),
        parts.service_faces(),
        tiers=MatchTiers(settings.match_threshold, settings.possible_threshold),
        match_limit=settings.match_limit,
    )


def _box(face: Face) -> tuple[int, int, int, int]:
    where = face.face_rectangle
    return where.left, where.top, where.width, where.height


def _quality_of(face: Face) -> float:
    word = face.face_attributes.quality_for_recognition
    return _QUALITY.get(str(word).lower(), _UNKNOWN_QUALITY)
