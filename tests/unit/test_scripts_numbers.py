"""Names beside numbers: PP-OCR is sure of the number, and leaves the name out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from numpy.typing import NDArray

from imaginem.engines.local.scripts.choosing import ScriptChooser
from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.gate import is_read
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.tesseract import Reading, ReadWord
from imaginem.outputs import TextLine
from tests.unit.test_scripts import PHOTO, Readers, box, found, reader
from tests.unit.test_scripts_parting import seen

Words = Mapping[str, float]

INKED = PHOTO.copy()
INKED[8:32, ::4] = 0


def read(line: FoundLine, readings: Mapping[str, Words]) -> TextLine:
    """Return how a line is told whose words each language's reader reads so."""

    (told,) = pieces(line, readings)
    return told


def pieces(line: FoundLine, readings: Mapping[str, Words]) -> list[TextLine]:
    """Return the same as the lines that it became."""

    def reading(_: NDArray[Any], data: Data) -> Reading:
        return of_words(readings[data.names[0]])

    return ScriptReader([reader(language) for language in readings], reading).read(INKED, [line])


def of_words(words: Words) -> Reading:
    told = tuple(ReadWord(text, sure, 0, 1) for text, sure in words.items())
    return Reading(" ".join(words), sum(words.values()) / len(words), told)


@pytest.mark.parametrize(
    ("text", "score", "width", "is_kept"),
    [
        ("0770 123456", 0.98, 330, False),  # and a name, for which there is room
        ("0770 123456", 0.99, 240, True),
        ("1985-03-12", 0.99, 200, True),
        ("12:45 23:10", 0.98, 220, True),
        ("Tel 0770 123456", 0.99, 300, True),
        ("THT 98765 43210", 0.94, 280, False),
        ("2026年3月5日", 0.94, 240, True),
    ],
)
def test_a_number_is_kept_if_nothing_else_has_room_in_its_line(
    text: str, score: float, width: int, is_kept: bool
) -> None:
    assert is_read(text, score, box(0, 0, width)) is is_kept


@pytest.mark.parametrize(
    ("language", "name", "seen"),
    [("ru", "Мария", "Mapua"), ("am", "ዮሐንስ", "vh?u"), ("he", "דוד", "TIT"), ("ar", "محمد", "le")],
)
def test_a_name_before_a_long_number_is_read_in_its_script(
    language: str, name: str, seen: str
) -> None:
    line = found(" 0770 123456", 0.98, box(0, 0, 330))
    told = read(
        line,
        {
            language: {name: 0.9, "0770": 0.96, "123456": 0.96},
            "vi": {seen: 0.5, "0770": 0.96, "123456": 0.96},
        },
    )
    assert told.text == f"{name} 0770 123456"


def test_a_number_does_not_make_letters_sure_that_are_not() -> None:
    unsure = {
        "am": {"ፔኸፔሰ": 0.4, "0770": 0.98, "123456": 0.98},
        "vi": {"le": 0.3, "0770": 0.98, "123456": 0.98},
    }
    name, number = pieces(seen("0770 123456", left=100), unsure)
    assert (number.text, number.script, number.unreadable) == ("0770 123456", None, None)
    assert (name.text, name.unreadable) == ("", "text in an unknown script, not readable here")


@pytest.mark.parametrize(("alone", "is_read"), [("ወጠበ", False), ("ገብረ", True)])
def test_letters_are_believed_that_are_the_same_without_the_number(
    alone: str, is_read: bool
) -> None:
    def reading(line: NDArray[Any], data: Data) -> Reading:
        return of_words({alone: 0.9} if line.shape[1] < 150 else {"ገብረ": 0.9, "98765": 0.9})

    lines = ScriptReader([reader("am")], reading).read(INKED, [seen("98765", left=100)])
    texts = ["ገብረ 98765"] if is_read else ["", "98765"]
    assert [line.text for line in lines] == texts


