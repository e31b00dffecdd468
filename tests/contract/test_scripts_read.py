"""A small share of `make bench ARGS=scripts`: lines in several scripts are read, none invented."""

import os
from pathlib import Path

import cv2
import pytest

from benchmarks.scripts.drawing import Fonts, draw_page, draw_words, photographed
from benchmarks.scripts.measure import Count, Readers, pages_of
from benchmarks.scripts.texts import TEXTS
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.ocr import LocalOcr
from imaginem.engines.local.quarter_turns import turned
from imaginem.engines.local.scripts.data import SYSTEM_FOLDERS
from imaginem.images.decoding import decode_photo
from imaginem.ports import CallContext

FONTS = Fonts(Path("/usr/share/fonts"))
CALL = CallContext.without_job("contract test")


@pytest.fixture(scope="module")
def readers() -> Readers:
    return Readers(AssetStore(read_settings().assets), SYSTEM_FOLDERS)


def need_font(language: str) -> None:
    if not FONTS.of(language) and not os.environ.get("CI"):
        pytest.skip(f"no font for {language}: apt-get install fonts-noto-core")


@pytest.mark.parametrize("language", ["ru", "ar", "el", "am", "he"])
def test_a_photo_of_lines_is_read(readers: Readers, language: str) -> None:
    need_font(language)
    ((page, truth),) = pages_of(language, 6, FONTS)
    bgr, found = readers.found(photographed(page, 3))
    count = Count()
    count.add(truth, readers.read("packages", bgr, found))
    assert count.percent <= 12
    assert count.invented == 0


@pytest.mark.parametrize("language", ["te"])
def test_what_nobody_can_read_is_said(readers: Readers, language: str) -> None:
    need_font(language)
    ((page, truth),) = pages_of(language, 12, FONTS)
    bgr, found = readers.found(photographed(page, 3))
    lines = readers.read("packages", bgr, found)
    assert [line.text for line in lines if line.text] == []
    assert len([line for line in lines if line.unreadable]) >= len(truth) - 2


@pytest.mark.parametrize(
    ("language", "names"), [("km", "47 អ៊ុំ ណារិន|លី ស្រីមុំ 98765"), ("my", "စောထူး 0771234567|98765 စောထူး")]
)
def test_beside_a_number_nothing_is_invented_of_a_name_that_nobody_can_read(
    readers: Readers, language: str, names: str
) -> None:
    need_font(language)
    lines = names.split("|")
    spare = next(FONTS.folder.rglob("NotoSans-Regular.ttf"))
    page = draw_words(lines, FONTS.of(language)[0], spare, 32)
    bgr, found = readers.found(photographed(page, 1))
    read = readers.read("packages", bgr, found)
    told = {word for line in read for word in line.text.split()}
    assert told <= {word for line in lines for word in line.split() if word.isascii()}
    assert any(line.unreadable for line in read)


def test_words_lie_in_their_lines_and_the_text_is_in_logical_order(tmp_path: Path) -> None:
    language = "ar"
    need_font(language)
    page, truth = draw_page(TEXTS[language].splitlines()[2:5], language, FONTS.of(language)[0], 32)
    cv2.imwrite(str(tmp_path / "page.png"), page)
    photo = decode_photo((tmp_path / "page.png").read_bytes())
    found = LocalOcr(AssetStore(read_settings().assets)).read(photo, CALL)

    assert found.language == "ar"
    assert found.full_text.splitlines()[1].split()[:2] == truth[1].split()[:2]
    for line in found.lines:
        assert line.script == "Arab"
        assert [word.text for word in line.words] == line.text.split()
        rights = [max(word.polygon[::2]) for word in line.words]
        assert rights[0] == max(rights)  # the first word stands on the right
        assert all(0 <= x <= photo.width for word in line.words for x in word.polygon[::2])


@pytest.mark.parametrize("turn", [0, 270])
def test_a_hebrew_page_is_read_whichever_way_it_lies(turn: int) -> None:
    """The network that tells turns is sure that it lies the other way round."""
    language = "he"
    need_font(language)
    page, truth = draw_page(TEXTS[language].splitlines()[3:9], language, FONTS.of(language)[0], 32)
    _, packed = cv2.imencode(".png", turned(page, turn))
    read = LocalOcr(AssetStore(read_settings().assets)).read(decode_photo(packed.tobytes()), CALL)

    assert read.turn is not None and read.turn.degrees == (360 - turn) % 360
    count = Count()
    count.add(truth, read.lines)
    assert count.percent <= 5
