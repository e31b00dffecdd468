"""Short codes of embeddings: one bit a dimension to sift them, one byte to rank what is left.

Embeddings are rotated first, always by the same rotation, which mixes all dimensions. Then each bit
(is the value above 0?) differs between two of them with probability `angle / pi`, whatever the
embeddings of a model are like, so nothing need be learnt from the faces. (M. Charikar, "Similarity
estimation techniques from rounding algorithms", STOC 2002; rotations made of Hadamard matrices and
random signs: N. Ailon and B. Chazelle, "The fast Johnson-Lindenstrauss transform", 2009.)
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LEAST_DIMENSIONS = 512
_SPREAD = 8.8
"""Standard deviation of the differing bits of two embeddings, of 512 dimensions and 512 bits.

Measured with the cosines 0.2 to 0.7 between them: 8.3 to 8.8.
"""
_WIDER_SPREAD = 11.4
"""The same where bits and dimensions are not the same number: at most sqrt(512 / 4)."""
_SUM_SPREAD = 0.6
"""Standard deviation of the sum that `least_sum` is about: sqrt(1 - 2 / pi), measured too."""
_FEW_DIMENSIONS = 64
_WIDER_SUM_SPREAD = 1.0
"""The same of fewer dimensions, which the rotation can't mix: as of random signs."""
_SAFETY = 3.4
"""Standard deviations allowed for: of 3,000 pairs that are just alike enough, one is lost."""


@dataclass(frozen=True)
class Codes:
    """Codes of `n` embeddings.

    Attributes:
        words: the bits, uint64 of shape (n, bits / 64).
        bytes: int8 of shape (n, dimensions after rotation).
        scales: float32 of shape (n,): a rotated embedding is about `bytes * scale`.
    """

    words: NDArray[np.uint64]
    bytes: NDArray[np.int8]
    scales: Floats


def padded(dimensions: int) -> int:
    """Return how many dimensions a rotated embedding has: a power of two, 512 at least."""
    return max(_LEAST_DIMENSIONS, 1 << (dimensions - 1).bit_length())


@lru_cache(maxsize=4)
def rotation(dimensions: int) -> Floats:
    """Return the rotation of embeddings, of shape (dimensions, padded(dimensions))."""
    size = padded(dimensions)
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < size:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]]).astype(np.float32)
    first, second = _signs("first", size), _signs("second", size)
    whole = (first[:, None] * hadamard * second[None, :]) @ hadamard / np.float32(size)
    return np.ascontiguousarray(whole[:dimensions], np.float32)


def _signs(name: str, count: int) -> Floats:
    raw = hashlib.shake_256(f"imaginem: {name} signs of the rotation".encode()).digest(count // 8)
    return np.unpackbits(np.frombuffer(raw, np.uint8)).astype(np.float32) * 2 - 1


def encode(embeddings: Floats) -> Codes:
    """Return the codes of L2-normalised embeddings, of shape (n, dimensions)."""
    rotated = embeddings @ rotation(embeddings.shape[1])
    bits = np.packbits(rotated > 0, axis=1, bitorder="little")
    scales = np.abs(rotated).max(axis=1) / np.float32(127)
    safe = np.where(scales > 0, scales, np.float32(1))
    rounded = np.rint(rotated / safe[:, None]).astype(np.int8)
    return Codes(np.ascontiguousarray(bits).view(np.uint64), rounded, safe)


def most_bits(similarity: float, dimensions: int) -> int:
    """Return how many bits may differ between embeddings whose cosine is at least this."""
    size = padded(dimensions)
    spread = _SPREAD if dimensions == _LEAST_DIMENSIONS else _WIDER_SPREAD
    angle = math.acos(min(1.0, max(-1.0, similarity)))
    return min(size, math.ceil(size * angle / math.pi + _SAFETY * spread * size / 512))


def least_sum(similarity: float, dimensions: int) -> float:
    """Return the least `sum(rotated * signs)` between embeddings whose cosine is at least this.

    The signs of an embedding are as near to it as `sqrt(2 / pi)`.
    """
    size = padded(dimensions)
    spread = _SUM_SPREAD if dimensions >= _FEW_DIMENSIONS else _WIDER_SUM_SPREAD
    return math.sqrt(2 * size / math.pi) * similarity - _SAFETY * spread
