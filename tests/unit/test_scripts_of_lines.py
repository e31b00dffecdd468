"""Single lines in many scripts: cut out, read by Tesseract, and joined where they are pieces."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from imaginem.engines.alphabets import tidied, with_signs_of
from imaginem.engines.local.scripts import tesseract
from imaginem.engines.local.scripts.cutting import cut_line, place_of
from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.joining import joined
from imaginem.engines.local.scripts.open_models import OpenModels
from imaginem.engines.local.scripts.tesseract import (
    Reading,
    ReadWord,
    Tesseract,
    dark_on_bright,
    words_of,
)
from imaginem.outputs import TextLine

PHOTO = np.full((400, 900, 3), 255, np.uint8)


def box(left: int, top: int, width: int, height: int = 40) -> list[int]:
    right, bottom = left + width, top + height
    return [left, top, right, top, right, bottom, left, bottom]


def test_models_in_use_stay_open_while_every_model_is_asked() -> None:
    opened: list[str] = []

    class Model:
        def __init__(self, data: Data) -> None:
            self.name, self.is_open = data.names[0], True
            opened.append(self.name)

        def End(self) -> None:
            self.is_open = False

    models = OpenModels(Model, most=3)
    for name in ["ru", "ar", "ar", "ar", "am", "ka", "he", "th", "ru", "ar"]:
        assert models.get(Data(Path(), (name,))).is_open
    assert [opened.count(name) for name in ("ru", "ar")] == [1, 1]


def test_damaged_data_reads_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("tesserocr")
    (tmp_path / "xyz.traineddata").write_bytes(b"no data")
    reader_of_lines = Tesseract()
    line = np.full((48, 200), 255, np.uint8)
    for _ in range(2):
        assert reader_of_lines.read(line, Data(tmp_path, ("xyz",))) == Reading("", 0.0)
    assert len(caplog.records) == 1
    assert "xyz" in caplog.text


@dataclass
class Persian:
    """Stands for Tesseract with Persian data: what it read in a line, its last box given.

    The data expects a full stop at a line's end, and writes one where no ink is, too; and a quote.
    """

    last: tuple[int, int, int, int]
    text: str = "'ایران, شد."

    def SetImageBytes(self, *_: Any) -> None: ...

    def GetUTF8Text(self) -> str:
        return f"{self.text}\n"

    def MeanTextConf(self) -> int:
        return 90

    def GetIterator(self) -> str:
        return self.text

    def pieces(self, text: str, level: str) -> list["Piece"]:
        if level == "word":
            return [Piece(word, (0, 0, 50, 40)) for word in text.split()]
        return [Piece(letter, (0, 9, 5, 40)) for letter in text[:-1]] + [Piece(text[-1], self.last)]


@dataclass
class Piece:
    text: str
    box: tuple[int, int, int, int]

    def BoundingBox(self, level: str) -> tuple[int, int, int, int]:
        return self.box

    def GetUTF8Text(self, level: str) -> str:
        return self.text

    def Confidence(self, level: str) -> float:
        return 90.0


@pytest.mark.parametrize(
    ("last", "end"),
    [
        ((5, 30, 9, 34), "شد."),
        ((0, 0, 9, 48), "شد"),
        ((9, 0, 12, 22), "شد"),
        ((9, 0, 12, 12), "شد."),
    ],
)
def test_a_full_stop_is_left_out_where_no_ink_of_its_own_is(
    monkeypatch: pytest.MonkeyPatch, last: tuple[int, int, int, int], end: str
) -> None:
    reading = read_by(monkeypatch, Persian(last))
    assert reading.text == f"ایران، {end}"
    assert [word.text for word in reading.words] == ["ایران،", end]


@pytest.mark.parametrize(("text", "read"), [("Մարդ:", "Մարդ"), ("πατρός:", "πατρός:")])
def test_a_colon_is_a_full_stop_in_armenian_only(
    monkeypatch: pytest.MonkeyPatch, text: str, read: str
) -> None:
    assert read_by(monkeypatch, Persian((0, 0, 9, 48), text)).text == read


def read_by(monkeypatch: pytest.MonkeyPatch, model: Persian) -> Reading:
    library = SimpleNamespace(
        RIL=SimpleNamespace(WORD="word", SYMBOL="symbol"), iterate_level=model.pieces
    )
    monkeypatch.setitem(sys.modules, "tesserocr", library)
    monkeypatch.setattr(tesseract, "_open_model", lambda data: model)
    line = np.full((48, 200), 255, np.uint8)
    return Tesseract().read(line, Data(Path(), ("fas",)))


def test_pieces_of_a_line_are_joined_in_logical_order() -> None:
    def piece(text: str, left: int, script: str | None, top: int = 0) -> TextLine:
        return TextLine(text=text, confidence=0.9, polygon=box(left, top, 100), script=script)

    joining = frozenset({"Arab", "Deva"})
    hebrew_like = [piece("47", 0, None), piece("خيمة", 120, "Arab"), piece("مخيم", 240, "Arab")]
    (line,) = joined(hebrew_like, joining)
    assert line.text == "مخيم خيمة 47"
    assert line.polygon == [0, 0, 340, 0, 340, 40, 0, 40]
    assert [word.text for word in line.words] == ["مخيم", "خيمة", "47"]
    (hindi,) = joined([piece("भाई", 120, "Deva"), piece("मेरा", 0, "Deva")], joining)
    assert hindi.text == "मेरा भाई"
    apart = [
        piece("मेरा", 0, "Deva"),
        piece("भाई", 200, "Deva"),  # a column further on
        piece("भाई", 0, "Deva", top=60),  # the next line
        piece("brother", 320, "Latn"),
    ]
    assert joined(apart, joining) == apart


def test_a_piece_that_connects_two_others_is_joined_whenever_it_is_found() -> None:
    lines = [
        TextLine(text=text, confidence=0.9, polygon=box(left, 0, 100), script="Deva")
        for text, left in (("एक", 0), ("तीन", 240), ("दो", 120))
    ]
    (line,) = joined(lines, frozenset({"Deva"}))
    assert line.text == "एक दो तीन"


def test_texts_are_in_logical_order_and_their_letters_in_the_usual_form() -> None:
    assert tidied("\u200f14\u200e أحمد\n") == "14 أحمد"
    assert tidied("น\u0e4d\u0e32") == "น\u0e33"
    assert tidied("\u00b5έρα") == "\u03bcέρα"


def test_signs_are_those_of_the_script_but_not_within_numbers() -> None:
    assert with_signs_of("Arab", "علی, 1,200; نام: کجا?") == "علی، 1,200؛ نام: کجا؟"
    assert with_signs_of("Armn", "Մարդ: 12:30, Արամին") == "Մարդ։ 12:30, Արամին"
    assert with_signs_of("Cyrl", "Брат, где?") == "Брат, где?"


def test_words_are_put_together_from_letters_backwards_ones_too() -> None:
    pieces = [ReadWord("םדא", 0.9, 60, 90), ReadWord("ו", 0.8, 30, 40), ReadWord("ל", 0.6, 10, 20)]
    assert words_of("אדם לו", pieces) == (
        ReadWord("אדם", 0.9, 60, 90),
        ReadWord("לו", 0.7, 10, 40),
    )
    assert words_of("אדם אחר", pieces) == ()


def test_a_cut_line_is_dark_on_bright_and_its_words_lie_where_they_are_in_the_photo() -> None:
    photo = np.zeros((400, 900, 3), np.uint8)
    photo[110:130, 300:400] = 255  # a bright word on dark ground
    line = cut_line(photo, box(200, 100, 400))
    assert line.shape == (48, 408)
    assert line[20, 10] == 255 and line[20, 150] == 0
    assert place_of(ReadWord("word", 1.0, 104, 204), box(200, 100, 400)) == box(300, 100, 100)
    assert dark_on_bright(line).tolist() == line.tolist()


def test_high_letters_are_made_lower_and_words_still_lie_where_they_are() -> None:
    polygon = box(0, 0, 800, 128)
    line = cut_line(PHOTO, polygon)
    assert line.shape[0] < 75
    word = ReadWord("word", 1.0, line.shape[1] // 2, line.shape[1])
    assert place_of(word, polygon)[0] == pytest.approx(400, abs=8)


def test_a_standing_line_is_laid_down() -> None:
    photo = PHOTO.copy()
    photo[20:60, 110:130] = 0  # the first word, above
    polygon = box(100, 0, 40, 300)
    line = cut_line(photo, polygon)
    assert line.shape == (48, 308)
    assert line[24, 44] == 0 and line[24, 200] == 255
    word = place_of(ReadWord("word", 1.0, 24, 64), polygon)
    assert (min(word[1::2]), max(word[1::2])) == (20, 60)
