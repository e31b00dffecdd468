"""Lines in many scripts: who reads them, what is kept, and what is said when nobody can."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imaginem.assets import Asset, AssetStore, Manifest
from imaginem.config.ocr_languages import CODES, OCR_LANGUAGES, data_of
from imaginem.config.settings import read_settings
from imaginem.engines.alphabets import main_language
from imaginem.engines.local.scripts.data import Data, LanguageData, Reader, asset_name
from imaginem.engines.local.scripts.gate import is_read
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.tesseract import (
    Reading,
    ReadWord,
    without_rules,
)
from imaginem.engines.local.scripts.vietnamese import is_fuller, looks_cut, may_be_vietnamese
from imaginem.errors import ConfigurationError
from imaginem.outputs import TextLine

PHOTO = np.full((400, 900, 3), 255, np.uint8)


def box(left: int, top: int, width: int, height: int = 40) -> list[int]:
    right, bottom = left + width, top + height
    return [left, top, right, top, right, bottom, left, bottom]


def reader(language: str) -> Reader:
    script = next(each.script for each in OCR_LANGUAGES if each.code == language)
    return Reader(script, Data(Path("data"), (language,)), (language,))


class Readers:
    """Stands for Tesseract: each language reads what it is told, by the width of the line."""

    def __init__(self, readings: Mapping[str, Mapping[int, tuple[str, float]]]) -> None:
        self.readings, self.asked = readings, list[str]()
        self.scripts = ScriptReader([reader(language) for language in readings], self.read)

    def read(self, line: NDArray[Any], data: Data) -> Reading:
        language = data.names[0]
        self.asked.append(language)
        width = line.shape[1] - 8
        text, sure = self.readings[language].get(width, ("", 0.0))
        return Reading(text, sure)

    def lines(self, *found: FoundLine) -> list[TextLine]:
        return self.scripts.read(PHOTO, found)


def found(text: str, score: float, polygon: Sequence[int], located: float = 0.8) -> FoundLine:
    return FoundLine(TextLine(text=text, confidence=score, polygon=[*polygon]), located)


def test_what_pp_ocr_reads_well_is_read_by_nobody_else() -> None:
    readers = Readers({"ru": {}, "vi": {}})
    line = found("Looking for my brother", 0.99, box(0, 0, 400))
    (read,) = readers.lines(line)
    assert (read.text, read.script, readers.asked) == ("Looking for my brother", "Latn", [])


@pytest.mark.parametrize(
    ("text", "score", "is_kept"),
    [
        ("Looking for my brother", 0.94, True),
        ("Looking for my brother", 0.92, False),
        ("  :   i ", 0.98, False),  # Cyrillic, of which it reads next to nothing
        ("私の兄を探しています", 0.99, True),
        ("私の兄を探", 0.99, True),  # letters far apart, in a low box
        ("私の", 0.99, False),
        ("", 0.0, False),
    ],
)
def test_a_line_is_kept_if_its_score_is_high_and_its_letters_fill_it(
    text: str, score: float, is_kept: bool
) -> None:
    assert is_read(text, score, box(0, 0, 360)) is is_kept


def test_a_line_that_stands_upright_is_measured_along_its_letters() -> None:
    assert is_read("brother", 0.99, box(0, 0, 40, 160))
    assert not is_read("i", 0.99, box(0, 0, 40, 160))


def test_the_surest_reader_reads_a_line_and_the_next_line_is_given_to_it_first() -> None:
    readers = Readers(
        {
            "am": {300: ("ሀ2 ለ1 3", 0.6), 280: ("ሀ", 0.5)},
            "he": {300: ("מחפש את אחי", 0.9), 280: ("נראה לאחרונה", 0.9)},
            "ka": {300: ("რ 3", 0.4), 280: ("რ", 0.4)},
        }
    )
    lines = readers.lines(
        found("nnix vann", 0.6, box(0, 0, 280)), found("wunn 4", 0.7, box(0, 100, 300))
    )
    assert [line.text for line in lines] == ["נראה לאחרונה", "מחפש את אחי"]
    assert {(line.script, line.language) for line in lines} == {("Hebr", "he")}
    assert readers.asked == ["am", "he", "he"]  # the longest line first; then nobody else


def test_the_next_photo_is_tried_in_the_script_of_the_last_one_first() -> None:
    readers = Readers({"am": {}, "he": {300: ("מחפש את אחי", 0.9)}})
    for _ in range(2):
        readers.lines(found("", 0.0, box(0, 0, 300)))
    assert readers.asked == ["am", "he", "he"]


@pytest.mark.parametrize(
    ("text", "sure"), [("ፍለጋ ላይ ነኝ", 0.65), ("265149 ሠላም 291 4539 4995 3581", 0.9)]
)
def test_what_no_reader_believes_or_is_mostly_figures_is_unreadable(text: str, sure: float) -> None:
    (line,) = Readers({"am": {300: (text, sure)}}).lines(found("", 0.0, box(0, 0, 300)))
    assert (line.text, line.script) == ("", None)
    assert line.unreadable == "text in an unknown script, not readable here"


def test_thai_data_is_believed_less_since_it_is_as_sure_of_any_letters() -> None:
    readers = Readers({"th": {300: ("ใกล้สะพาน", 0.8)}, "hy": {300: ("Վերջին անգամ", 0.72)}})
    (line,) = readers.lines(found("", 0.0, box(0, 0, 300)))
    assert (line.text, line.script) == ("Վերջին անգամ", "Armn")


def test_invented_latin_letters_are_not_kept_and_the_text_is_said_to_be_unreadable() -> None:
    readers = Readers({"th": {300: ("ก1ข2 3", 0.8)}, "vi": {300: ("qx zzt", 0.7)}})
    (line,) = readers.lines(found("wunšvąaglna", 0.77, box(0, 0, 300)))
    assert line.text == ""
    assert line.unreadable == "text in an unknown script, not readable here"


def test_latin_letters_of_a_middling_score_are_kept_if_another_reader_sees_them_too() -> None:
    readers = Readers({"ru": {300: ("КВ2", 0.5)}, "vi": {300: ("Yamaha motor", 0.8)}})
    (line,) = readers.lines(found("YAMAHA MOTOP", 0.8, box(0, 0, 300)))
    assert (line.text, line.unreadable) == ("YAMAHA MOTOP", None)


def test_chinese_of_a_middling_score_is_kept_as_before() -> None:
    readers = Readers({"ko": {240: ("한국", 0.6)}})
    (line,) = readers.lines(found("我在寻找我的弟弟", 0.85, box(0, 0, 240)))
    assert (line.text, line.language, readers.asked) == ("我在寻找我的弟弟", "zh", [])


def test_figures_of_arabic_script_are_never_sure() -> None:
    class Sure(Readers):
        def read(self, line: NDArray[Any], data: Data) -> Reading:
            words = (ReadWord("عمره", 0.9, 200, 300), ReadWord("١٤", 0.9, 0, 100))
            return Reading("عمره ١٤", 0.9, words)

    (line,) = Sure({"ar": {}}).lines(found("", 0.0, box(0, 0, 300)))
    assert [word.confidence for word in line.words] == [0.9, 0.5]
    assert line.confidence == pytest.approx((4 * 0.9 + 2 * 0.5) / 6, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("| አበበ ከበደ", "አበበ ከበደ"),
        ("| አበበ | ከበደ |", "አበበ | ከበደ"),
        ("| वह आया |", "वह आया |"),  # its full stop looks so
        ("||", "||"),
        ("|", ""),
    ],
)
def test_the_rules_of_a_table_are_no_letters(text: str, told: str) -> None:
    words = tuple(ReadWord(word, 0.9, 0, 1) for word in text.split())
    read = without_rules(Reading(text, 0.9, words))
    assert (read.text, " ".join(word.text for word in read.words)) == (told, told)


def test_greek_letters_of_pp_ocr_are_read_again_since_it_loses_some() -> None:
    readers = Readers({"el": {300: ("Αγνοούμενο άτομο", 0.9)}})
    (line,) = readers.lines(found("Aγνοομενο τομο", 0.97, box(0, 0, 300)))
    assert (line.text, line.language) == ("Αγνοούμενο άτομο", "el")


def test_sure_latin_letters_are_doubted_beside_lines_in_another_script() -> None:
    readers = Readers(
        {
            "th": {
                400: ("ตามหาน้องชายของฉัน", 0.95),
                300: ("กรุณาติดต่อกลับ", 0.9),
                250: ("โปรดโทร", 0.9),
            },
            "vi": {300: ("n$ urifi mo", 0.4), 250: ("nayg Usans", 0.7), 200: ("Red Cross", 0.9)},
        }
    )
    lines = readers.lines(
        found("", 0.0, box(0, 0, 400)),
        found("nsninianau", 0.95, box(0, 100, 300)),
        found("nayg [Usa[ns", 0.77, box(0, 150, 250)),  # a second reader sees the same
        found("Red Cross", 0.99, box(0, 200, 200)),
    )
    assert [line.text for line in lines] == [
        "ตามหาน้องชายของฉัน",
        "กรุณาติดต่อกลับ",
        "โปรดโทร",
        "Red Cross",
    ]


def test_latin_letters_that_are_greek_ones_are_read_again_beside_greek_lines() -> None:
    readers = Readers(
        {
            "el": {
                400: ("Παρακαλώ καλέστε μας", 0.9),
                300: ("μου, τον Νίκο", 0.8),
                200: ("Ρ", 0.2),
            },
            "vi": {300: ("pov, tov Niko", 0.9), 200: ("Red Cross", 0.9)},
        }
    )
    for score in (0.88, 0.97):
        lines = readers.lines(
            found("", 0.0, box(0, 0, 400)),
            found("μov, tov Niko", score, box(0, 100, 300)),
            found("Red Cross", score, box(0, 200, 200)),
        )
        assert [line.text for line in lines][1:] == ["μου, τον Νίκο", "Red Cross"]


def test_latin_handwriting_that_only_pp_ocr_can_read_is_kept() -> None:
    readers = Readers({"ru": {300: ("Пл2 ,", 0.5)}, "vi": {300: ("l~ k", 0.3)}})
    (line,) = readers.lines(found("Maria Lopez", 0.88, box(0, 0, 300)))
    assert (line.text, line.script) == ("Maria Lopez", "Latn")


def test_without_data_what_is_not_latin_is_said_to_be_unreadable() -> None:
    readers = Readers({})
    lines = readers.lines(
        found("Αγνοουμεν τομο", 0.83, box(0, 0, 400)),
        found("", 0.0, box(0, 100, 300)),
        found("nayg UsaIns", 0.77, box(0, 200, 300)),
        found("ωσω", 0.7, box(0, 300, 300)),
        found("Looking for my brother", 0.9, box(0, 400, 400)),
    )
    assert [line.text for line in lines] == ["", "", "", "", "Looking for my brother"]
    assert lines[0].unreadable == "text in Greek, not readable here"
    assert lines[1].unreadable == lines[2].unreadable == lines[3].unreadable
    assert lines[1].unreadable == "text in an unknown script, not readable here"


@pytest.mark.parametrize(
    ("width", "located", "why"), [(60, 0.7, "short"), (100, 0.65, "not sure to be text")]
)
def test_patterns_are_no_text_and_cost_no_search(width: int, located: float, why: str) -> None:
    readers = Readers({"ka": {width: ("რ", 0.9)}, "am": {width: ("ድ", 0.9)}})
    assert readers.lines(found("0", 0.5, box(0, 0, width), located)) == [], why
    assert readers.asked == []


def test_a_pattern_in_which_a_reader_sees_two_letters_is_no_text() -> None:
    readers = Readers({"hy": {100: ("Հա", 0.95)}})
    assert readers.lines(found("", 0.2, box(0, 0, 100), 0.74)) == []


def test_short_words_are_read_where_longer_lines_told_the_script() -> None:
    readers = Readers({"ru": {300: ("Ищу моего брата", 0.9), 60: ("Да", 0.6)}})
    lines = readers.lines(found("", 0.0, box(0, 0, 60), 0.6), found("", 0.0, box(0, 100, 300), 0.6))
    assert [line.text for line in lines] == ["Да", "Ищу моего брата"]


def test_a_long_line_that_was_not_sure_enough_is_read_once_others_told_the_script() -> None:
    readers = Readers({"fa": {400: ("متولد ۱۳۷۵ پنجشیر", 0.65), 300: ("دنبال برادرم هستم", 0.9)}})
    lines = readers.lines(found("", 0.0, box(0, 0, 400)), found("", 0.0, box(0, 100, 300)))
    assert [line.text for line in lines] == ["متولد ۱۳۷۵ پنجشیر", "دنبال برادرم هستم"]
    (alone,) = readers.lines(found("", 0.0, box(0, 0, 400)))
    assert (alone.text, alone.unreadable is not None) == ("", True)


def test_what_is_in_many_colors_is_a_pattern_unless_it_is_long() -> None:
    ribbons = PHOTO.copy()
    for left, color in enumerate([(0, 0, 200), (0, 200, 200), (200, 0, 0), (0, 0, 0)] * 10):
        ribbons[:, left * 10 : left * 10 + 10] = color
    blue_on_yellow = PHOTO.copy()
    blue_on_yellow[:] = (0, 200, 220)
    blue_on_yellow[10:30, 20:60] = (200, 40, 0)
    readers = Readers({"am": {}})
    scripts = readers.scripts
    short, long = (found("", 0.0, box(0, 0, width)) for width in (160, 240))
    assert scripts.read(ribbons, [short]) == []
    assert readers.asked == []  # it would take long for each photo of a uniform
    assert len(scripts.read(blue_on_yellow, [short])) == 1
    assert len(scripts.read(ribbons, [long])) == 1


def test_readers_are_not_asked_about_pattern_after_pattern() -> None:
    readers = Readers({"ru": {}, "am": {}, "ka": {}})
    readers.lines(*(found("", 0.1, box(0, 50 * row, 200)) for row in range(7)))
    assert len(readers.asked) == 3 * 3


@pytest.mark.parametrize(
    ("sure", "texts"),
    [
        (0.6, ["ፍለጋ ላይ ነኝ", "", "", "ዮሐንስ ተስፋዬ"]),
        (0.59, ["", "", "", ""]),  # three lines were asked about, and no reader was near
    ],
)
def test_a_script_that_was_nearly_believed_is_asked_about_in_the_other_lines(
    sure: float, texts: list[str]
) -> None:
    longest = {400: ("ፍለጋ ላይ ነኝ", sure), 300: ("ዮሐንስ ተስፋዬ", 0.9)}
    readers = Readers({"ka": {}, "am": longest})
    lines = readers.lines(
        *(found("", 0.0, box(0, 60 * n, w)) for n, w in enumerate((400, 360, 320, 300)))
    )
    assert [line.text for line in lines] == texts


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ar", "أبحث عن أخي في المدينة"),
        ("fa", "پنجشیر، دنبال برادرم می‌گردم"),
        ("ur", "میں اپنے بھائی کو ڈھونڈ رہا ہوں"),
    ],
)
def test_the_letters_tell_the_language_of_arabic_script(language: str, text: str) -> None:
    """Arabic data is as sure of Persian as of Arabic, though it lacks four of its letters."""
    seen = {code: {400: (text if code != "ar" else "لان", 0.85)} for code in ("ar", "fa", "ur")}
    seen[language] = {400: (text, 0.8)}
    (line,) = Readers(seen).lines(found("", 0.0, box(0, 0, 400)))
    assert (line.text, line.language, line.script) == (text, language, "Arab")


@pytest.mark.parametrize(
    ("language", "by_russian", "by_ukrainian"),
    [
        ("ru", "Брат ищет сестру в Харькове", "Брат ищет сестру в Хар'кові"),
        ("uk", "Брат шукає сестру у Києві", "Її брат шукає сестру"),
    ],
)
def test_the_letters_tell_russian_from_ukrainian(
    language: str, by_russian: str, by_ukrainian: str
) -> None:
    readers = Readers({"ru": {400: (by_russian, 0.9)}, "uk": {400: (by_ukrainian, 0.9)}})
    (line,) = readers.lines(found("", 0.0, box(0, 0, 400)))
    assert (line.language, line.text) == (
        language,
        by_russian if language == "ru" else by_ukrainian,
    )


def test_lost_letters_of_vietnamese_are_read_again_and_other_latin_lines_are_not() -> None:
    lost, whole = "Ngưi mt tích: xin", "Người mất tích: xin"
    readers = Readers({"vi": {300: (whole, 0.95)}})
    (line,) = readers.lines(found(lost, 0.98, box(0, 0, 300)))
    assert (line.text, line.language) == (whole, "vi")
    assert not any(map(looks_cut, ["Élodie François, née à Orléans", "Señor José Muñoz", "MSF"]))
    assert not is_fuller("Elodie Francois", "Élodie François")


def test_short_words_with_many_marks_are_read_again_as_vietnamese() -> None:
    """A blurred photo: the marks are other ones, and no letter shows the language."""
    blurred, sharp = "Töi dang tim em trai tôi à Đà", "Tôi đang tìm em trai tôi ở Đà"
    readers = Readers({"vi": {400: (sharp, 0.9)}})
    (line,) = readers.lines(found(blurred.replace("Đ", "D"), 0.95, box(0, 0, 400)))
    assert (line.text, line.language) == (sharp, "vi")
    for others in (
        "Élodie François cherche son frère Noël, disparu près de Orléans",
        "Où est ma sœur",
        "Gdzie jest mój brat Łukasz, był w obozie pod Łodzią",
        "I am looking for my son",
        "Élodie François",
        "José Núñez Ibáñez",
    ):
        assert not may_be_vietnamese([others])


@pytest.mark.parametrize(
    ("seen", "read", "sure", "told"),
    [
        ("Nguyn", "“Nguyễn", 0.67, "Nguyễn"),  # what is read of the ground goes
        ("Nguyn", "“Nguyễn", 0.66, "Nguyn"),
        ("Pham Hóng Phúc", "- Phạm Hồng Phúc", 0.9, "Phạm Hồng Phúc"),
        ("- Huyn", "- Huyền", 0.9, "- Huyền"),  # both readers see it
        ("Benjamin", "Benjamín", 0.9, "Benjamin"),  # nothing makes it Vietnamese
    ],
)
def test_the_name_of_a_vietnamese_is_read_again_though_it_stands_alone(
    seen: str, read: str, sure: float, told: str
) -> None:
    words = tuple(ReadWord(word, sure, 0, 1) for word in read.split())
    readers = [reader("vi")]
    scripts = ScriptReader(readers, lambda *_: Reading(read, sure, words))
    (line,) = scripts.read(PHOTO, [found(seen, 0.99, box(0, 0, 20 * len(seen)))])
    assert line.text == told
    assert told == seen or " ".join(word.text for word in line.words) == told


def test_a_line_in_another_script_is_doubted_if_the_reader_of_the_others_believes_it() -> None:
    readers = Readers(
        {
            "am": {400: ("ህገህጃህህገህ", 0.73), 280: ("ኢትዮጵያ ቀይ", 0.9)},
            "th": {
                400: ("นายสมชาย ใจดี", 0.9),
                360: ("ตามหาน้องชาย", 0.95),
                320: ("กรุณาติดต่อกลับ", 0.95),
                300: ("เต็นท์ที่", 0.95),
                280: ("ใกล้", 0.8),
            },
        }
    )
    widths = (400, 360, 320, 300, 280)
    lines = readers.lines(*(found("", 0.0, box(0, 60 * n, w)) for n, w in enumerate(widths)))
    assert [line.script for line in lines] == [*["Thai"] * 4, "Ethi"]


def test_the_language_of_a_photo_is_that_of_most_letters() -> None:
    def line(text: str, language: str) -> TextLine:
        return TextLine(text=text, confidence=1, polygon=[], language=language)

    assert main_language([line("Ищу брата", "ru"), line("No", "und-Latn")]) == "ru"
    assert main_language([line("東京都港区", "zh"), line("です", "ja")]) == "ja"
    assert main_language([]) == ""


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    assets = {
        asset_name(code): Asset(asset_name(code), f"language {code}", code * 4, 4, "Apache-2.0")
        for code in data_of(CODES)
    }
    return AssetStore(tmp_path / "assets", Manifest({}, assets))


def put(store: AssetStore, *codes: str) -> None:
    store.folder.mkdir(exist_ok=True)
    for code in codes:
        (store.folder / store.manifest.assets[asset_name(code)].file_name).write_bytes(b"data")


def test_data_of_packages_reads_what_is_asked_for(store: AssetStore) -> None:
    put(store, "bel", "bul", "ara", "heb")
    data = LanguageData(store, ())
    russian, arabic = sorted(
        data.readers(["ru", "ar", "fa"]), key=lambda each: each.script, reverse=True
    )
    assert [name[:7] for name in russian.data.names] == ["ocr-bel", "ocr-bul"]
    assert (arabic.script, arabic.languages) == ("Arab", ("ar",))
    assert [each.code for each in data.missing(["ru", "ar", "fa"])] == ["fa"]


def test_data_of_the_system_is_used_where_it_is_better_or_alone(
    store: AssetStore, tmp_path: Path
) -> None:
    put(store, "bel", "bul", "ukr", "ara")
    system = tmp_path / "tessdata"
    system.mkdir()
    for name in ("Cyrillic", "Arabic", "Thai"):
        (system / f"{name}.traineddata").touch()
    readers = LanguageData(store, (system,)).readers(["ru", "uk", "ar", "th"])
    by_script = {each.script: each for each in readers}
    assert by_script["Cyrl"] == Reader("Cyrl", Data(system, ("Cyrillic",)), ("ru", "uk"))
    assert by_script["Arab"].data.folder == store.folder
    assert by_script["Thai"].data == Data(system, ("Thai",), keeps_spaces=True)


def test_data_that_no_package_has_is_read_where_the_system_has_it(
    store: AssetStore, tmp_path: Path
) -> None:
    for name in ("Myanmar", "Khmer"):
        (tmp_path / f"{name}.traineddata").touch()
    readers = LanguageData(store, (tmp_path,)).readers(CODES)
    assert [(each.data.names, each.languages) for each in readers] == [
        (("Myanmar",), ("my",)),
        (("Khmer",), ("km",)),
    ]


def test_ocr_languages_names_what_is_read_besides() -> None:
    assert read_settings({}).ocr_languages == CODES
    assert read_settings({"OCR_LANGUAGES": "AR, fa,ar"}).ocr_languages == ("ar", "fa")
    assert read_settings({"OCR_LANGUAGES": "none"}).ocr_languages == ()
    with pytest.raises(ConfigurationError, match=r"OCR_LANGUAGES is 'ar,klingon': give none, or"):
        read_settings({"OCR_LANGUAGES": "ar,klingon"})
    with pytest.raises(ConfigurationError, match=r"\(en is none of them; Latin, .* always read\)"):
        read_settings({"OCR_LANGUAGES": "ar,EN"})
