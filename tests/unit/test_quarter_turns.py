"""What is found in a picture that was turned lies where it is in the photo."""

import numpy as np
import pytest

from imaginem.engines.local.quality import quality
from imaginem.engines.local.quarter_turns import TURNS, WayBack, turned
from imaginem.outputs import Face, FaceAttributes, HeadPose, Point, Rectangle, TextLine, Turn, Word

WIDTH, HEIGHT = 7, 4
PHOTO = np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH)


@pytest.mark.parametrize("degrees", TURNS)
def test_each_pixel_is_found_again(degrees: int) -> None:
    upright, way_back = turned(PHOTO, degrees), WayBack((WIDTH, HEIGHT), degrees)

    for (y, x), value in np.ndenumerate(upright):
        left, top = way_back.place(x, y)
        assert PHOTO[int(top), int(left)] == value


def test_a_picture_is_turned_clockwise() -> None:
    corner = PHOTO[0, 0]

    assert turned(PHOTO, 90)[0, -1] == corner
    assert turned(PHOTO, 180)[-1, -1] == corner
    assert turned(PHOTO, 270)[-1, 0] == corner


@pytest.mark.parametrize("degrees", TURNS)
def test_a_rectangle_covers_the_same_pixels(degrees: int) -> None:
    upright = turned(PHOTO, degrees)
    where = WayBack((WIDTH, HEIGHT), degrees).rectangle(Rectangle(left=1, top=0, width=2, height=3))

    found = PHOTO[where.top : where.top + where.height, where.left : where.left + where.width]
    assert sorted(found.ravel()) == sorted(upright[0:3, 1:3].ravel())


@pytest.mark.parametrize(("degrees", "roll"), [(0, 10.0), (90, -80.0), (180, -170.0), (270, 100.0)])
def test_a_face_has_landmarks_and_roll_of_the_photo_as_it_lies(degrees: int, roll: float) -> None:
    way_back, turn = WayBack((WIDTH, HEIGHT), degrees), Turn(degrees=degrees, confidence=0.9)
    found = Face(
        face_rectangle=Rectangle(left=0, top=0, width=2, height=3),
        face_landmarks={"nose_tip": Point(x=1.0, y=2.0)},
        face_attributes=FaceAttributes(head_pose=HeadPose(yaw=5, pitch=6, roll=10)),
    )
    face = way_back.face(found, turn)

    spot, pose = face.face_landmarks["nose_tip"], face.face_attributes.head_pose
    assert PHOTO[int(spot.y), int(spot.x)] == turned(PHOTO, degrees)[2, 1]
    assert pose == HeadPose(yaw=5, pitch=6, roll=roll)
    assert face.turn == turn


@pytest.mark.parametrize("degrees", TURNS)
def test_a_line_and_its_words_begin_where_they_begin_for_a_reader(degrees: int) -> None:
    upright = turned(PHOTO, degrees)
    corners = [0, 1, 3, 1, 3, 2, 0, 2]
    word = Word(text="aid", confidence=1, polygon=corners)
    line = TextLine(text="aid", confidence=1, polygon=corners, words=[word])

    back = WayBack((WIDTH, HEIGHT), degrees).line(line)
    left, top = back.polygon[:2]
    assert PHOTO[top, left] == upright[1, 0]
    assert back.words[0].polygon == back.polygon


def test_a_small_face_on_its_side_is_no_better_than_upright() -> None:
    aligned = np.random.default_rng(3).integers(0, 255, (112, 112, 3), np.uint8)
    upright = Face(face_rectangle=Rectangle(left=0, top=0, width=60, height=30))
    on_its_side = Face(
        face_rectangle=Rectangle(left=0, top=0, width=30, height=60), turn=Turn(degrees=90)
    )

    assert quality(on_its_side, aligned) == quality(upright, aligned) < 0.5
