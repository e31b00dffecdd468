"""Compares what PP-OCR and a reader of Latin letters see in the same place of a photo."""

import re
from difflib import SequenceMatcher
from statistics import fmean

from imaginem.engines.alphabets import figures_of
from imaginem.engines.local.scripts.gate import LEAST_SCORE
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.vietnamese import bare

_LEAST_ALIKE, _FEW = 0.8, 3
"""Of a word for both readers; one of so few signs must be the same."""
_LEAST_FIGURES, _LEAST_KINDS = 5, 3
"""Of a line with a number: where other letters stand, both may see 000 or 1 1."""
_MANY_FIGURES = 7
_LEAST_OF_A_FIGURE = 0.5
"""In such a line; what PP-OCR sees in other letters has 0.2 to 0.6."""
_BETWEEN_FIGURES = re.compile(r"(?<=\d)[^\w+](?=\d)", re.ASCII)
_CONFUSED = str.maketrans("l10", "iio")
"""Letters and figures that readers take for each other."""


def is_same_number(found: FoundLine, seen: str) -> bool:
    """Tell whether both see the same figures in a line, and so many that it is not by chance.

    Args:
        found: the line, as PP-OCR read it.
        seen: the same in the eyes of the other reader.
    """
    figures = figures_of(found.line.text)
    if len(figures) < _LEAST_FIGURES or len(set(figures)) < _LEAST_KINDS:
        return False
    sure = [sign.sure for sign in found.signs if sign.text.isdigit()]
    if not sure or fmean(sure) < LEAST_SCORE or min(sure) < _LEAST_OF_A_FIGURE:
        return False
    marks = _marks(found.line.text)
    return _has_figures(figures_of(seen), figures) and (not marks or marks == _marks(seen))


def _has_figures(seen: str, figures: str) -> bool:
    """Tell whether figures are the same, or of many all but one: + and l are read as 1."""
    return seen == figures or (
        len(figures) >= _MANY_FIGURES and figures in seen and len(seen) == len(figures) + 1
    )


def _marks(text: str) -> list[str]:
    """Return the marks between figures, as in dates."""
    return _BETWEEN_FIGURES.findall("".join(text.split()))


def is_seen(word: str, text: str) -> bool:
    """Tell whether a word is in a text of another reader, who may take l for I or lose marks."""
    if not any(map(str.isalnum, word)):
        return word in text.split()
    if not any(map(str.isalpha, word)):
        return _is_number_seen(figures_of(word), text)
    own, others = _bare(word), [_bare(other) for other in text.split()]
    if len(own) <= _FEW:
        return own in others or own in map(_letters, text.split())
    alike = (SequenceMatcher(None, own, other).ratio() for other in others)
    return own in "".join(others) or any(ratio >= _LEAST_ALIKE for ratio in alike)


def _is_number_seen(figures: str, text: str) -> bool:
    others = [figures_of(other) for other in text.split()]
    if len(figures) <= _FEW:
        return figures in others
    # One more figure may be a letter beside the number; of as many, one may be taken for another.
    as_long = (other for other in others if len(other) == len(figures))
    alike = (SequenceMatcher(None, figures, other).ratio() for other in as_long)
    return figures in "".join(others) or any(ratio >= _LEAST_ALIKE for ratio in alike)


def _bare(text: str) -> str:
    return bare(text.casefold().replace("rn", "m")).translate(_CONFUSED)


def _letters(text: str) -> str:
    return _bare("".join(filter(str.isalpha, text)))
