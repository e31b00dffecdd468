"""Lists of names and numbers: nothing of them is torn apart, lost or passed over in silence."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.scripts.drawing import Fonts, draw_words, photographed
from benchmarks.scripts.measure import Readers
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.ocr import LocalOcr
from imaginem.engines.local.scripts.data import SYSTEM_FOLDERS
from imaginem.images.decoding import decode_photo
from imaginem.outputs import OcrText, TextLine
from imaginem.ports import CallContext

FONTS = Fonts(Path("/usr/share/fonts"))
CALL = CallContext.without_job("contract test")

NAMES = ["Vincent van der Meer", "Mohammad Rahim Uddin", "BABY OF MARYAM MUSA", "Emma Wummel"]
NUMBERS = ["0770 123 4567", "01 02 2003", "+249 900 123 456", "050 300 1000", "7 4 2026"]
BESIDE = ["Ahmed Ali 01 02 2003", "Maria +249 900 123 456", "Olga 8 800 555 35 35"]


@pytest.fixture(scope="module")
def readers() -> Readers:
    return Readers(AssetStore(read_settings().assets), SYSTEM_FOLDERS)


def font(name: str) -> Path:
    found = next(FONTS.folder.rglob(f"{name}.ttf"), None)
    if found is None:
        assert not os.environ.get("CI"), f"{name} is missing: apt-get install fonts-noto-core"
        pytest.skip(f"no {name}: apt-get install fonts-noto-core")
    return found


@pytest.mark.parametrize("lines", [NAMES, NUMBERS, BESIDE])
@pytest.mark.parametrize("name", ["NotoSans-Regular", "NotoSans-Bold"])
@pytest.mark.parametrize("is_photo", [False, True])
def test_latin_names_and_numbers_in_groups_stay_whole(
    readers: Readers, lines: list[str], name: str, is_photo: bool
) -> None:
    page = draw_words(lines, font(name), font(name), 32)
    bgr, found = readers.found(photographed(page, 1) if is_photo else page)
    assert [line.text for line in readers.read("packages", bgr, found)] == lines


def beside_a_number(name: str, language: str) -> list[TextLine]:
    """Return what is read of a name and of a number in one row, far from each other."""
    drawn = [
        draw_words([text], font(each), font(each), 32)
        for text, each in (("0912345678", "NotoSans-Regular"), (name, language))
    ]
    high = max(part.shape[0] for part in drawn)
    row = np.full((high, 900), drawn[0].max(), np.uint8)
    number, word = drawn
    row[: number.shape[0], : min(number.shape[1], 400)] = number[:, :400]
    row[: word.shape[0], 600:] = word[:, :300]
    return read_on(row).lines


def read_on(page: NDArray[Any]) -> OcrText:
    """Return what the local engine reads on a page."""
    _, packed = cv2.imencode(".png", page)
    engine = LocalOcr(AssetStore(read_settings().assets))
    return engine.read(decode_photo(packed.tobytes()), CALL)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("حسن", "NotoNaskhArabic-Regular"),
        ("အလီ", "NotoSansMyanmar-Regular"),
        ("नूर", "NotoSansDevanagari-Regular"),
    ],
)
def test_a_short_name_beside_a_number_is_read_or_said(name: str, language: str) -> None:
    told, number = sorted(beside_a_number(name, language), key=lambda line: line.text.isdigit())
    assert number.text == "0912345678"
    assert told.text == name or told.unreadable


def test_a_lone_word_that_nobody_can_read_is_said_and_the_photo_is_not_turned() -> None:
    page = draw_words(["မမြင့်"], font("NotoSansMyanmar-Regular"), font("NotoSans-Regular"), 64)
    read = read_on(page)
    assert [(line.text, line.unreadable is not None) for line in read.lines] == [("", True)]
    assert read.turn is None or read.turn.degrees == 0


@pytest.mark.parametrize(
    ("drawn", "told", "name"),
    [
        ("0770 123 4567 حسن سعاد", "سعاد حسن 0770 123 4567", "NotoNaskhArabic-Regular"),
        ("+964 774 538 6192 حسن سعاد", "سعاد حسن +964 774 538 6192", "NotoNaskhArabic-Regular"),
        ("4567 123 0770 حسن سعاد", "سعاد حسن 0770 123 4567", "NotoNaskhArabic-Regular"),
        ("052 987 6543 טלפון", "טלפון 052 987 6543", "NotoSansHebrew-Regular"),
        ("לוי דוד", "דוד לוי", "NotoSansHebrew-Regular"),
    ],
)
def test_lines_from_right_to_left_have_their_numbers_in_order_and_none_is_invented(
    drawn: str, told: str, name: str
) -> None:
    read = read_on(draw_words([drawn], font(name), font("NotoSans-Regular"), 48))
    assert [line.text for line in read.lines] == [told]
