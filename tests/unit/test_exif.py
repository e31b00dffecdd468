"""What a photo's file tells of camera, time and place, and what is left out."""

import io
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from imaginem.errors import PermanentError
from imaginem.images.exif import read_exif

EXIF_BLOCK, GPS_BLOCK = 0x8769, 0x8825


def photo(
    tags: dict[int, Any], inner: dict[int, Any] | None = None, gps: dict[int, Any] | None = None
) -> bytes:
    """Return a JPEG file with these Exif tags."""
    exif = Image.Exif()
    for number, value in tags.items():
        exif[number] = value
    exif.get_ifd(EXIF_BLOCK).update(inner or {})
    exif.get_ifd(GPS_BLOCK).update(gps or {})
    out = io.BytesIO()
    Image.new("RGB", (8, 6)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_camera_time_and_author_are_told_in_plain_words() -> None:
    data = photo(
        {
            0x010F: "Maker",
            0x0110: "Camera 1",
            0x0131: "Editor",
            0x0132: "2026:01:02 03:04:05",
            0x013B: "Jane",
            0x8298: "(c) Jane",
            0x010E: "A dog",
            0x0112: 1,
        },
        {0x9003: "2026:01:01 00:00:00", 0x9004: "2026:01:01 00:00:01", 0x829A: (1, 100)},
    )

    assert read_exif(data, gps=True) == {
        "make": "Maker",
        "model": "Camera 1",
        "software": "Editor",
        "changed": "2026:01:02 03:04:05",
        "taken": "2026:01:01 00:00:00",
        "digitized": "2026:01:01 00:00:01",
        "artist": "Jane",
        "copyright": "(c) Jane",
        "description": "A dog",
    }


def test_what_cameras_pad_or_leave_empty_is_left_out() -> None:
    data = photo({0x010F: "Maker  \0\0", 0x0110: "   ", 0x010E: "", 0x013B: "a\nb"})

    assert read_exif(data, gps=False) == {"make": "Maker", "artist": "a b"}


def test_a_long_text_is_cut_and_redacted() -> None:
    told = read_exif(photo({0x010E: "x" * 500, 0x013B: "password=SECRET"}), gps=False)

    assert told == {"description": "x" * 199 + "…", "artist": "password=***"}


NORTH_EAST = {1: "N", 2: (52.0, 30.0, 36.0), 3: "E", 4: (13.0, 22.0, 12.0)}


def test_a_place_is_told_only_to_who_may_know() -> None:
    data = photo({0x010F: "Maker"}, gps=NORTH_EAST)

    assert read_exif(data, gps=False) == {"make": "Maker"}
    assert read_exif(data, gps=True) == {
        "make": "Maker",
        "latitude": "52.510000",
        "longitude": "13.370000",
    }


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({1: "S"}, ("-52.510000", "13.370000")),
        ({3: "W"}, ("52.510000", "-13.370000")),
        ({1: "S", 3: "W"}, ("-52.510000", "-13.370000")),
        ({2: (0.0, 0.0, 0.0)}, ("0.000000", "13.370000")),
    ],
)
def test_south_and_west_are_negative(changed: dict[int, Any], place: tuple[str, str]) -> None:
    told = read_exif(photo({}, gps={**NORTH_EAST, **changed}), gps=True)

    assert (told["latitude"], told["longitude"]) == place


def test_a_place_without_letters_is_north_and_east() -> None:
    told = read_exif(photo({}, gps={2: NORTH_EAST[2], 4: NORTH_EAST[4]}), gps=True)

    assert told == {"latitude": "52.510000", "longitude": "13.370000"}


@pytest.mark.parametrize("missing", [2, 4])
def test_half_a_place_is_none(missing: int) -> None:
    gps = {number: value for number, value in NORTH_EAST.items() if number != missing}

    assert read_exif(photo({0x010F: "Maker"}, gps=gps), gps=True) == {"make": "Maker"}


@pytest.mark.parametrize(
    "latitude", [(52.0, 30.0), (IFDRational(0, 0), 30.0, 36.0)], ids=["two parts", "no fix yet"]
)
def test_a_place_that_is_no_number_of_degrees_is_none(latitude: tuple[Any, ...]) -> None:
    assert read_exif(photo({}, gps={**NORTH_EAST, 2: latitude}), gps=True) == {}


def test_what_is_no_photo_is_told() -> None:
    with pytest.raises(PermanentError, match="can be read"):
        read_exif(b"hello", gps=True)