def test_lines_are_in_lao_if_their_thai_letters_are_not_sure_in_the_mean() -> None:
    def beliefs(*sure: float) -> list[str]:
        readings = {300 - 10 * n: ("ตามหาน้องชาย", each) for n, each in enumerate(sure)}
        found_lines = (found("", 0.0, box(0, 50 * n, 300 - 10 * n)) for n in range(len(sure)))
        return [line.text for line in Readers({"th": readings}).lines(*found_lines)]

    assert beliefs(0.95, 0.8, 0.78) == ["", "", ""]
    assert beliefs(0.95, 0.9, 0.85) == ["ตามหาน้องชาย"] * 3


@pytest.mark.parametrize(
    ("name", "again", "texts"),
    [
        ("Marla Lopez", "Maria Lopez", ["Marla Lopez 198765"]),
        ("wumns zoqal", "iu l", ["", "198765"]),
        ("mo", "mo", ["", "198765"]),
    ],
)
def test_unsure_latin_letters_beside_a_number_need_a_second_reader(
    name: str, again: str, texts: list[str]
) -> None:
    line = seen(f"{name} 198765", "7" * len(name) + " 999999")
    lines = pieces(line, {"vi": dict.fromkeys(again.split(), 0.8)})
    assert [line.text for line in lines] == texts


def test_every_reader_is_asked_about_the_few_letters_beside_a_number() -> None:
    line = found("0770 123456 v", 0.9, box(0, 0, 330))
    told = read(
        line,
        {
            "am": {"ከገህዘ": 0.8, "0770": 0.96, "123456": 0.96},
            "ru": {"Мария": 0.94, "0770": 0.96, "123456": 0.96},
        },
    )
    assert told.text == "Мария 0770 123456"


def test_a_number_and_latin_letters_that_another_reader_sees_too_stay_as_they_are() -> None:
    line = found("No. 4711 / 23", 0.94, box(0, 0, 240))
    told = read(line, {"el": {"Νοο.": 0.92, "4711": 0.9}, "vi": {"No.4711/23": 0.91}})
    assert (told.text, told.script) == ("No. 4711 / 23", "Latn")


def test_a_stroke_in_a_number_does_not_make_a_name_less_sure() -> None:
    words = {"लक्ष्मी": 0.9, "।2.03.998": 0.0}
    chooser = ScriptChooser([reader("hi")], lambda *_: of_words(words))
    assert chooser.answer(INKED, reader("hi")).belief == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("others", "sure", "text"),
    [(4, 0.5, "फातिमा 98765"), (4, 0.49, "ড্রালিমা 98765"), (3, 0.6, "ড্রালিমা 98765")],
)
def test_a_name_beside_a_number_is_in_the_script_of_nearly_all_other_lines(
    others: int, sure: float, text: str
) -> None:
    line = seen("98765", left=100)
    width = line.line.polygon[2]
    whole = {"hi": ("फातिमा", sure), "bn": ("ড্রালিমা", 0.77)}

    def reading(cut: NDArray[Any], data: Data) -> Reading:
        language = data.names[0]
        if cut.shape[1] - 8 > width:  # one of the other lines
            return of_words({"मोहम्मद अली": 0.9} if language == "hi" else {"ড": 0.1})
        name, belief = whole[language]
        return of_words({name: belief, "98765": 0.96})

    rows = [found("", 0.0, box(0, 60 * n, 400)) for n in range(1, others + 1)]
    lines = ScriptReader([reader("bn"), reader("hi")], reading).read(INKED, [line, *rows])
    assert [line.text for line in lines] == [text, *["मोहम्मद अली"] * others]


@pytest.mark.parametrize(
    ("text", "sure", "is_latin"),
    [
        ("14 Busco", "55 99999", True),
        ("14 Busco", "55 99955", False),  # too few letters are sure
        ("1998 Ana", "9999 999", False),
        ("14 \u0412usco", "55 99999", False),  # the first letter is Cyrillic
    ],
)
def test_a_line_that_pp_ocr_reads_whole_is_in_no_script_that_looks_like_latin(
    text: str, sure: str, is_latin: bool
) -> None:
    whole = seen(text, sure)
    line = replace(whole, line=whole.line.model_copy(update={"confidence": 0.91}))
    assert line.is_plainly_latin is is_latin
    told = read(line, {"ru": {"14": 0.9, "Визсо": 0.9}})
    assert (told.script == "Latn") is is_latin
