"""Takes lines apart that are in Latin letters and in others, such as those of a form."""

from functools import partial
from typing import Any

from numpy.typing import NDArray

from imaginem.engines.local.scripts.choosing import BELIEVED_TWICE, SURE, ScriptChooser
from imaginem.engines.local.scripts.cutting import cut_line, has_letters
from imaginem.engines.local.scripts.gate import LEAST_SCORE
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.parting import scripts_apart
from imaginem.engines.local.scripts.second_look import SecondLook

Array = NDArray[Any]

LIKE_LATIN = ("Cyrl", "Grek")
"""Scripts with capitals that look like Latin ones."""
_MUCH_SURER = 0.1
"""Readers of Greek and Cyrillic are nearly as sure of Latin letters as of their own."""


def apart(
    found: FoundLine, bgr: Array, look: SecondLook, chooser: ScriptChooser
) -> list[FoundLine]:
    """Return the pieces of a line in Latin and other letters; else the line.

    Args:
        found: the line.
        bgr: the photo.
        look: reads Latin letters, those of Vietnamese too.
        chooser: asks the readers of Greek and Cyrillic about Latin letters.
    """
    pieces = scripts_apart(found, partial(has_letters, bgr), look.sees_numbers)
    if len(pieces) == 1 or look.is_vietnamese(found.line):
        return [found]
    return pieces if all(_is_apart(piece, bgr, look, chooser) for piece in pieces) else [found]


def _is_apart(piece: FoundLine, bgr: Array, look: SecondLook, chooser: ScriptChooser) -> bool:
    """Tell whether a piece is in Latin letters only if PP-OCR is sure of them."""
    latin = look.belief(piece.line)
    if piece.line.confidence < LEAST_SCORE:
        return latin < BELIEVED_TWICE
    scripts = [script for script in LIKE_LATIN if script in chooser.scripts]
    best = chooser.best(cut_line(bgr, piece.line.polygon), scripts)
    return best is None or best.belief < max(SURE, latin + _MUCH_SURER)
