"""Photos with text that nobody can read: what is told of it is what two readers see."""

from collections.abc import Sequence
from typing import Any

import pytest
from numpy.typing import NDArray

from imaginem.engines.local.scripts.choosing import Answer
from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.doubts import shaky_scripts, what_both_see
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.tesseract import Reading
from tests.unit.test_scripts import box, found, reader
from tests.unit.test_scripts_numbers import INKED
from tests.unit.test_scripts_parting import seen


def told(line: FoundLine, other: str | None) -> list[str]:
    """Return what is told of a line; ? stands for what is said to be unreadable."""
    return ["?" if piece.unreadable else piece.text for piece in what_both_see(line, other)]


@pytest.mark.parametrize(
    ("line", "other", "pieces"),
    [
        (seen("nmis 198765"), "8nmie", ["?", "198765"]),
        (seen("Name: Ivan mon"), "'Name: lvan on", ["Name: Ivan", "?"]),
        (seen("het Name: Ivan", "477 99999 9999"), "Het Name: lvan", ["?", "Name: Ivan"]),
        (seen("47 98765", "99 99999"), "18 98765", ["?", "98765"]),
        (seen("47 98765", "99 99999"), "47 98765", ["47 98765"]),
        (seen("000000-0000000"), "'000000-0000008", ["?"]),
        (seen("5100"), "00", ["?"]),
        (seen("86826"), "6826", ["?"]),
        (seen("Name @"), "Name @@", ["Name", "?"]),
        (seen("Mohammed Al Hassan"), "Mohammed Al Hassan", ["Mohammed Al Hassan"]),
        (seen("1985-03.12", "9999999699"), "1985-03-12", ["?"]),
        (seen("UNHCR"), "1nncr", ["?"]),
        (seen("Maria 2041"), None, ["Maria 2041"]),
        (seen("nma 2041", "999 9999"), None, ["?", "2041"]),
    ],
)
def test_words_are_told_that_a_second_reader_sees_too(
    line: FoundLine, other: str | None, pieces: Sequence[str]
) -> None:
    assert told(line, other) == pieces


@pytest.mark.parametrize(("below", "texts"), [("", ["", ""]), ("Maria Lopez", None)])
def test_figures_are_doubted_only_where_a_photo_has_unreadable_text(
    below: str, texts: list[str] | None
) -> None:
    line = found(below, 0.99 if below else 0.0, box(0, 100, 200))
    readers = ScriptReader([reader("vi")], lambda cut, data: Reading("00", 0.1))
    read = [each.text for each in readers.read(INKED, [seen("2417"), line])]
    assert read == (texts or ["2417", below])


def answers(language: str, text: str, *beliefs: float) -> list[Answer]:
    return [Answer(reader(language), Reading(text, each), each) for each in beliefs]


@pytest.mark.parametrize(
    ("read", "unread", "shaky"),
    [
        (answers("am", "ወህህዓ ሀህ", 0.77), 5, ["Ethi"]),
        (answers("am", "ወህህዓ ሀህ", 0.77), 1, []),
        (answers("am", "ፍለጋ ላይ ነኝ", 0.9), 5, []),
        (answers("th", "เทจะถลิบเปิถับ", 0.74, 0.74, 0.74), 0, ["Thai"]),  # Lao
        (answers("th", "กรุณาติดต่อกลับ", 0.74, 0.74, 0.74), 0, []),
        (answers("th", "อับบร", 0.74), 0, ["Thai"]),
    ],
)
def test_a_script_is_doubted_whose_lines_are_few_and_not_sure(
    read: list[Answer], unread: int, shaky: list[str]
) -> None:
    assert shaky_scripts(read, unread) == shaky


def test_few_letters_tell_a_script_only_if_they_are_very_sure() -> None:
    def script(sure: float) -> str | None:
        def reading(cut: NDArray[Any], data: Data) -> Reading:
            return Reading("ስቪስ", sure)

        lines = ScriptReader([reader("am")], reading).read(INKED, [found("", 0.0, box(0, 0, 200))])
        return lines[0].script

    assert (script(0.8), script(0.9)) == (None, "Ethi")


def test_a_short_word_is_said_to_be_unreadable_beside_a_line_that_is() -> None:
    def read(*lines: FoundLine) -> list[bool]:
        readers = ScriptReader([reader("am")], lambda cut, data: Reading("", 0.0))
        return [line.unreadable is not None for line in readers.read(INKED, lines)]

    short, long = found("an1", 0.6, box(0, 0, 70)), found("", 0.0, box(0, 0, 300))
    assert read(short) == []
    assert read(short, long) == [True, True]
