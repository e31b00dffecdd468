"""What the local engine says of photos, in a form that can be compared."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.faces import LocalFaces
from imaginem.engines.local.models import RuntimeSetting
from imaginem.engines.local.ocr import LocalOcr
from imaginem.engines.local.recognizer import FaceEmbedder
from imaginem.engines.local.vision import LocalVision
from imaginem.engines.match_tiers import MatchTiers
from imaginem.images.decoding import Photo
from imaginem.ports import CallContext

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
_CALL = CallContext.without_job("accuracy benchmark")
_TIERS = MatchTiers(0.45, 0.37)


@dataclass(frozen=True)
class Answers:
    """What was found in one photo.

    Attributes:
        faces: their boxes, from left to right.
        embeddings: of the faces, in the same order.
        qualities: of the faces, in the same order.
        text: all lines.
        tags: score by name, the best first.
        adult: the adult score.
        objects: their boxes.
        object_names: what they are.
    """

    faces: list[Box]
    embeddings: list[NDArray[np.float32]]
    qualities: list[float]
    text: str
    tags: dict[str, float]
    adult: float
    objects: list[Box]
    object_names: list[str]


class LocalPipeline:
    """All local engines.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting) -> None:
        self._vision = LocalVision(store, runtime)
        self._ocr = LocalOcr(store, runtime)
        self._faces = LocalFaces(store, runtime)
        self._embedder = FaceEmbedder(store, runtime=runtime)

    def answers(self, photos: Sequence[Photo]) -> list[Answers]:
        """Return what is found in each photo."""
        return [self._answers(photo) for photo in photos]

    def _answers(self, photo: Photo) -> Answers:
        faces = [
            face.model_copy(update={"face_id": uuid.uuid4()})
            for face in self._faces.detect(photo, _CALL)
        ]
        enrolled = [self._embedder.embed(photo, face) for face in faces]
        analysis = self._vision.analyze(photo, _CALL)
        adult = analysis.adult
        return Answers(
            faces=[_box(*face.rectangle) for face in enrolled],
            embeddings=[np.frombuffer(face.embedding, np.float32) for face in enrolled],
            qualities=[face.quality for face in enrolled],
            text=self._ocr.read(photo, _CALL).full_text,
            tags={tag.name: tag.confidence for tag in analysis.tags},
            adult=(adult.adult_score if adult is not None else None) or 0.0,
            objects=[
                _box(thing.rectangle.x, thing.rectangle.y, thing.rectangle.w, thing.rectangle.h)
                for thing in analysis.objects
            ],
            object_names=sorted(thing.object for thing in analysis.objects),
        )


def _box(left: float, top: float, width: float, height: float) -> Box:
    return left, top, left + width, top + height


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share, as a share of the area that they cover together."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def tiers(run: Sequence[Answers]) -> list[str]:
    """Return the tier of each pair of faces of a run."""
    faces = [pair for a in run for pair in zip(a.embeddings, a.qualities, strict=True)]
    return [
        _TIERS.of(float(one @ other), quality, other_quality)
        for (one, quality), (other, other_quality) in combinations(faces, 2)
    ]


def distance(one: str, other: str) -> int:
    """Return how many letters must be put in, taken out or changed (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for column, another in enumerate(other, 1):
            changed = before + (letter != another)
            before, row[column] = row[column], min(changed, row[column] + 1, row[column - 1] + 1)
    return row[-1]
