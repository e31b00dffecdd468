"""The tiers of a match, by how alike two faces are; the API calls them `band`."""

from dataclasses import dataclass

LOW, MEDIUM = 0.25, 0.6
"""A face is of low quality under the first value, of medium quality under the second."""
_CAUTION = 0.05  # added to both thresholds unless both faces are of high quality


@dataclass(frozen=True)
class MatchTiers:
    """Thresholds of confidence, on the scale of the recognizer in use.

    Attributes:
        match: confidence from which two faces are a match.
        possible: confidence from which they may be one.
    """

    match: float
    possible: float

    def of(self, confidence: float, *qualities: float) -> str:
        """Return `match`, `possible`, or an empty text for faces that are not alike enough.

        Args:
            confidence: that both faces are one person's.
            qualities: of both faces, 0 to 1. A face of low quality is never more than `possible`.
        """
        lowest = min(qualities)
        caution = 0.0 if lowest >= MEDIUM else _CAUTION
        if lowest < LOW:
            return "possible" if confidence >= self.match + caution else ""
        if confidence >= self.match + caution:
            return "match"
        return "possible" if confidence >= self.possible + caution else ""
