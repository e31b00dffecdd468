"""What scores of generative models mean, whichever service asked for them."""

from imaginem.outputs import Adult

_YES = 0.5
"""Score from which a photo counts as adult, racy or gory."""


def adult_of(adult: float | None, racy: float | None, gore: float | None) -> Adult:
    """Return whether a photo is adult, racy or gory, of scores within 0 and 1; None: not told."""
    return Adult(
        is_adult_content=_reaches(adult),
        adult_score=adult,
        is_racy_content=_reaches(racy),
        racy_score=racy,
        is_gory_content=_reaches(gore),
        gore_score=gore,
    )


def _reaches(score: float | None) -> bool | None:
    return None if score is None else score >= _YES
