"""The local face prints: embeddings in the gallery, matched by cosine similarity."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from imaginem.assets import AssetStore
from imaginem.engines.local.embedding import align, make_embedder
from imaginem.engines.local.landmarks import FIVE, Landmarks
from imaginem.engines.local.quality import quality
from imaginem.engines.match_tiers import MatchTiers
from imaginem.errors import NotFound, PermanentError
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceMatch, FacePrint
from imaginem.ports import SEARCH_LIMIT, EnrolledFace, FaceGallery, FaceIndex, JobKey, SimilarFace


class FaceEmbedder:
    """Makes embeddings of faces."""

    def __init__(self, store: AssetStore, model_file: Path | None = None) -> None:
        self._embedder = make_embedder(store, model_file)
        self._landmarks = Landmarks(store)

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._embedder.description.name

    @property
    def dimensions(self) -> int:
        """Return the length of an embedding."""
        return self._embedder.description.dimensions

    def embed(self, photo: Photo, face: Face) -> EnrolledFace:
        """Return a face's embedding and quality.

        Raises:
            PermanentError: it has no id, or lies outside the photo.
        """
        where = face.face_rectangle
        if face.face_id is None:
            raise PermanentError("job_output.facedetection.faces: a face has no face_id")
        if where.width < 2 or where.height < 2 or not _overlaps(face, photo):
            raise PermanentError(
                f"face {face.face_id} lies outside the photo: detect the faces of this photo again"
            )
        found = face.face_landmarks
        if not all(name in found for name in FIVE):  # a face that another detector found
            found = self._landmarks.points(photo.array, where)
        points = np.array([[found[name].x, found[name].y] for name in FIVE])
        aligned = align(photo.array, points)
        return EnrolledFace(
            face_id=face.face_id,
            model=self.name,
            embedding=self._embedder.embed(aligned).tobytes(),
            quality=quality(face, aligned),
            rectangle=(where.left, where.top, where.width, where.height),
            photo_sha256=photo.sha256,
        )


class LocalRecognizer:
    """Tells faces apart; a match's confidence is the cosine of the two embeddings."""

    def __init__(
        self,
        embedder: FaceEmbedder,
        gallery: FaceGallery,
        index: FaceIndex,
        *,
        tiers: MatchTiers,
        match_limit: int,
    ) -> None:
        self._embedder = embedder
        self._gallery = gallery
        self._index = index
        self._tiers = tiers
        self._limit = match_limit

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._embedder.name

    def enrol(self, key: JobKey, photo: Photo, faces: Sequence[Face]) -> list[FacePrint]:
        """Put the faces into the gallery as the job's faces."""
        enrolled = [self._embedder.embed(photo, face) for face in faces]
        self._gallery.enrol(key, enrolled)
        return [
            FacePrint(
                face_id=face.face_id,
                model=face.model,
                dimensions=self._embedder.dimensions,
                quality=face.quality,
            )
            for face in enrolled
        ]

    def match(
        self, key: JobKey, face_ids: Sequence[uuid.UUID], photo: Callable[[], Photo]
    ) -> list[FaceMatch]:
        """Find who looks like these faces; the pairs are kept for both sides."""
        own = {face.face_id for face in self._gallery.faces_of(key)}
        qualities = self._gallery.qualities([name for name in face_ids if name in own])
        if face_ids and not qualities:
            raise PermanentError(
                "none of these faces is in the gallery: put faceprint before facematch in "
                "processing_pipeline"
            )
        matches = []
        for face_id in qualities:  # a face that was erased meanwhile matches nobody
            try:
                alike = self._index.similar(
                    key, face_id, min_similarity=self._tiers.possible, limit=self._limit * 2
                )
            except NotFound:
                continue
            banded = [
                (other, self._tiers.of(other.similarity, other.quality, qualities[face_id]))
                for other in alike
            ]
            matches += [
                FaceMatch(
                    face_id=face_id,
                    matched_face_id=other.face_id,
                    confidence=round(min(other.similarity, 1.0), 4),
                    band=band,
                )
                for other, band in banded
                if band
            ][: self._limit]
        self._gallery.keep_matches(matches)
        return matches

    def search(self, photo: Photo, faces: Sequence[Face]) -> list[tuple[Face, list[SimilarFace]]]:
        """Compare the faces of a photo with the gallery's."""
        found = []
        for face in faces:
            made = self._embedder.embed(photo, face.model_copy(update={"face_id": uuid.uuid4()}))
            alike = self._index.nearest(
                made.model, made.embedding, min_similarity=self._tiers.possible, limit=SEARCH_LIMIT
            )
            banded = [
                SimilarFace(other.face_id, round(min(other.similarity, 1.0), 4), band)
                for other in alike
                if (band := self._tiers.of(other.similarity, other.quality, made.quality))
            ]
            found.append((face, banded))
        return found


def _overlaps(face: Face, photo: Photo) -> bool:
    where = face.face_rectangle
    across = where.left < photo.width and where.left + where.width > 0
    return across and where.top < photo.height and where.top + where.height > 0
