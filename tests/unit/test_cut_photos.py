"""JPEG files that lack their end are decoded as far as they go, and said to be cut."""

import io

import numpy as np
import pytest
from PIL import Image

from imaginem.errors import PermanentError
from imaginem.images.apart import decode_apart
from imaginem.images.decoding import check_photo, decode_photo
from imaginem.testing import job_for
from steps.facedetection import facedetection
from steps.generalclassification import generalclassification
from steps.ocr import ocr
from tests.dashboard import photo_page, web_services


def jpeg(**options: object) -> bytes:
    shades = np.arange(320 * 240 * 3, dtype=np.uint32).reshape(240, 320, 3)
    picture = Image.fromarray((shades // 900 % 256).astype(np.uint8))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, **options)
    return out.getvalue()


WHOLE = jpeg()
THUMBNAIL = Image.Exif()
THUMBNAIL[0x9C9B] = b"\xff\xd8 a preview with an end of its own \xff\xd9"


@pytest.mark.parametrize("missing", [1, 2, 8, len(WHOLE) // 3])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": THUMBNAIL}])
def test_what_is_there_of_a_photo_is_decoded(missing: int, options: dict[str, object]) -> None:
    data = jpeg(**options)
    whole, cut = decode_photo(data), decode_photo(data[:-missing])

    assert not whole.ends_early
    assert cut.ends_early
    assert (cut.width, cut.height) == (320, 240)
    assert (cut.array[:100].astype(int) - whole.array[:100]).max() < 12
    assert cut.same_file == b""  # no service would take it


def test_a_process_apart_decodes_it_alike() -> None:
    cut = WHOLE[:-500]

    assert decode_apart(cut).pixels.data == decode_photo(cut).pixels.data


def test_what_follows_a_whole_photo_does_not_make_it_a_cut_one() -> None:
    photo = decode_photo(WHOLE + b"a film, as phones append it" * 10)

    assert not photo.ends_early
    assert photo.same_file


def test_a_file_without_any_picture_is_still_refused() -> None:
    for data in (WHOLE[:2], WHOLE[:30], WHOLE[:200]):
        with pytest.raises(PermanentError):
            decode_photo(data)


def test_a_cut_photo_may_be_uploaded() -> None:
    assert check_photo(WHOLE[:-8]) == "JPEG"


def test_every_step_that_looks_at_a_cut_photo_says_so() -> None:
    assert generalclassification(job_for(WHOLE[:-8])).metadata.ends_early is True
    assert ocr(job_for(WHOLE[:-8])).ends_early is True
    assert facedetection(job_for(WHOLE[:-8])).ends_early is True


def test_nothing_is_said_of_whole_photos() -> None:
    for found in (
        generalclassification(job_for(WHOLE)),
        ocr(job_for(WHOLE)),
        facedetection(job_for(WHOLE)),
    ):
        assert "ends_early" not in found.model_dump_json(exclude_none=True)


@pytest.mark.parametrize("step", ["generalclassification", "ocr", "facedetection"])
def test_the_page_of_a_cut_photo_says_so_whichever_step_looked(step: str) -> None:
    services = web_services()
    shown = [
        "The file ends early" in photo_page(services, data, "a.jpg", step)
        for data in (WHOLE[:-8], WHOLE)
    ]
    assert shown == [True, False]
