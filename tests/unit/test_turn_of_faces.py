"""Which way a photo is turned to look for faces, where its looks alone do not say."""

from typing import cast

import numpy as np
import pytest

from imaginem.engines.local.face_finder import Detection, FaceFinder
from imaginem.engines.local.faces import LocalFaces
from imaginem.engines.local.orientation import Orientation

# The corners of a picture as it lies; the one that comes to the top left tells the turn.
_CORNERS = {0: 10, 90: 40, 180: 30, 270: 20}


class Seen:
    """A detector that finds one face in each turn: YuNet's score and MTCNN's by degrees."""

    def __init__(self, scores: dict[int, tuple[float, float]]) -> None:
        self._scores = scores

    def detect(self, rgb: np.ndarray) -> Detection:
        degrees = next(turn for turn, value in _CORNERS.items() if rgb[0, 0, 0] == value)
        if degrees not in self._scores:
            return Detection(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)), np.zeros(0))
        score, second = self._scores[degrees]
        points = np.zeros((1, 5, 2))
        return Detection(np.zeros((1, 4)), np.array([score]), points, np.array([second]))


def picture() -> np.ndarray:
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[0, 0], rgb[0, -1], rgb[-1, -1], rgb[-1, 0] = 10, 20, 30, 40
    return rgb


def turn(scores: dict[int, tuple[float, float]], shares: tuple[float, ...]) -> int:
    engine = LocalFaces.__new__(LocalFaces)
    engine._detector = cast(FaceFinder, Seen(scores))
    return engine._turn(picture(), Orientation(shares))


def test_a_face_that_yunet_finds_on_its_side_too_does_not_turn_an_upright_photo() -> None:
    # Measured on a face of a group photo, cut out tightly.
    scores = {0: (0.94, 0.9997), 90: (0.89, 0.9845), 180: (0.84, 0.9636), 270: (0.84, 0.68)}
    assert turn(scores, (0.16, 0.57, 0.06, 0.21)) == 0


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_photo_is_turned_to_where_its_face_is_upright(degrees: int) -> None:
    scores = {other: (0.86, 0.9) for other in _CORNERS} | {degrees: (0.93, 0.999)}
    assert turn(scores, (0.4, 0.2, 0.2, 0.2)) == degrees


def test_a_face_that_only_yunet_knows_leaves_the_choice_to_the_photos_looks() -> None:
    scores = dict.fromkeys(_CORNERS, (0.9, 0.001))  # a mask
    assert turn(scores, (0.2, 0.5, 0.2, 0.1)) == 90
    assert turn(scores, (0.5, 0.2, 0.2, 0.1)) == 0


def test_a_photo_without_faces_stays_as_it_lies() -> None:
    assert turn({}, (0.2, 0.6, 0.1, 0.1)) == 0
