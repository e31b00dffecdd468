"""Lines of which PP-OCR reads a number, and not the name beside it."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from imaginem.engines.local.located import Sign
from imaginem.engines.local.scripts.choosing import Answer
from imaginem.engines.local.scripts.cutting import has_letters
from imaginem.engines.local.scripts.figures import with_figures
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.parting import Part, parts_of
from imaginem.engines.local.scripts.seen_words import words_of
from imaginem.engines.local.scripts.tesseract import Reading, ReadWord
from imaginem.outputs import TextLine
from tests.unit.test_scripts import PHOTO, box, reader

_FIGURE = 16
"""Pixels from one sign to the next in a line that is 40 high."""


def seen(text: str, sure: str | float = 0.99, left: int = 0, width: int = 0) -> FoundLine:
    """Return a line as PP-OCR reads it.

    Args:
        text: its signs stand side by side, beginning at `left`.
        sure: of every sign, or a figure for each of them: 9 means 0.99, 5 means 0.59.
        left: pixels before them, where something may stand that was not read.
        width: pixels of the whole line; without it, it ends where the text does.
    """
    long = width or left + _FIGURE * len(text)
    each = (
        [sure] * len(text)
        if isinstance(sure, float)
        else [int(s.strip() or 0) / 10 + 0.09 for s in sure]
    )
    signs = tuple(
        Sign(sign, score, (left + _FIGURE * (place + 0.5)) / long)
        for place, (sign, score) in enumerate(zip(text, each, strict=True))
        if not sign.isspace()
    )
    mean = sum(sign.sure for sign in signs) / len(signs)
    return FoundLine(TextLine(text=text, confidence=mean, polygon=box(0, 0, long)), 0.8, signs)


def told(found: FoundLine, has_ink: bool = True) -> list[tuple[str, bool]]:
    return [
        (part.found.line.text, part.is_read)
        for part in parts_of(found, lambda _: has_ink, lambda _: False)
    ]


def test_a_name_that_was_left_out_is_a_part_of_its_own_on_either_side() -> None:
    before, behind = seen("0770 123456", left=100), seen("0770 123456", width=300)
    assert told(before) == [("", False), ("0770 123456", True)]
    assert told(behind) == [("0770 123456", True), ("", False)]
    name, number = (
        part.found.line.polygon for part in parts_of(before, lambda _: True, lambda _: False)
    )
    assert [name[0], name[2], number[2]] == pytest.approx([0, 96, 276], abs=4)


@pytest.mark.parametrize(
    "found",
    [
        seen("0770 123456"),
        seen("Tel 0770 123456", 0.95),
        seen("12.03.1998 Maria Lopez"),
        seen("0770 123456", "9999 969999"),
        seen("第47号帐篷"),
        seen("47", 0.9, left=200),  # not sure, and there is no other number
    ],
)
def test_numbers_and_latin_words_that_are_sure_are_one_piece(found: FoundLine) -> None:
    assert told(found) == []


def test_room_without_ink_is_no_part() -> None:
    assert told(seen("0770 123456", left=100), has_ink=False) == []


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("704", "989"),  # ገብረ
        ("3", "9"),
        ("6058", "4399"),
        ("nmis", "8979"),
        ("f3H", "999"),
        ("m", "9"),
    ],
)
def test_what_is_read_where_other_letters_stand_is_not_sure(text: str, sure: str) -> None:
    found = seen(f"{text} 98765", f"{sure} 99999", width=_FIGURE * 14)
    (unread, number, *_) = told(found)
    assert (unread, number) == ((text, False), ("98765", True))


def test_a_blurred_group_between_others_is_of_their_number() -> None:
    found = seen("+94 77 123 4567", "999 69 999 9999", width=400)
    assert told(found) == [("+94 77 123 4567", True), ("", False)]


def test_rules_dots_and_empty_paper_are_no_letters() -> None:
    photo = PHOTO.copy()
    place = box(100, 100, 200)
    assert not has_letters(photo, place)
    photo[132:134, 100:300] = 0
    photo[128:132, 110:290:12] = 0
    assert not has_letters(photo, place)
    cv2.putText(photo, "name", (110, 130), cv2.FONT_HERSHEY_SIMPLEX, 1, (60, 60, 60), 2)
    assert has_letters(photo, place)
    assert has_letters(255 - photo, place)


def answer(language: str, text: str) -> Answer:
    words = tuple(ReadWord(word, 0.9, 0, 1) for word in text.split())
    return Answer(reader(language), Reading(text, 0.9, words), 0.9)


def parts(*texts: str) -> list[Part]:
    """Return parts of a line from left to right; those without a text were not read."""
    edges = np.linspace(0, 1, len(texts) + 1)
    return [
        Part(seen(text or "x"), bool(text), float(edges[place]), float(edges[place + 1]))
        for place, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("language", "reading", "line", "text"),
    [
        ("hi", "गीता 077234567", ("", "0771234567"), "गीता 0771234567"),
        ("hi", "थ7 लक्ष्मी", ("47", ""), "47 लक्ष्मी"),
        ("hi", "गीता", ("", "47"), "गीता 47"),
        ("ru", "до 47 лет 12", ("", "47", "", "12"), "до 47 лет 12"),
        ("ru", "палатка лет 1", ("", "47", "", "12"), "палатка лет 1"),  # one was not seen
        ("ru", "Иван 12-03-1985", ("", "12-0-198"), "Иван 12-03-1985"),  # PP-OCR lost some
        ("ar", "94 77 123 45 محمد", ("محمد", ""), "94 77 123 45 محمد"),
        ("ar", "محمد 94 77 123 45", ("4567 123 77 94", ""), "محمد 94 77 123 4567"),
        ("ar", "محمد 5", ("98765", ""), "محمد 98765"),
    ],
)
def test_numbers_are_those_of_pp_ocr_in_logical_order(
    language: str, reading: str, line: tuple[str, ...], text: str
) -> None:
    mended = with_figures(answer(language, reading), parts(*line), box(0, 0, 400))
    assert mended.reading.text == text
    assert " ".join(word.text for word in mended.reading.words) == text


def test_figures_among_what_was_not_read_may_be_of_the_number() -> None:
    (one, other) = parts("", "123456")
    unread = Part(seen("0770"), is_read=False, start=one.start, end=one.end)
    reading = answer("ru", "Иван 0770 12345")
    assert with_figures(reading, [unread, other], box(0, 0, 400)) == reading


@pytest.mark.parametrize(
    ("word", "at", "words"),
    [
        ("Emma", (0.3, 1.1, 2.2, 3.1), ["Emma"]),  # wide letters lie far apart
        ("Anna", (0.3, 1.1, 2.2, 3.1), ["An", "na"]),
        ("1998", (0.3, 1.1, 1.6, 2.1), ["1", "998"]),
    ],
)
def test_a_word_is_divided_where_its_letters_leave_room_for_others(
    word: str, at: Sequence[float], words: list[str]
) -> None:
    signs = tuple(Sign(sign, 0.99, place / 10) for sign, place in zip(word, at, strict=True))
    line = FoundLine(TextLine(text=word, confidence=0.99, polygon=box(0, 0, 400)), 0.8, signs)
    assert [each.text for each in words_of(line)] == words


def test_a_number_is_read_of_which_another_reader_sees_the_same_figures() -> None:
    line = seen("7 4 2026")
    asked: list[str] = []

    def sees(found: FoundLine) -> bool:
        asked.append(found.line.text)
        return True

    assert told(line) == [("7 4", False), ("2026", True)]
    assert parts_of(line, lambda _: True, sees) == []
    assert asked == ["7 4 2026"]
    assert parts_of(seen("2026 198765"), lambda _: True, sees) == []
    assert asked == ["7 4 2026"]  # nobody is asked about what is sure


def test_a_blurred_full_stop_leaves_a_word_as_it_is_and_a_number_not() -> None:
    (word,), (number,) = (words_of(seen(text, "99995")) for text in ("camp.", "1985."))
    assert (word.worst, word.sure) == pytest.approx((0.99, 0.99))
    assert number.worst == pytest.approx(0.59)
