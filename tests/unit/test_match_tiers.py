"""From which confidence on two faces match, and how much more it takes when one is poor."""

import pytest

from imaginem.engines.match_tiers import LOW, MEDIUM, MatchTiers

TIERS = MatchTiers(match=0.5, possible=0.25)
GOOD, MIDDLING, POOR = MEDIUM, LOW, LOW - 0.001


@pytest.mark.parametrize(
    ("quality", "confidence", "tier"),
    [
        (GOOD, 0.50, "match"),
        (GOOD, 0.49, "possible"),
        (GOOD, 0.25, "possible"),
        (GOOD, 0.24, ""),
        (MEDIUM - 0.001, 0.54, "possible"),
        (MIDDLING, 0.55, "match"),
        (MIDDLING, 0.54, "possible"),
        (MIDDLING, 0.30, "possible"),
        (MIDDLING, 0.29, ""),
        (POOR, 1.00, "possible"),
        (POOR, 0.55, "possible"),
        (POOR, 0.54, ""),
    ],
)
def test_the_worse_face_decides_which_tier_a_confidence_is_in(
    quality: float, confidence: float, tier: str
) -> None:
    assert TIERS.of(confidence, quality) == tier
    assert TIERS.of(confidence, quality, 1.0) == tier
    assert TIERS.of(confidence, 1.0, quality) == tier


def test_the_borders_of_quality_are_those_of_the_models_page() -> None:
    assert (LOW, MEDIUM) == (0.25, 0.6)
