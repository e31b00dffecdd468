"""A damaged page of a file costs none of its other pages, and is told."""

import io

import pytest
from PIL import Image

from imaginem import detect_faces_together
from imaginem.errors import PermanentError
from imaginem.images.decoding import decode_photo
from imaginem.testing import MemoryServices, job_for
from steps.facedetection import facedetection
from steps.generalclassification import generalclassification
from steps.ocr import ocr
from tests.dashboard import photo_page, web_services
from tests.unit.test_pages import COLORS, ReadsColors, book, color, rgb

_STRIP_OFFSETS, _STRIP_LENGTHS = 273, 279


def book_with_damage(page: int) -> bytes:
    """Return a TIFF file of three pages, of one of which the pixels can't be unpacked."""
    data = bytearray(book(3, compression="tiff_adobe_deflate"))
    with Image.open(io.BytesIO(data)) as opened:
        opened.seek(page - 1)
        tags = opened.tag_v2  # type: ignore[attr-defined]  # of TIFF files
        (start,), (length,) = tags[_STRIP_OFFSETS], tags[_STRIP_LENGTHS]
    data[start : start + length] = b"\xff" * length
    return bytes(data)


def test_a_damaged_page_costs_none_of_the_others() -> None:
    photo = decode_photo(book_with_damage(2))

    pages = list(photo.pages())

    assert [page.page for page in pages] == [1, 3]
    assert color(pages[1]) == rgb(COLORS[2])
    assert photo.unread_pages == {2}


def test_a_file_whose_first_page_is_damaged_is_refused() -> None:
    with pytest.raises(PermanentError, match="damaged"):
        decode_photo(book_with_damage(1))


def test_every_step_that_looks_at_pages_says_which_ones_it_could_not_see() -> None:
    data = book_with_damage(2)
    services = MemoryServices(ocr=ReadsColors(), vision=ReadsColors())

    text = ocr(job_for(data, services=services))
    labels = generalclassification(job_for(data, services=services))
    faces = facedetection(job_for(data))

    assert (text.pages, text.unread_pages) == (3, [2])
    assert [line.page for line in text.lines] == [1, 3]
    assert (labels.metadata.pages, labels.metadata.unread_pages) == (3, [2])
    assert (faces.pages, faces.unread_pages) == (3, [2])
    assert [face.page for face in faces.faces] == [1, 3]


def test_a_file_that_shares_a_call_says_which_pages_could_not_be_seen() -> None:
    (found,) = detect_faces_together([job_for(book_with_damage(2))])

    assert not isinstance(found, Exception)
    assert found.unread_pages == {2}
    assert [face.page for face in found.faces] == [1, 3]


def test_nothing_is_said_where_every_page_was_seen() -> None:
    for found in (ocr(job_for(book(3))), facedetection(job_for(book(3)))):
        assert "unread_pages" not in found.model_dump_json(exclude_none=True)


@pytest.mark.parametrize("step", ["generalclassification", "ocr", "facedetection"])
def test_the_page_of_a_photo_names_pages_that_nobody_saw(step: str) -> None:
    services = web_services()
    shown = [
        "damaged or too large: pages 3." in photo_page(services, data, "a.tif", step)
        for data in (book_with_damage(3), book(3))
    ]
    assert shown == [True, False]
