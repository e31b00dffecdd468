"""Text is read whichever way a photo lies, and a photo is turned only where that helps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from imaginem.engines.local.orientation import AS_IT_LIES, Orientation
from imaginem.engines.local.quarter_turns import TURNS, turned
from imaginem.engines.local.scripts.choosing import BELIEVED
from imaginem.engines.local.upright_text import TextReader, read_upright, readability
from imaginem.outputs import TextLine

WIDE, TALL = [0, 0, 40, 0, 40, 9, 0, 9], [0, 0, 9, 0, 9, 40, 0, 40]
SURE, LIKELY, UNSURE = 0.91, 0.7, 0.4
UPRIGHT = np.zeros((50, 60), np.uint8)
UPRIGHT[0, 0] = 255  # where reading begins
Picture = NDArray[np.uint8]


def lying(degrees: int) -> Picture:
    """Return a page that must be turned by these degrees to be upright."""
    return turned(UPRIGHT, (360 - degrees) % 360)


def needed(picture: Picture) -> int:
    return next(degrees for degrees in TURNS if turned(picture, degrees)[0, 0])


def looking(degrees: int, share: float) -> Orientation:
    """Return how a photo looks that this turn probably makes upright."""
    return Orientation(tuple(share if turn == degrees else (1 - share) / 3 for turn in TURNS))


@dataclass
class Reader:
    """Reads as RapidOCR does: badly upside down, and lines on their left side well.

    Attributes:
        upright: confidence of a line that lies as it should, or on its side so that it is turned.
        upside_down: of one that lies the other way.
        text: of a line; what can't be read has none.
        turns: the turns that were still needed by the pictures that were read.
        crops: how often lines were read upside down.
    """

    upright: float = 0.98
    upside_down: float = 0.76
    text: str = "Maria Lopez"
    turns: list[int] = field(default_factory=list)
    crops: int = 0

    def lines(self, picture: Picture) -> list[TextLine]:
        self.turns.append(needed(picture))
        is_good = self.turns[-1] in (0, 270)
        return [
            TextLine(
                text=self.text,
                confidence=self.upright if is_good else self.upside_down,
                polygon=TALL if self.turns[-1] in (90, 270) else WIDE,
            )
        ]

    def over(self, picture: Picture, lines: Sequence[TextLine]) -> float:
        self.crops += 1
        return self.upside_down if needed(picture) in (0, 270) else self.upright


def read(picture: Picture, orientation: Orientation, reader: Reader) -> tuple[TextLine, int]:
    (line,), degrees = read_upright(picture, orientation, TextReader(reader.lines, reader.over))
    return line, degrees


@pytest.mark.parametrize("degrees", TURNS)
def test_where_the_turn_is_sure_a_photo_is_read_once(degrees: int) -> None:
    reader = Reader()
    photo = lying(degrees)
    line, done = read(photo, looking(degrees, SURE), reader)

    assert (done, reader.turns, reader.crops) == (degrees, [0], 0)
    assert photo[line.polygon[1], line.polygon[0]] == 255  # in the pixels of the photo as it lies


@pytest.mark.parametrize("degrees", TURNS)
@pytest.mark.parametrize("looks", TURNS)
def test_where_nothing_is_sure_the_lines_tell(degrees: int, looks: int) -> None:
    reader = Reader()
    photo = lying(degrees)
    line, done = read(photo, looking(looks, UNSURE), reader)

    assert done == degrees
    assert photo[line.polygon[1], line.polygon[0]] == 255
    assert reader.turns == ([0] if degrees == 0 else [degrees, 0])


def test_lines_on_their_side_need_less_proof_than_lines_that_lie() -> None:
    for degrees, done in ((270, 270), (180, 0)):
        reader = Reader(upright=0.78, upside_down=0.6)
        assert read(lying(degrees), looking(0, UNSURE), reader)[1] == done


def test_text_upside_down_in_a_photo_that_is_upright_is_read() -> None:
    assert read(lying(180), looking(0, SURE), Reader())[1] == 180


def test_a_photo_is_not_turned_where_it_reads_no_better() -> None:
    class Misled(Reader):
        def over(self, picture: Picture, lines: Sequence[TextLine]) -> float:
            return 0.95

    reader = Misled(upright=0.8, upside_down=0.7)
    assert read(lying(0), looking(0, UNSURE), reader)[1] == 0
    assert reader.turns == [0, 180]


def test_a_word_or_two_in_another_turn_are_not_better_than_a_page() -> None:
    class Shorter(Reader):
        def lines(self, picture: Picture) -> list[TextLine]:
            (line,) = super().lines(picture)
            return [line if self.turns[-1] == 180 else line.model_copy(update={"text": "Mar"})]

    assert read(lying(180), looking(180, UNSURE), Shorter())[1] == 0


def test_patterns_in_a_photo_that_is_surely_upright_are_not_looked_at_again() -> None:
    for reader in (Reader(upright=0.6), Reader(upright=0.8, text="I")):
        assert read(lying(0), looking(0, SURE), reader)[1] == 0
        assert (reader.turns, reader.crops) == ([0], 0)


def test_lines_that_cannot_be_read_at_all_are_read_in_a_turn_that_is_likely() -> None:
    class OtherScript(Reader):
        def lines(self, picture: Picture) -> list[TextLine]:
            (line,) = super().lines(picture)
            return [line if self.turns[-1] == 0 else line.model_copy(update={"text": ""})]

        def over(self, picture: Picture, lines: Sequence[TextLine]) -> float:
            return 0.0

    for degrees in (90, 180, 270):
        photo, looks = lying(degrees), looking(degrees, LIKELY)
        assert read(photo, looks, OtherScript(upright=0.8, upside_down=0))[1] == degrees


@dataclass
class Hebrew(Reader):
    """Reads Hebrew: nothing upside down, and the right letters with a confidence of 0.8."""

    upright: float = 0.8
    upside_down: float = 0.3

    def lines(self, picture: Picture) -> list[TextLine]:
        (line,) = super().lines(picture)
        if line.confidence == self.upright >= BELIEVED:
            return [line.model_copy(update={"script": "Hebr"})]
        unread = {"text": "", "confidence": 0.0, "unreadable": "text in an unknown script"}
        return [line.model_copy(update=unread)]

    def over(self, picture: Picture, lines: Sequence[TextLine]) -> float:
        return readability(super().over(picture, lines), "Hebr")


@pytest.mark.parametrize("degrees", TURNS)
def test_a_page_that_nobody_can_read_is_turned_over_however_sure_it_looked(degrees: int) -> None:
    """The network takes upright Hebrew for upside down, with 0.91."""
    reader = Hebrew()
    line, done = read(lying(degrees), looking((degrees + 180) % 360, SURE), reader)
    assert (done, line.text, reader.turns) == (degrees, "Maria Lopez", [180, 0])


def test_what_nobody_can_read_in_any_turn_stays_as_the_photo_looks() -> None:
    for share, done in ((SURE, 90), (LIKELY, 0)):
        assert read(lying(90), looking(90, share), Hebrew(upright=0.2))[1] == done


def test_a_pattern_beside_lines_that_are_read_is_no_reason_to_turn() -> None:
    class WithRibbon(Reader):
        def lines(self, picture: Picture) -> list[TextLine]:
            ribbon = TextLine(text="", confidence=0.0, polygon=WIDE, unreadable="text")
            return [*super().lines(picture), ribbon]

    reader = WithRibbon()
    lines, _ = read_upright(lying(0), looking(0, SURE), TextReader(reader.lines, reader.over))
    assert (len(lines), reader.turns, reader.crops) == (2, [0], 0)


def test_a_photo_that_reads_well_is_not_read_in_a_turn_that_is_only_likely() -> None:
    reader = Reader()
    assert read(lying(0), looking(90, LIKELY), reader)[1] == 0
    assert reader.turns == [0]


def test_a_photo_without_text_is_looked_at_once() -> None:
    seen: list[int] = []

    def lines(picture: Picture) -> list[TextLine]:
        seen.append(needed(picture))
        return []

    reader = TextReader(lines, lambda picture, lines: 1.0)
    assert read_upright(lying(90), looking(270, LIKELY), reader) == ([], 0)
    assert seen == [90]


def test_being_upright_needs_less_proof_than_a_turn() -> None:
    assert looking(0, LIKELY).is_sure and not looking(0, UNSURE).is_sure
    for degrees in (90, 180, 270):
        assert looking(degrees, SURE).is_sure and not looking(degrees, LIKELY).is_sure


def test_outputs_tell_how_sure_a_turn_was_and_not_where_the_file_decided() -> None:
    assert looking(90, SURE).told(90).model_dump() == {"degrees": 90, "confidence": SURE}
    assert AS_IT_LIES.is_sure
    assert AS_IT_LIES.told(0).model_dump() == {"degrees": 0, "confidence": None}
