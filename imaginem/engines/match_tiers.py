"""How alike two faces must be: the bands of a match."""

from dataclasses import dataclass

LOW, MEDIUM = 0.25, 0.6
"""Qualities under which a face is poor, and under which it is no more than middling."""
_CAUTION = 0.05  # added to both thresholds for a face of middling quality


@dataclass(frozen=True)
class MatchTiers:
    """Thresholds of confidence, on the scale of the engine in use."""

    match: float
    possible: float

    def of(self, confidence: float, *qualities: float) -> str:
        """Return `match`, `possible`, or nothing; poor faces must be more alike."""
        worse = min(qualities)
        caution = 0.0 if worse >= MEDIUM else _CAUTION
        if worse < LOW:
            return "possible" if confidence >= self.match + caution else ""
        if confidence >= self.match + caution:
            return "match"
        return "possible" if confidence >= self.possible + caution else ""
