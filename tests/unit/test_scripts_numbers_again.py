"""Numbers beside letters of other scripts: their reader loses figures, two others see them."""

import pytest

from imaginem.engines.local.scripts.numbers_again import (
    may_lack_figures,
    with_numbers_again,
)
from imaginem.engines.local.scripts.tesseract import Reading, ReadWord
from tests.unit.test_scripts import box, found
from tests.unit.test_scripts_numbers import read


def reading(text: str, sure: float = 0.9) -> Reading:
    """Return a reading whose words are all as sure; where they stand does not matter here."""
    words = tuple(ReadWord(word, sure, 10 * n, 10 * n + 8) for n, word in enumerate(text.split()))
    return Reading(text, sure, words)


def told(text: str, latin: str, seen: str, latin_sure: float = 0.9) -> str:
    return with_numbers_again(reading(text), reading(latin, latin_sure), seen, True).text


@pytest.mark.parametrize(
    ("arabic", "latin", "pp_ocr", "right"),
    [
        ("7 مريم العلي", "lall e›e 0771234567", "0771234567", "0771234567 مريم العلي"),
        ("5 محمد الحسن", "(2l sa 98765", "8765", "98765 محمد الحسن"),
        ("7 خالد الرفاعي", "cByl J5. 47", "", "47 خالد الرفاعي"),
        ("3 عبد الله", "4lJlx,c471123", "47112", "471123 عبد الله"),
        ("5 عبد الله", "UJl xe 98765:", "all  98765", "98765 عبد الله"),
        ("مريم العلي 4567", "45678 e2:", "45678", "مريم العلي 45678"),
    ],
)
def test_figures_that_were_lost_are_found_again(
    arabic: str, latin: str, pp_ocr: str, right: str
) -> None:
    assert told(arabic, latin, pp_ocr) == right


def test_groups_run_to_the_left_as_the_words_do() -> None:
    text = told("74 123 4567 أحمد", "xa 4567 123 77 94", "> 4567 123 77 94")
    assert text == "94 77 123 4567 أحمد"


def test_of_equal_figures_the_text_with_more_marks_counts() -> None:
    assert told("03198 فاطمة", "xà 1203.1998", "bb 12.03.1998") == "12.03.1998 فاطمة"
    assert told("94 12377 4567 أحمد", "xa 4567 12377 94", "4567 123 77 94") == "94 77 123 4567 أحمد"


@pytest.mark.parametrize(
    ("arabic", "latin", "pp_ocr"),
    [
        ("47 أحمد", "ab 47", ""),  # one of two sees it so
        ("47 أحمد", "ab 48", "49"),  # three see three
        ("98765 أحمد", "xa 8765", "8"),  # the others saw less
        ("أحمد محمد", "47 ab", "47 ab"),  # the reader saw no number
        ("أحمد 47 محمد", "ab 471 cd", "471"),  # not at an end
        ("47", "471", "471"),  # nothing but a number
    ],
)
def test_what_no_two_see_otherwise_stays(arabic: str, latin: str, pp_ocr: str) -> None:
    assert told(arabic, latin, pp_ocr) == arabic


@pytest.mark.parametrize(("sure", "right"), [(0.64, "7 أحمد"), (0.65, "462147 أحمد")])
def test_a_number_that_one_reader_alone_sees_must_be_sure(sure: float, right: str) -> None:
    assert told("7 أحمد", "462147", "", sure) == right


@pytest.mark.parametrize(("sure", "right"), [(0.49, "5 أحمد"), (0.5, "98765 أحمد")])
def test_less_is_enough_if_the_other_sees_a_part(sure: float, right: str) -> None:
    assert told("5 أحمد", "ab 98765", "876", sure) == right


def test_a_number_that_nobody_else_sees_so_is_told_with_doubt() -> None:
    doubted = with_numbers_again(reading("7 أحمد"), reading("ab 48"), "49", True)
    assert [word.confidence for word in doubted.words] == [0.5, 0.9]
    assert doubted.confidence == pytest.approx((0.5 + 4 * 0.9) / 5)
    seen_twice = with_numbers_again(reading("47 أحمد"), reading("ab 47"), "", True)
    assert [word.confidence for word in seen_twice.words] == [0.9, 0.9]


def test_a_number_in_place_of_several_words_lies_where_they_lay() -> None:
    whole = with_numbers_again(reading("74 4567 أحمد"), reading("ab 4567 94"), "4567 94", True)
    assert [(word.text, word.left, word.right) for word in whole.words] == [
        ("94 4567", 0, 18),
        ("أحمد", 20, 28),
    ]


def test_a_reading_whose_words_are_not_known_stays() -> None:
    bare = Reading("7 أحمد", 0.9)
    assert with_numbers_again(bare, reading("ab 47"), "47", True) == bare


def test_a_line_is_told_with_the_number_that_the_readers_agree_on() -> None:
    arabic = {"5": 0.9, "محمد": 0.96, "الحسن": 0.9}
    line = found(" va 98765", 0.8, box(0, 0, 400))
    latin = {"sa": 0.1, "98765": 0.83}
    assert read(line, {"ar": arabic, "vi": latin}).text == "98765 محمد الحسن"
    assert read(line, {"ar": arabic}).text == "5 محمد الحسن"  # without data for Latin letters
    russian = {"5": 0.9, "Мария": 0.96, "Иванова": 0.9}
    assert read(line, {"ru": russian, "vi": latin}).text == "5 Мария Иванова"


@pytest.mark.parametrize(
    ("hindi", "latin", "pp_ocr", "right"),
    [
        ("सीता देवी 985-03-2", "tI 1985-03-12", "1985-03-12", "सीता देवी 1985-03-12"),
        ("+94 77 23 4567 अली", "+94 77 123 4567 sref", "+94 77 123 4567 3", "+94 77 123 4567 अली"),
        ("0770 23456 अली", "0770 123456 g", "0770 123456 36 6", "0770 123456 अली"),
        ("23456 अली", "123456 g", "9123", "23456 अली"),  # three see three
    ],
)
def test_groups_run_to_the_right_where_the_words_do(
    hindi: str, latin: str, pp_ocr: str, right: str
) -> None:
    assert with_numbers_again(reading(hindi), reading(latin), pp_ocr, False).text == right


def test_a_reader_from_left_to_right_is_doubted_only_where_it_is_not_sure_of_a_number() -> None:
    assert may_lack_figures(reading("47 अली", 0.5), False)
    assert not may_lack_figures(reading("47 अली", 0.51), False)
    assert may_lack_figures(reading("47 أحمد", 0.96), True)
    assert not may_lack_figures(reading("अली देवी", 0.1), False)
