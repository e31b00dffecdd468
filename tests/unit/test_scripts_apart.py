"""Lines in Latin letters and others, such as those of forms: each half is read by its reader."""

from typing import Any

import pytest
from numpy.typing import NDArray

from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.tesseract import Reading
from tests.unit.test_scripts import reader
from tests.unit.test_scripts_numbers import INKED
from tests.unit.test_scripts_parting import seen

FORM = seen("Name: Ivan", left=120)


def read(line: FoundLine, **readings: tuple[str, float]) -> list[tuple[str, str | None, bool]]:
    """Return the pieces of a line as they are told; what each reader reads if asked.

    Args:
        line: as PP-OCR reads it.
        readings: of pieces without sure Latin letters, by language; `vi` reads all the rest too.
    """

    def reading(cut: NDArray[Any], data: Data) -> Reading:
        language = data.names[0]
        is_latin_half = cut.shape[1] > 150 and language != "vi"
        return Reading("ХМ4Х", 0.3) if is_latin_half else Reading(*readings[language])

    lines = ScriptReader([reader(language) for language in readings], reading).read(INKED, [line])
    return [(each.text, each.script, each.unreadable is not None) for each in lines]


def test_the_half_in_another_script_is_read_by_its_reader() -> None:
    told = read(FORM, hi=("नाम है", 0.9), vi=("lu", 0.3))
    assert told == [("नाम है", "Deva", False), ("Name: Ivan", "Latn", False)]
    behind = read(seen("Name: Ivan", width=280), hi=("सीता", 0.9), vi=("lu", 0.3))
    assert behind == [("Name: Ivan", "Latn", False), ("सीता", "Deva", False)]


def test_the_half_that_nobody_can_read_is_said_to_be_unreadable() -> None:
    told = read(FORM, hi=("न4ा", 0.4), vi=("lu", 0.3))
    assert told == [("", None, True), ("Name: Ivan", "Latn", False)]


@pytest.mark.parametrize(
    ("line", "latin"),
    [
        (seen("Nguyn Name: Ivan", "66666 99999 9999"), ("Nguyễn Name: Ivan", 0.9)),  # Vietnamese
        (seen("Na Name: Ivan", "89 99999 9999"), ("lu", 0.3)),  # blurred
        (seen("Name: Ivan"), ("lu", 0.3)),
    ],
)
def test_latin_lines_stay_whole(line: FoundLine, latin: tuple[str, float]) -> None:
    told = read(line, hi=("न4ा", 0.4), vi=latin)
    assert [script for _, script, _ in told] == ["Latn"]


def test_a_line_in_cyrillic_stays_whole_though_some_of_it_looks_latin() -> None:
    line = seen("CAMEPA", left=200)

    def reading(cut: NDArray[Any], data: Data) -> Reading:
        if data.names[0] == "ru":
            return Reading("САМЕРА", 0.9)
        return Reading("CAMEPA", 0.6) if cut.shape[1] < 150 else Reading("xqz l", 0.3)

    readers = [reader("ru"), reader("vi")]
    (told,) = ScriptReader(readers, reading).read(INKED, [line])
    assert (told.text, told.script) == ("САМЕРА", "Cyrl")
