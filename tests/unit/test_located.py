"""Lines as RapidOCR finds them: every sign of them with its place and how sure it is."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from imaginem.engines.local.located import Located, LocatedLines
from imaginem.engines.local.ocr import sure_of_words

BOX = [[0, 0], [200, 0], [200, 40], [0, 40]]


def located(monkeypatch: pytest.MonkeyPatch, text: str, **info: Any) -> Located:
    """Return a line that RapidOCR found and read so."""
    pytest.importorskip("rapidocr")
    monkeypatch.setattr(
        "rapidocr.utils.process_img.map_boxes_to_original", lambda boxes, *others: boxes
    )
    reader = SimpleNamespace(build_final_output=lambda *results: results)
    lines = LocatedLines(reader)
    found = SimpleNamespace(boxes=[BOX], scores=[0.8])
    word_info = SimpleNamespace(**info)
    read = SimpleNamespace(txts=[text], scores=[0.9], word_results=[word_info])
    reader.build_final_output(np.zeros((40, 200, 3)), found, None, read, [], {})
    (line,) = lines.lines
    return line


def test_each_sign_has_its_place_and_how_sure_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    line = located(
        monkeypatch,
        "A 47",
        word_cols=[[1], [7, 9]],
        confs=[0.9, 0.3, 0.8, 0.6],
        line_txt_len=10.0,
    )
    assert [(sign.text, sign.sure) for sign in line.signs] == [("A", 0.9), ("4", 0.8), ("7", 0.6)]
    assert [sign.at for sign in line.signs] == pytest.approx([0.15, 0.75, 0.95])
    assert sure_of_words(line.signs, ["A", "47"]) == pytest.approx([0.9, 0.7])


def test_signs_that_do_not_fit_the_text_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    line = located(monkeypatch, "47", word_cols=[[1]], confs=[0.9], line_txt_len=10.0)
    assert (line.text, line.signs) == ("47", ())
    assert sure_of_words(line.signs, ["47"]) == [0.0]
