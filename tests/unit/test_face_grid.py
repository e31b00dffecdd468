"""Several photos in one call to Azure Face: each face is its photo's, in that photo's pixels."""

import io
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaginem.engines.azure.face_answers import read_faces
from imaginem.engines.azure.face_grid import MOST_FACES, PhotoGrid
from imaginem.engines.azure.face_sheet import (
    SHEET_SIDE,
    InCell,
    by_cell,
    cell_side,
    in_cell,
    make_sheet,
)
from imaginem.engines.azure.limits import FACE, ServiceLimits
from imaginem.engines.azure.payload import Payload
from imaginem.errors import Busy, ImaginemError, PermanentError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import Face, Rectangle
from imaginem.ports import CallContext, FaceGrid, FacesOfMany, FacesOfOne, PhotoOfMany

THREE = FaceGrid(3, 3)
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
ALONE = FacesOfOne([Face(face_rectangle=Rectangle(left=1, top=2, width=30, height=40))])
"""What a photo's own call finds."""


def file_of(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def with_square(size: tuple[int, int], box: tuple[int, int, int, int], number: int) -> bytes:
    """Return a grey photo with a square of one of the colours."""
    picture = Image.new("RGB", size, (90, 90, 90))
    picture.paste(COLOURS[number], box)
    return file_of(picture)


def plain(width: int = 400, height: int = 300) -> bytes:
    return file_of(Image.new("RGB", (width, height), (90, 90, 90)))


def face_at(left: float, top: float, width: float, height: float) -> dict[str, Any]:
    """Return a face as the service tells of it."""
    return {
        "faceRectangle": {"left": left, "top": top, "width": width, "height": height},
        "faceLandmarks": {"noseTip": {"x": left + width / 2, "y": top + height / 2}},
    }


def squares_in(sent: Payload) -> list[dict[str, Any]]:
    """Answer a call as a service would whose faces are squares of the colours."""
    pixels = np.asarray(Image.open(io.BytesIO(sent.data))).astype(int)
    answer = []
    for colour in COLOURS:
        rows, columns = np.nonzero((abs(pixels - colour) < 60).all(axis=2))
        if len(rows):
            left, top = int(columns.min()), int(rows.min())
            answer.append(
                face_at(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
            )
    return answer


class Calls:
    """A grid, and the calls that it makes.

    Args:
        answer: of a call for several photos; an error is raised.
        alone: is raised by a call for a single photo, if anything.
        grid: of the photos.
    """

    def __init__(
        self,
        answer: Callable[[Payload], Sequence[dict[str, Any]]] | ImaginemError = squares_in,
        alone: ImaginemError | None = None,
        grid: FaceGrid = THREE,
    ) -> None:
        self.sheets: list[Payload] = []
        self.alone: list[tuple[int, int]] = []
        self.contexts: list[CallContext] = []
        self._answer, self._problem = answer, alone
        self._grid = PhotoGrid(grid, self._detect, self._detect_alone)

    def _detect(self, sent: Payload, call: CallContext) -> Sequence[dict[str, Any]]:
        self.sheets.append(sent)
        self.contexts.append(call)
        if isinstance(self._answer, ImaginemError):
            raise self._answer
        return self._answer(sent)

    def _detect_alone(self, photo: Photo, call: CallContext) -> list[Face]:
        self.alone.append((photo.width, photo.height))
        self.contexts.append(call)
        if self._problem:
            raise self._problem
        return ALONE.faces

    def faces(self, *files: bytes) -> FacesOfMany:
        return self._grid.faces(
            [
                PhotoOfMany(
                    lambda data=data: decode_photo(data),  # type: ignore[misc]
                    CallContext("b", f"job-{number}", "facedetection"),
                )
                for number, data in enumerate(files)
            ]
        )


def boxes(found: FacesOfMany) -> list[list[tuple[int, ...]]]:
    """Return the boxes of each photo's faces; of all photos they must be known."""
    every = []
    for faces in found:
        assert isinstance(faces, FacesOfOne), faces
        every.append([tuple(face.face_rectangle.model_dump().values()) for face in faces.faces])
    return every


class TestWhereFacesAre:
    def test_each_face_is_in_its_photo_and_in_that_photos_pixels(self) -> None:
        places = [
            ((3000, 2000), (600, 400, 1100, 900)),
            ((200, 260), (50, 60, 150, 160)),
            ((900, 1600), (100, 1000, 500, 1400)),
            ((778, 778), (0, 0, 200, 200)),  # at the edge of a photo that fills its cell
            ((1000, 700), (800, 500, 1000, 700)),
        ]
        calls = Calls()

        found = boxes(calls.faces(*(with_square(*it, n) for n, it in enumerate(places))))

        assert len(calls.sheets) == 1 and not calls.alone
        for (size, box), faces in zip(places, found, strict=True):
            left, top, right, bottom = box
            pixel = max(size) / 700 + 1  # of the sheet, in pixels of the photo
            assert len(faces) == 1
            want = [left, top, right - left, bottom - top]
            assert faces[0] == pytest.approx(want, abs=2 * pixel)

    def test_landmarks_are_in_the_photos_pixels_too(self) -> None:
        found = Calls().faces(plain(), with_square((3000, 2000), (600, 400, 1100, 900), 0))[1]

        assert isinstance(found, FacesOfOne)
        nose = found.faces[0].face_landmarks["nose_tip"]
        assert (nose.x, nose.y) == pytest.approx((850, 650), abs=6)

    def test_a_face_never_reaches_beyond_its_photo(self) -> None:
        sheet = make_sheet([cell(400, 300), cell(400, 300)], THREE)
        right = sheet.cells[0].left + sheet.cells[0].width
        beyond = face_at(right - 60, 0, 80, 80)

        found = boxes(Calls(lambda sent: [beyond]).faces(plain(), plain()))

        assert found == [[(340, 0, 60, 80)], []]

    def test_a_face_between_two_photos_is_neithers(self) -> None:
        calls = Calls(lambda sent: [face_at(400, 100, 30, 30), face_at(384, 100, 40, 40)])

        assert boxes(calls.faces(plain(), plain())) == [[], []]
        assert not calls.alone

    def test_photos_that_a_face_lies_over_are_each_looked_at_alone(self) -> None:
        calls = Calls(lambda sent: [face_at(300, 100, 200, 100), face_at(900, 10, 90, 90)])

        found = boxes(calls.faces(plain(), plain(), plain()))

        assert found == [[(1, 2, 30, 40)], [(1, 2, 30, 40)], [(36, 10, 90, 90)]]
        assert len(calls.alone) == 2

    @pytest.mark.parametrize(
        "box",
        [
            (5, 5, 0, 9),
            (5, 5, 9, 0),
            (5, 5, 1e-200, 1e-200),
            (5, 5, -30, -30),
            (-60, 5, 50, 50),
            (5, 400, 50, 50),
            (9e8, 9e8, 9e8, 9e8),
        ],
    )
    def test_a_box_without_a_pixel_of_the_picture_is_no_face_and_is_noted(
        self, box: tuple[float, float, float, float], caplog: pytest.LogCaptureFixture
    ) -> None:
        cells = make_sheet([cell(400, 300), cell(400, 300)], THREE).cells
        answer = [face_at(*box), {"faceRectangle": {"left": 1}}, face_at(50, 60, 40, 40)]
        assert by_cell(answer, cells) == [[answer[2]], []]
        assert "2 faces of an answer have no place in the picture: left out" in caplog.text

    def test_a_box_that_begins_outside_the_picture_is_where_its_rest_is(self) -> None:
        found = boxes(Calls(lambda sent: [face_at(-70, -70, 100, 110)]).faces(plain(), plain()))
        assert found == [[(0, 0, 30, 40)], []]

    @pytest.mark.parametrize("box", [(0, 0, 5000, 5000), (-9e8, -9e8, 9.5e8, 9.5e8)])
    def test_a_box_over_all_photos_is_nobodys_face_and_each_is_looked_at_alone(
        self, box: tuple[float, float, float, float]
    ) -> None:
        grid = FaceGrid(4, 4)
        calls = Calls(lambda sent: [face_at(*box)], grid=grid)
        assert calls.faces(*[plain()] * 16) == [ALONE] * 16

    @pytest.mark.parametrize("box", [(5, 400, 50, 50), (500, 5, 50, 50), (5, 5, 50, 0)])
    def test_a_face_that_is_not_in_the_photo_is_none_of_a_photo_alone_either(
        self, box: tuple[float, float, float, float]
    ) -> None:
        (alone,) = make_sheet([cell(400, 300)], THREE).cells
        assert read_faces([face_at(*box)], alone, alone.size) == []


def cell(width: int, height: int, grid: FaceGrid = THREE) -> Any:
    made = in_cell(decode_photo(plain(width, height)), grid)
    assert made is not None
    return made


class TestSheets:
    @pytest.mark.parametrize("grid", [FaceGrid(1, 2), THREE, FaceGrid(4, 3)], ids=str)
    def test_a_full_sheet_is_within_the_services_limits(self, grid: FaceGrid) -> None:
        side = cell_side(grid)
        noise = np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8)
        photo = InCell(Image.fromarray(noise), (4000, 4000))

        sent = make_sheet([photo] * grid.cells, grid).sent

        assert len(sent.data) <= FACE.max_bytes
        assert max(sent.width * sent.across, sent.height * sent.down) <= SHEET_SIDE + 1

    def test_faces_are_where_they_are_in_a_sheet_that_had_to_be_scaled_down(self) -> None:
        photos = [cell(400, 300), cell(400, 300)]
        few_bytes = ServiceLimits(5_000, 36, 500)
        one, other = make_sheet(photos, THREE).cells[1], make_sheet(photos, THREE, few_bytes)

        assert other.sent.width == 500
        assert other.cells[1].x(500) == pytest.approx(one.x(832))
        assert other.cells[1].y(180) == pytest.approx(one.y(300), abs=1)

    def test_a_sheet_is_only_as_large_as_its_photos_need(self) -> None:
        sent = make_sheet([cell(400, 300), cell(400, 300)], THREE).sent
        assert (sent.width, sent.height) == (832, 300)

    def test_a_full_sheet_tells_from_which_size_faces_are_looked_for(self) -> None:
        found = Calls().faces(*[plain(3890, 3890)] * 8, plain(300, 300))
        told = [each.smallest for each in found if isinstance(each, FacesOfOne)]
        assert told == [400] * 8 + [80]  # 80 pixels of the sheet, whose cells are five times less

    def test_photos_that_are_as_large_as_alone_are_looked_at_as_if_alone(self) -> None:
        found = Calls().faces(plain(), plain())
        assert [each.smallest for each in found if isinstance(each, FacesOfOne)] == [None, None]

    def test_photos_of_one_call_are_never_in_memory_together(self) -> None:
        alive: list[weakref.ref[Photo]] = []
        most = 0

        def read() -> Photo:
            nonlocal most
            most = max(most, sum(each() is not None for each in alive))
            alive.append(weakref.ref(photo := decode_photo(plain())))
            return photo

        grid = PhotoGrid(THREE, lambda sent, call: [], lambda photo, call: [])
        grid.faces([PhotoOfMany(read, CallContext("b", "j", "s"))] * 9)

        assert len(alive) == 9
        assert most == 0


class TestCalls:
    def test_nine_photos_are_one_call_and_the_tenth_is_another(self) -> None:
        calls = Calls()
        calls.faces(*[plain()] * 10)

        assert len(calls.sheets) == 1
        assert len(calls.alone) == 1

    def test_a_photo_without_company_is_sent_as_large_as_it_is(self) -> None:
        calls = Calls()
        assert calls.faces(plain(3000, 2000)) == [ALONE]
        assert (calls.sheets, calls.alone) == ([], [(3000, 2000)])

    @pytest.mark.parametrize("size", [(1600, 500), (30, 60)], ids=["long", "tiny"])
    def test_a_photo_that_fits_no_cell_is_looked_at_alone(self, size: tuple[int, int]) -> None:
        calls = Calls()
        calls.faces(plain(), plain(*size), plain())

        assert len(calls.sheets) == 1
        assert calls.alone == [size]

    def test_as_many_faces_as_an_answer_holds_may_not_be_all(self) -> None:
        calls = Calls(lambda sent: [face_at(9, 9, 30, 30)] * MOST_FACES)
        assert calls.faces(plain(), plain()) == [ALONE, ALONE]

    def test_where_a_sheet_is_refused_each_photo_is_looked_at_alone(self) -> None:
        calls = Calls(PermanentError("Azure face detect: an image that it does not take"))
        assert calls.faces(plain(), plain()) == [ALONE, ALONE]

    def test_a_service_that_is_busy_is_asked_once_and_all_photos_wait(self) -> None:
        busy = Busy("later", retry_after=7)
        calls = Calls(busy)

        assert calls.faces(plain(), plain()) == [busy, busy]
        assert not calls.alone

    def test_a_photo_that_can_not_be_read_costs_its_neighbours_nothing(self) -> None:
        calls = Calls()
        found = calls.faces(b"no photo", with_square((400, 300), (50, 60, 150, 160), 0), plain())

        assert isinstance(found[0], PermanentError)
        assert boxes(found[1:]) == [[(50, 60, 100, 100)], []]

    def test_a_photo_that_fails_alone_costs_its_neighbours_nothing(self) -> None:
        problem = PermanentError("not this one")
        found = Calls(alone=problem).faces(plain(1600, 500), plain(), plain())
        assert found[0] is problem
        assert boxes(found[1:]) == [[], []]

    def test_a_call_for_several_jobs_is_told_of_none_of_them(self) -> None:
        calls = Calls()
        calls.faces(plain(), plain(), plain(1600, 500))

        assert [call.batch_id for call in calls.contexts] == ["b", "b"]
        assert [call.ids for call in calls.contexts] == [
            {"step": "facedetection"},
            {"batch_id": "b", "job_id": "job-2", "step": "facedetection"},
        ]

    def test_once_a_call_was_paid_the_next_waits_for_the_quota(self) -> None:
        calls = Calls()
        calls.faces(plain(), plain(), plain(1600, 500))
        assert [call.continues for call in calls.contexts] == [False, True]

    def test_before_a_call_was_paid_none_waits(self) -> None:
        calls = Calls()
        calls.faces(plain(), plain(1600, 500))
        assert not calls.sheets
        assert [call.continues for call in calls.contexts] == [False, True]
