"""Which way up a photo was looked at."""

from imaginem.ports.outputs.base import StepOutput


class Turn(StepOutput):
    """How a photo was turned before it was looked at; coordinates are those of the photo as it was.

    Attributes:
        degrees: clockwise: 0, 90, 180 or 270.
        confidence: how likely that is, by what the whole photo looks like; None where the photo's
            file tells which way up it is.
    """

    degrees: int
    confidence: float | None = None
