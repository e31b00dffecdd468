"""Photos with text that nobody can read: what is told of it is what two readers see."""

from collections.abc import Sequence
from typing import Any

import pytest
from numpy.typing import NDArray

from imaginem.engines.local.scripts.beside import is_beside
from imaginem.engines.local.scripts.choosing import Answer
from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.doubts import shaky_scripts, what_both_see
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.tesseract import Reading
from tests.unit.test_scripts import PHOTO, box, found, reader
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
        (seen("0770 123 4567"), "0770 1234567", ["0770 123 4567"]),
        (seen("8 800 555 35 35"), "8.800 555 35 35", ["8 800 555 35 35"]),
        (seen("+249 900 123"), "1249900123", ["+249 900 123"]),
        (seen("0770 123 4567"), "0770 1284567", ["0770", "?", "4567"]),
        (seen("0770 000 0000"), "0770 0000000", ["0770", "?"]),
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


@pytest.mark.parametrize(
    ("located", "left", "is_said"),
    [
        (0.75, 500, True),  # alone
        (0.74, 500, False),  # as patterns are
        (0.65, 300, True),  # in the row of a line that was read
        (0.64, 300, False),
    ],
)
def test_a_short_word_is_said_to_be_unreadable_unless_it_may_be_a_pattern(
    located: float, left: int, is_said: bool
) -> None:
    readers = ScriptReader([reader("am")], lambda cut, data: Reading("", 0.0))
    read = found("Maria Lopez", 0.99, box(0, 0, 200))
    short = found("an1", 0.6, box(left, 0 if left == 300 else 300, 70), located)
    lines = readers.read(PHOTO, [read, short])
    assert [line.unreadable is not None for line in lines] == [False, *[True] * is_said]


@pytest.mark.parametrize(
    ("place", "is_near"),
    [
        (box(600, 10, 70), True),  # in its row
        (box(1_100, 10, 70), False),  # too far along it
        (box(20, 60, 70), True),  # in the next line
        (box(20, 160, 70), False),  # too far below
        (box(300, 60, 70), False),  # below, and beside
        (box(600, 10, 200, 90), False),  # of another size
    ],
)
def test_a_place_is_beside_a_line_in_its_row_or_next_to_it(place: list[int], is_near: bool) -> None:
    assert is_beside(place, box(0, 10, 200)) is is_near


def test_the_only_word_of_a_photo_is_read_in_the_script_whose_reader_is_sure() -> None:
    def told(text: str, thai: float, latin: str) -> str:
        readings = {"th": ("สมชายชาติ", thai), "vi": (latin, 0.8)}

        def reading(cut: NDArray[Any], data: Data) -> Reading:
            return Reading(*readings[data.names[0]])

        scripts = ScriptReader([reader("th"), reader("vi")], reading)
        return " ".join(
            line.text for line in scripts.read(PHOTO, [found(text, 0.95, box(0, 0, 120))])
        )

    assert told("BLANP", 0.95, "qx z") == "สมชายชาติ"
    assert told("BLANP", 0.6, "qx z") == "BLANP"  # not sure enough
    assert told("BLANP", 0.95, "BLANP") == "BLANP"  # two readers see it
    assert told("BLANP AND SONS", 0.95, "qx z") == "BLANP AND SONS"  # more than a word
