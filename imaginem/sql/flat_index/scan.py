"""Finds the faces of mapped segments that may be alike enough, and how alike about they are.

Three sieves, each finer than the one before: differing bits; the sum of the values searched for
where a face has a bit, less the sum where it has none; and bytes. (The second one estimates as
J. Gao and C. Long do, "RaBitQ", SIGMOD 2024: the values searched for are written in four bits, so
that sums are counts of bits again.)
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imaginem.sql.flat_index.codes import Floats, encode, least_sum, most_bits, rotation
from imaginem.sql.flat_index.layout import SLOTS, Segment

_PORTION = 2_048  # rows that are ranked at once: they stay within a processor's cache
_DIGITS = 4
_FEW = 400  # faces whose bytes are compared at once: the second sieve would take as long
_WORDS_IN_A_BYTE = 4  # 256 bits are counted as 0: only faces that are opposite have so many


class Scan:
    """A search over segments.

    Args:
        embedding: that is searched for, L2-normalised.
        min_similarity: of the faces that must be found.
    """

    def __init__(self, embedding: Floats, min_similarity: float) -> None:
        self._least = min_similarity
        self._words = encode(embedding[None, :]).words[0]
        self._rotated = embedding @ rotation(len(embedding))
        # No value is further from its byte times its scale than half a scale.
        self._error = float(np.abs(self._rotated).sum()) * 0.5 + 1e-3
        self._most_bits = most_bits(min_similarity, len(embedding))
        self._least_sum = least_sum(min_similarity, len(embedding))
        self._lowest, self._step, self._digits = _in_binary(self._rotated)
        self._different = np.empty(SLOTS, np.uint64)
        self._count, self._some = np.empty(SLOTS, np.uint8), np.empty(SLOTS, np.uint8)
        self._all = np.empty(SLOTS, np.uint16)

    def over(self, segments: Sequence[Segment]) -> tuple[NDArray[np.int64], Floats]:
        """Return the numbers of all faces that may be alike enough, and their similarities.

        A similarity may be too high or too low by `0.5 * scale * sum(abs(rotated))`, which is
        about 0.01.
        """
        found = [part for segment in segments for part in self._in_segment(segment)]
        numbers = np.concatenate([np.empty(0, np.int64), *(each[0] for each in found)])
        return numbers, np.concatenate([np.empty(0, np.float32), *(each[1] for each in found)])

    def _in_segment(self, segment: Segment) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        places = np.flatnonzero(self._differing(segment.bits) <= self._most_bits)
        if len(places) > _FEW:
            places = places[self._sums(segment.bits, places) >= self._least_sum]
        for start in range(0, len(places), _PORTION):
            portion = places[start : start + _PORTION]
            scales = segment.scales[portion]
            rows = segment.bytes[portion].astype(np.float32)
            similar = (rows @ self._rotated) * scales
            near = similar >= self._least - self._error * scales
            numbers = segment.numbers[portion[near]]
            yield numbers[numbers > 0], similar[near][numbers > 0]

    def _differing(self, bits: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """Count the differing bits of each face."""
        self._all.fill(0)
        for start in range(0, len(bits), _WORDS_IN_A_BYTE):
            for place in range(start, start + _WORDS_IN_A_BYTE):
                np.bitwise_xor(bits[place], self._words[place], out=self._different)
                if place == start:
                    np.bitwise_count(self._different, out=self._some)
                else:
                    np.bitwise_count(self._different, out=self._count)
                    np.add(self._some, self._count, out=self._some)
            np.add(self._all, self._some, out=self._all)
        return self._all

    def _sums(self, bits: NDArray[np.uint64], places: NDArray[np.intp]) -> Floats:
        """Return for each of some faces the sum of values where it has a bit, less the others."""
        if not len(places):
            return np.empty(0, np.float32)
        some = np.take(bits, places, axis=1)
        sums = _counted(some) * np.float32(self._lowest)
        masked = np.empty_like(some)
        for place, digit in enumerate(self._digits):
            np.bitwise_and(some, digit[:, None], out=masked)
            sums += _counted(masked) * np.float32(self._step * 2**place)
        return np.asarray(2 * sums - self._rotated.sum(), np.float32)


def _counted(bits: NDArray[np.uint64]) -> Floats:
    """Count the bits of each face."""
    counts = np.bitwise_count(bits)
    total = np.zeros(bits.shape[1], np.float32)
    for start in range(0, len(bits), _WORDS_IN_A_BYTE):
        total += np.add.reduce(counts[start : start + _WORDS_IN_A_BYTE], axis=0, dtype=np.uint8)
    return total


def _in_binary(values: Floats) -> tuple[float, float, NDArray[np.uint64]]:
    """Write values as `lowest + step * number`; return the four binary digits of the numbers.

    Digits have the shape of the bits of one face.
    """
    lowest = float(values.min())
    step = (float(values.max()) - lowest) / (2**_DIGITS - 1) or 1.0
    numbers = np.rint((values - lowest) / step).astype(np.uint8)
    digits = [np.packbits(numbers >> place & 1, bitorder="little") for place in range(_DIGITS)]
    return lowest, step, np.array(digits).view(np.uint64)
