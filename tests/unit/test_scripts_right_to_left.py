"""Numbers in lines from right to left, and Hebrew letters that PP-OCR takes for figures."""

import pytest

from imaginem.engines.local.scripts.number_order import in_order
from imaginem.outputs import TextLine, Word
from tests.unit.test_scripts import Readers, box, found
from tests.unit.test_scripts_numbers import read


def line(text: str, script: str | None = "Arab", words: list[str] | None = None) -> TextLine:
    """Return a line whose words stand from right to left."""
    told = words if words is not None else text.split()
    places = [box(800 - 100 * n, 0, 90) for n in range(len(told))]
    made = [
        Word(text=word, confidence=0.9, polygon=place)
        for word, place in zip(told, places, strict=True)
    ]
    return TextLine(text=text, confidence=0.9, polygon=box(0, 0, 900), script=script, words=made)


@pytest.mark.parametrize(
    ("read_as", "dialled"),
    [
        ("الهاتف 4567 123 0770", "الهاتف 0770 123 4567"),
        ("الهاتف 4567 123 770 +964", "الهاتف +964 770 123 4567"),
        ("الهاتف 4567 123 770 964+", "الهاتف +964 770 123 4567"),
        ("سعاد 964+", "سعاد +964"),
        ("4567 123 (0770) سعاد", "(0770) 123 4567 سعاد"),
        ("تلفن ۶۷۸۹ ۳۲۵ ۰۹۱۲", "تلفن ۰۹۱۲ ۳۲۵ ۶۷۸۹"),
        ("4567 0770 محمد 12", "0770 4567 محمد 12"),
    ],
)
def test_a_number_begins_with_its_plus_or_its_zero(read_as: str, dialled: str) -> None:
    assert in_order(line(read_as)).text == dialled


@pytest.mark.parametrize(
    "text",
    [
        "الهاتف 0770 123 4567",  # typed, and shown from right to left
        "الهاتف 0770 123 0567",
        "تاريخ 12 03 1998",  # nothing tells where it begins
        "الهاتف 0770-123-4567",
        "محمد أحمد",
        "0 محمد 7",
    ],
)
def test_what_is_in_order_or_may_be_stays(text: str) -> None:
    assert in_order(line(text)) == line(text)


def test_lines_from_left_to_right_and_those_whose_words_are_others_stay() -> None:
    assert in_order(line("Tel 4567 0770", "Latn")).text == "Tel 4567 0770"
    assert in_order(line("4567 0770 محمد", words=["4567"])).text == "4567 0770 محمد"


def test_words_keep_their_places_when_a_number_is_turned() -> None:
    before = line("الهاتف 4567 0770")
    after = in_order(before)
    assert [word.text for word in after.words] == ["الهاتف", "0770", "4567"]
    assert [word.polygon[0] for word in after.words] == [800, 600, 700]
    one = in_order(line("الهاتف 4567 0770", words=["الهاتف", "4567 0770"]))
    assert [word.text for word in one.words] == ["الهاتف", "0770 4567"]


def test_figures_that_hebrew_letters_look_like_are_read_as_letters() -> None:
    readers = Readers({"he": {140: ("דוד לוי", 0.94)}, "ru": {140: ("ив", 0.4)}})
    (told,) = readers.lines(found("117 717", 0.98, box(0, 0, 140)))
    assert (told.text, told.script, readers.asked) == ("דוד לוי", "Hebr", ["he"])


@pytest.mark.parametrize("text", ["117 717", "1971", "0771 117 190"])
def test_figures_stay_where_the_hebrew_reader_sees_no_letters(text: str) -> None:
    readers = Readers({"he": {}})
    (told,) = readers.lines(found(text, 0.99, box(0, 0, 20 * len(text))))
    assert (told.text, told.unreadable, readers.asked) == (text, None, ["he"])


@pytest.mark.parametrize("text", ["0534 865", "12.03.1998", "No 117"])
def test_nobody_is_asked_about_other_figures(text: str) -> None:
    width = 20 * len(text)
    readers = Readers({"he": {width: ("דוד לוי", 0.94)}})
    (told,) = readers.lines(found(text, 0.99, box(0, 0, width)))
    assert (told.text, readers.asked) == (text, [])


def test_letters_taken_for_figures_are_not_told_once_more_beside_the_word() -> None:
    told = read(
        found("052-345-6789 11970", 0.98, box(0, 0, 330)),
        {
            "he": {"טלפון": 0.92, "052-345-6789": 0.9},
            "vi": {"052-345-6789": 0.95, "11970": 0.9},
        },
    )
    assert told.text == "טלפון 052-345-6789"


def test_figures_that_the_hebrew_reader_lost_are_still_taken_from_the_others() -> None:
    told = read(
        found("0771234567 TIT", 0.9, box(0, 0, 330)),
        {"he": {"דוד": 0.92, "7": 0.9}, "vi": {"0771234567": 0.95, "le": 0.3}},
    )
    assert told.text == "דוד 0771234567"
