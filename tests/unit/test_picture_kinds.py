"""Drawings told from photos, by counting pixels."""

import numpy as np
import pytest

from imaginem.engines.local.colors import _percentile, colors, image_type


@pytest.mark.parametrize("seed", range(20))
def test_a_percentile_of_bytes_is_numpys(seed: int) -> None:
    made = np.random.default_rng(seed)
    values = made.integers(0, made.integers(1, 257), made.integers(1, 60), np.uint8)

    assert _percentile(values, 98) == pytest.approx(np.percentile(values, 98))


def test_black_lines_on_paper_are_a_line_drawing() -> None:
    paper = np.full((200, 300, 3), 250, np.uint8)
    paper[::20] = 10

    kind = image_type(paper)

    assert (kind.line_drawing_type, kind.clip_art_type) == (1, 0)


def test_flat_areas_of_few_colours_are_clip_art() -> None:
    areas = np.full((200, 300, 3), (200, 30, 30), np.uint8)
    areas[:, 150:] = (30, 30, 200)

    assert image_type(areas).clip_art_type == 3


def test_noise_is_neither() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 200, 3), np.uint8)

    kind = image_type(noise)

    assert (kind.line_drawing_type, kind.clip_art_type) == (0, 0)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (9, 1, 3)])
def test_the_smallest_pictures_have_a_kind(shape: tuple[int, ...]) -> None:
    assert image_type(np.zeros(shape, np.uint8)).line_drawing_type == 0


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((220, 20, 20), "Red"),
        ((90, 50, 20), "Brown"),
        ((30, 60, 220), "Blue"),
        ((128, 130, 128), "Gray"),
        ((250, 250, 250), "White"),
        ((10, 10, 30), "Black"),
    ],
)
def test_an_area_is_named_by_its_colour(rgb: tuple[int, int, int], name: str) -> None:
    found = colors(np.full((96, 96, 3), rgb, np.uint8))

    assert found.dominant_colors == [name]
    assert found.dominant_color_foreground == found.dominant_color_background == name


def test_colours_come_by_their_share_and_without_rare_ones() -> None:
    picture = np.full((96, 96, 3), (30, 60, 220), np.uint8)
    picture[:30] = (250, 250, 250)
    picture[30:35] = (220, 20, 20)

    assert colors(picture).dominant_colors == ["Blue", "White"]


def test_colours_of_equal_shares_come_by_name() -> None:
    picture = np.full((96, 96, 3), (250, 250, 250), np.uint8)
    picture[:48] = (30, 60, 220)

    assert colors(picture).dominant_colors == ["Blue", "White"]


def test_a_change_in_one_channel_is_no_flat_area() -> None:
    stripes = np.full((200, 300, 3), (200, 30, 30), np.uint8)
    stripes[:, ::2, 2] = 60

    assert image_type(stripes).clip_art_type == 0
