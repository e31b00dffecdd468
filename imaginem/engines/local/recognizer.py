"""The local face recognizer: embeddings in the gallery, compared by cosine similarity."""

import logging
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from imaginem.assets import AssetStore
from imaginem.config.settings import Settings
from imaginem.engines.enrolled import best_matches, by_page, enrolled_qualities
from imaginem.engines.local.embedding import align, describe, make_embedder
from imaginem.engines.local.landmarks import FIVE, Landmarks
from imaginem.engines.local.models import RuntimeSetting
from imaginem.engines.local.photo_faults import photo_faults
from imaginem.engines.local.quality import quality
from imaginem.engines.logs import logger_for
from imaginem.engines.match_tiers import MatchTiers
from imaginem.engines.parts import EngineParts
from imaginem.errors import NotFound, PermanentError
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceMatch, FacePrint
from imaginem.ports import (
    SEARCH_LIMIT,
    CallContext,
    EnrolledFace,
    FaceGallery,
    FaceIndex,
    FaceRecognizer,
    JobKey,
    Neighbor,
    SimilarFace,
)
from imaginem.ports.face_places import place_in_file

_TIMES, _MOST_TIMES = 4, 64
"""How much more is asked for at once, and at most, where near faces are not alike enough."""
_logger = logging.getLogger("imaginem.engines.local")


class FaceEmbedder:
    """Makes embeddings of faces.

    Args:
        store: has the weights.
        model_file: describes a user's own model; None for the built-in.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(
        self,
        store: AssetStore,
        model_file: Path | None = None,
        runtime: RuntimeSetting = "auto",
    ) -> None:
        self._embedder = make_embedder(store, model_file, runtime)
        self._landmarks = Landmarks(store, runtime)

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._embedder.description.name

    @property
    def dimensions(self) -> int:
        """Return the length of an embedding."""
        return self._embedder.description.dimensions

    @photo_faults("recognize a face in it")
    def embed(self, photo: Photo, face: Face) -> EnrolledFace:
        """Return a face's embedding and quality.

        Raises:
            PermanentError: it has no face id, or lies outside the photo.
        """
        where = face.face_rectangle
        if face.face_id is None:
            raise PermanentError("job_output.facedetection.faces: a face has no face_id")
        if where.width < 2 or where.height < 2 or not _overlaps(face, photo):
            raise PermanentError(
                f"face {face.face_id} lies outside the photo: detect the faces of this photo again"
            )
        spots = face.face_landmarks
        if not all(name in spots for name in FIVE):  # another detector found the face
            spots = self._landmarks.points(photo.array, where)
        points = np.array([[spots[name].x, spots[name].y] for name in FIVE])
        aligned = align(photo.array, points)
        embedding, tells = self._embedder.measure(aligned)
        return EnrolledFace(
            face_id=face.face_id,
            model=self.name,
            embedding=embedding.tobytes(),
            quality=quality(face, aligned, tells),
            rectangle=place_in_file((where.left, where.top, where.width, where.height), face.page),
            photo_sha256=photo.sha256,
        )


class LocalRecognizer:
    """Recognizes faces; a match's confidence is the cosine of the two embeddings.

    Args:
        embedder: makes embeddings.
        gallery: keeps the faces.
        index: finds faces by their embeddings.
        tiers: how alike two faces must be.
        match_limit: most files with matches of a face in each group.
    """

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

    def enrol(
        self, key: JobKey, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[FacePrint]:
        """Put the faces into the gallery as the job's faces."""
        enrolled = [
            self._embedder.embed(shown, face)
            for shown, group in by_page(photo, faces)
            for face in group
        ]
        self._gallery.enrol(key, enrolled, run=call.run)
        logger_for(_logger, call).debug("%s: %d faces enrolled", self.name, len(enrolled))
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
        self,
        key: JobKey,
        face_ids: Sequence[uuid.UUID],
        photo: Callable[[], Photo],
        call: CallContext,
    ) -> list[FaceMatch]:
        """Find faces of other jobs that look like these; a pair is kept for both of its faces."""
        own = {face.face_id for face in self._gallery.faces_of(key)}
        qualities = enrolled_qualities(self._gallery, own, face_ids)
        matches = []
        for face_id in qualities:  # a face that was erased meanwhile matches nobody
            try:
                alike = self._alike(
                    partial(self._index.similar, key, face_id),
                    qualities[face_id],
                    self._limit,
                )
            except NotFound:
                continue
            found = [
                FaceMatch(
                    face_id=face_id,
                    matched_face_id=similar.face_id,
                    confidence=similar.confidence,
                    band=similar.band,
                )
                for similar in alike
            ]
            matches += best_matches(self._gallery, found, self._limit)
        self._gallery.keep_matches(matches)
        return matches

    def search(
        self, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[tuple[Face, list[SimilarFace]]]:
        """Compare the faces of a photo with the gallery's."""
        results = []
        for face in faces:
            made = self._embedder.embed(photo, face.model_copy(update={"face_id": uuid.uuid4()}))
            alike = self._alike(
                partial(self._index.nearest, made.model, made.embedding),
                made.quality,
                SEARCH_LIMIT,
            )
            results.append((face, alike))
        return results

    def _alike(
        self, find: Callable[..., Sequence[Neighbor]], quality: float, limit: int
    ) -> list[SimilarFace]:
        """Return the faces in at least `limit` files of each group, where there are as many.

        Faces of low quality may be near and not alike enough. Where they took the places of others,
        more are asked for.

        Args:
            find: returns the nearest faces; takes `min_similarity` and `limit`.
            quality: of the face that is searched for.
            limit: files of each group.
        """
        wanted = limit
        while True:
            neighbors = find(min_similarity=self._tiers.possible, limit=wanted)
            alike = self._similar(neighbors, quality)
            left_out = len(neighbors) - len(alike)
            complete = len(neighbors) < wanted or left_out <= wanted - limit
            if complete or wanted >= limit * _MOST_TIMES:
                return alike
            wanted *= _TIMES

    def _similar(self, neighbors: Sequence[Neighbor], quality: float) -> list[SimilarFace]:
        """Return the neighbors of a face that are alike enough for the qualities of both."""
        return [
            SimilarFace(neighbor.face_id, round(min(neighbor.similarity, 1.0), 4), band)
            for neighbor in neighbors
            if (band := self._tiers.of(neighbor.similarity, neighbor.quality, quality))
        ]


def engine_name(settings: Settings) -> str:
    """Return the model's name, which a user's own model gives in its description."""
    return describe(settings.face_model).name


def make_engine(parts: EngineParts) -> FaceRecognizer:
    """Return the engine of `faceprint` and `facematch`."""
    settings = parts.settings
    return LocalRecognizer(
        FaceEmbedder(AssetStore(settings.assets), settings.face_model, settings.local_runtime),
        parts.gallery(),
        parts.face_index(),
        tiers=MatchTiers(settings.match_threshold, settings.possible_threshold),
        match_limit=settings.match_limit,
    )


def _overlaps(face: Face, photo: Photo) -> bool:
    where = face.face_rectangle
    across = where.left < photo.width and where.left + where.width > 0
    return across and where.top < photo.height and where.top + where.height > 0
