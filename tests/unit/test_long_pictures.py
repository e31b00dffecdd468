"""Long pictures are cut where nothing is written, and others are left whole."""

import numpy as np
import pytest

from imaginem.engines.local.long_pictures import cuts, part, row_by_row


@pytest.mark.parametrize("size", [(1, 1), (3000, 4000), (2400, 1080), (2700, 40), (18, 2400)])
def test_pictures_of_usual_sizes_are_not_cut(size: tuple[int, int]) -> None:
    assert cuts(np.zeros((*size, 3), np.uint8)) == [0, max(size)]


@pytest.mark.parametrize("wide", [False, True])
def test_a_cut_lies_between_lines_or_words(wide: bool) -> None:
    bgr = np.full((9_000, 600, 3), 255, np.uint8)
    written = np.arange(9_000) % 100 < 60
    bgr[written, ::4] = 0
    if wide:
        bgr = np.ascontiguousarray(bgr.transpose(1, 0, 2))

    places = cuts(bgr)

    assert len(places) > 4
    assert (places[0], places[-1]) == (0, 9_000)
    assert np.diff(places).max() < 2_600
    assert not written[places[1:-1]].any()


def test_a_piece_tells_where_it_lies() -> None:
    tall = np.zeros((9_000, 600, 3), np.uint8)

    piece, corner = part(tall, 100, 300)
    assert (piece.shape, corner) == ((200, 600, 3), (0, 100))
    piece, corner = part(tall.transpose(1, 0, 2), 100, 300)
    assert (piece.shape, corner) == ((600, 200, 3), (100, 0))


def test_lines_that_were_found_piece_by_piece_are_read_row_by_row() -> None:
    centres = [(10, 20), (10, 60), (90, 22), (95, 58), (200, 19)]

    assert row_by_row(centres, [20] * 5) == [0, 2, 4, 1, 3]
    assert row_by_row([], []) == []
