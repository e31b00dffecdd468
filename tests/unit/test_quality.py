"""A face is worth as much as the worst that is known of it."""

import numpy as np
import pytest

from imaginem.engines.local.quality import quality
from imaginem.outputs import Face, Rectangle

SHARP = np.random.default_rng(3).integers(0, 255, (112, 112, 3), np.uint8)


def face(confidence: float = 0.95, height: int = 80) -> Face:
    where = Rectangle(left=0, top=0, width=60, height=height)
    return Face(face_rectangle=where, detection_confidence=confidence)


def test_a_sharp_large_face_that_the_detector_is_sure_of_is_worth_most() -> None:
    assert quality(face(), SHARP) == quality(face(), SHARP, tells=1.0) == 1


@pytest.mark.parametrize("tells", [0.0, 0.4])
def test_an_embedding_that_tells_little_makes_a_face_worth_little(tells: float) -> None:
    assert quality(face(), SHARP, tells) == tells


def test_a_face_that_the_detector_hardly_sees_is_worth_little() -> None:
    assert quality(face(confidence=0.7), SHARP) == pytest.approx(0.25)
    assert quality(face(confidence=0.65), SHARP) == 0


def test_the_worst_measure_counts() -> None:
    assert quality(face(height=30), SHARP, tells=0.9) == quality(face(height=30), SHARP) < 0.9
