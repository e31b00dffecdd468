"""JPEG XL files, which a package decodes that may be missing."""

import sys

import numpy as np
import pytest

from imaginem.errors import PermanentError
from imaginem.images.decoding import check_photo, decode_photo
from imaginem.images.jpeg_xl import decoded_jpeg_xl
from imaginem.images.limits import PIXEL_LIMIT, OverLimit

pylibjxl = pytest.importorskip("pylibjxl")


def jxl(width: int, height: int, color: tuple[int, ...]) -> bytes:
    pixels = np.full((height, width, len(color)), color, np.uint8)
    return bytes(pylibjxl.encode(pixels, effort=1))


@pytest.mark.parametrize("color", [(200, 30, 30), (0, 128, 128, 255)])
def test_a_jpeg_xl_file_is_decoded_apart(color: tuple[int, ...]) -> None:
    photo = decode_photo(jxl(64, 48, color))

    assert (photo.width, photo.height, photo.format) == (64, 48, "JXL")
    assert np.abs(photo.array.reshape(-1, 3).mean(0) - color[:3]).max() < 8


def test_it_may_be_uploaded() -> None:
    assert check_photo(jxl(64, 48, (1, 2, 3))) == "JXL"


def test_its_size_is_asked_for_before_it_is_decoded() -> None:
    side = 1 + int(PIXEL_LIMIT**0.5)
    head = pylibjxl.encode(np.zeros((side, side, 1), np.uint8), effort=1)[:200]

    with pytest.raises(OverLimit, match=f"{side}x{side} pixels"):
        decoded_jpeg_xl(bytes(head))


def test_a_broken_one_is_refused() -> None:
    with pytest.raises(PermanentError, match="damaged"):
        decode_photo(jxl(64, 48, (1, 2, 3))[:-9] + bytes(3))


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylibjxl", None)

    with pytest.raises(PermanentError, match="pip install pylibjxl"):
        decoded_jpeg_xl(b"\xff\x0a")
