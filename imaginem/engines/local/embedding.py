"""Face embeddings: a face is aligned on five points, put through a network, and normalised."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from imaginem.assets import AssetStore
from imaginem.engines.local.models import Model, RuntimeSetting, shared_model
from imaginem.engines.local.quality import ramp
from imaginem.errors import ConfigurationError
from imaginem.message import explain

Array = NDArray[Any]

SIDE = 112
# Deng et al. 2019 (ArcFace): where the five points lie in an aligned face of 112 x 112.
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


class EmbeddingModel(BaseModel):
    """How an embedding network is called; a JSON file describes a user's own network.

    Attributes:
        name: kept with each embedding; embeddings of different names are never compared.
        file: path of the ONNX file, relative to the description; empty for the built-in.
        input: name of the network's input, 1 x 3 x 112 x 112.
        mean: subtracted from each value of a pixel, 0 to 255.
        scale: divides the difference.
        channels: `BGR` or `RGB`.
        dimensions: of the embedding.
        lengths: of vectors before they are normalised: of a face that tells nothing, and of one
            that tells enough; None if they say nothing about the face.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    file: str = ""
    input: str = "input"
    mean: float = 127.0
    scale: float = 128.0
    channels: str = "BGR"
    dimensions: int = 512
    lengths: tuple[float, float] | None = None


BUILT_IN = EmbeddingModel(name="fr-feature-512-1", lengths=(2.4, 3.0))
"""Its vectors are short where a mask, the dark or a full profile hides who it is."""


def describe(path: Path | None) -> EmbeddingModel:
    """Return the description that a file holds, or the built-in model's without a file.

    Raises:
        ConfigurationError: the file is not as expected; names the field.
    """
    if path is None:
        return BUILT_IN
    try:
        model = EmbeddingModel.model_validate_json(path.read_bytes())
    except ValidationError as problem:
        raise ConfigurationError(f"FACE_MODEL {path.name}: {explain(problem)}") from None
    if not model.file:
        raise ConfigurationError(f"FACE_MODEL {path.name}: file is missing: name the ONNX file")
    return model.model_copy(update={"file": str((path.parent / model.file).resolve())})


def similarity_transform(points: Array, target: Array) -> Array:
    """Return the 2 x 3 matrix that turns, scales and moves points onto a target (Umeyama 1991)."""
    centre, aim = points.mean(0), target.mean(0)
    source, wanted = points - centre, target - aim
    left, singular, right = np.linalg.svd(wanted.T @ source / len(points))
    flip = np.diag([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ flip @ right
    scale = np.trace(np.diag(singular) @ flip) / source.var(0).sum()
    matrix: Array = np.c_[scale * rotation, aim - scale * rotation @ centre]
    return matrix


def align(rgb: Array, points: Array) -> Array:
    """Return the face, upright, as 112 x 112 x 3.

    Args:
        rgb: the photo.
        points: 5 x 2, in the order of `landmarks.FIVE`.
    """
    matrix = similarity_transform(points, TEMPLATE)
    shrink = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if shrink < 0.5:  # shrink by area first: sampling a large face at points would alias
        reach = np.ptp(points, axis=0).max() * 1.5
        left, top = np.maximum(points.min(0) - reach, 0).astype(int)
        right, bottom = (points.max(0) + reach).astype(int)
        part = rgb[top:bottom, left:right]
        small = cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        # Pixel centres lie at half pixels, so the offset is scaled with them.
        moved = (points - [left, top] + 0.5) * shrink - 0.5
        return cv2.warpAffine(small, similarity_transform(moved, TEMPLATE), (SIDE, SIDE))
    return cv2.warpAffine(rgb, matrix, (SIDE, SIDE))


@dataclass(frozen=True)
class Embedder:
    """Makes embeddings with one model.

    Attributes:
        description: how the network is called.
        model: the network.
    """

    description: EmbeddingModel
    model: Model

    def embed(self, aligned: Array) -> NDArray[np.float32]:
        """Return the L2-normalised embedding of an aligned face.

        Raises:
            ConfigurationError: the embedding has not as many numbers as described.
        """
        return self.measure(aligned)[0]

    def measure(self, aligned: Array) -> tuple[NDArray[np.float32], float]:
        """Return the embedding, and from 0 to 1 how much it tells by its length before.

        Raises:
            ConfigurationError: the embedding has not as many numbers as described.
        """
        described = self.description
        ordered = aligned[:, :, ::-1] if described.channels.upper() == "BGR" else aligned
        scaled = (ordered.astype(np.float32) - described.mean) / described.scale
        batch = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
        vector = self.model.run({described.input: batch})[0].reshape(-1)
        if len(vector) != described.dimensions:
            raise ConfigurationError(
                f"the face model {described.name} gives {len(vector)} numbers, not the "
                f"{described.dimensions} of its description"
            )
        length = float(np.linalg.norm(vector))
        tells = 1.0 if described.lengths is None else ramp(length, described.lengths)
        return (vector / length).astype(np.float32), tells


def make_embedder(
    store: AssetStore, model_file: Path | None, runtime: RuntimeSetting = "auto"
) -> Embedder:
    """Return an embedder for the built-in model or a user's own, which runs on onnxruntime."""
    described = describe(model_file)
    if described.file:
        own = shared_model(store, described.name, "onnxruntime", Path(described.file))
        return Embedder(described, own)
    return Embedder(described, shared_model(store, "face-embedding-512.onnx", runtime))
