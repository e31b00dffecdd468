"""Numbers beside letters of other scripts: read again by those who know figures best.

Data of scripts that run from right to left loses figures: of 0771234567 before a name the last one
is left, and it is sure of that. That of Devanagari takes 1 for a stroke, and is not sure. A reader
of Latin letters sees the whole number, and so does PP-OCR at most times; what they make of the
letters beside it is nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from statistics import fmean

from imaginem.engines.local.scripts.figures import (
    AT_THE_END,
    is_mostly_figures,
    lacks_some,
    reading_of,
)
from imaginem.engines.local.scripts.tesseract import Reading, ReadWord

_NUMBER = re.compile(r"[+(#]*\d[\d+\-./:,()]*", re.ASCII)
_LEAST_ALONE, _LEAST_WITH_SOME = 0.65, 0.5
"""Confidence of a number from which it is believed if the other reader saw none of it, or a part:
of those that are wrong (462147 for 47) it is 0.2 to 0.4."""
_LEAST_OF_ITS_OWN = 0.5
"""Confidence of a number above which a reader from left to right is not doubted."""
_MOST_UNCONFIRMED = 0.5
"""Confidence of a number, at most, that no other reader sees so."""


@dataclass(frozen=True)
class _Seen:
    """A number as it stands in the photo, its groups from left to right."""

    text: str
    confidence: float

    @property
    def figures(self) -> str:
        return "".join(filter(str.isdigit, self.text))

    @property
    def marks(self) -> int:
        return len(self.text) - len(self.figures)


def may_lack_figures(reading: Reading, runs_left: bool) -> bool:
    """Tell whether a reading has numbers that may lack figures.

    Args:
        reading: of a line.
        runs_left: that the line runs from right to left.
    """
    least = 1.0 if runs_left else _LEAST_OF_ITS_OWN
    return any(word.confidence <= least for word in reading.words if is_mostly_figures(word))


def with_numbers_again(reading: Reading, latin: Reading, seen: str, runs_left: bool) -> Reading:
    """Return a reading with the numbers at its ends as most readers see them.

    Args:
        reading: of a line, in logical order.
        latin: of the same line, by a reader of Latin letters.
        seen: what PP-OCR saw in it, from left to right.
        runs_left: that the line runs from right to left.

    Returns:
        It, with a lower confidence for a number that no other reader sees so.
    """
    if not reading.words:
        return reading
    others = [(word.text, word.confidence) for word in latin.words]
    of_pp_ocr = [(word, 1.0) for word in seen.split()]
    runs = [(is_number, [*group]) for is_number, group in groupby(reading.words, is_mostly_figures)]
    told: list[ReadWord] = []
    for place, (is_number, group) in enumerate(runs):
        if is_number and len(runs) > 1 and place in (0, len(runs) - 1):
            from_right = (place == 0) == runs_left  # where it stands in the photo
            by_latin, by_pp_ocr = (_at_end(each, from_right) for each in (others, of_pp_ocr))
            group = [_agreed(group, by_latin, by_pp_ocr, runs_left)]
        told += group
    return reading_of(told)


def _at_end(words: Sequence[tuple[str, float]], from_right: bool) -> _Seen:
    """Return the number at one end of what stands in the photo from left to right."""
    tidy = [(text.rstrip(AT_THE_END), sure) for text, sure in words]
    ordered = tidy[::-1] if from_right else tidy
    run = [*takewhile(lambda word: _NUMBER.fullmatch(word[0]), ordered)]
    if not run and ordered and from_right:
        run = [*_part_at_end(*ordered[0])]
    texts = [text for text, _ in (run[::-1] if from_right else run)]
    return _Seen(" ".join(texts), fmean(sure for _, sure in run) if run else 0.0)


def _part_at_end(text: str, sure: float) -> Iterator[tuple[str, float]]:
    """Yield the number at the right end of a word: it may have letters, with no blank between."""
    found = [*_NUMBER.finditer(text)]
    if found and found[-1].end() == len(text):
        yield found[-1].group(), max(sure, _LEAST_WITH_SOME)


def _agreed(group: Sequence[ReadWord], latin: _Seen, pp_ocr: _Seen, runs_left: bool) -> ReadWord:
    """Return a number as most readers see it, in logical order."""
    sure = fmean(word.confidence for word in group)
    own = _Seen(_in_order(" ".join(word.text for word in group), runs_left), sure)
    best, confidence = own, own.confidence
    is_seen_by_both = latin.figures == pp_ocr.figures or (
        # PP-OCR takes letters beside a number for figures, too.
        latin.confidence >= _LEAST_ALONE
        and latin.figures in pp_ocr.figures
        and lacks_some(own.text, latin.text)
    )
    if is_seen_by_both and len(latin.figures) > 1:
        best, confidence = latin, max(latin.confidence, own.confidence)
    elif own.figures in (latin.figures, pp_ocr.figures):
        best = own
    elif lacks_some(own.text, latin.text) and lacks_some(pp_ocr.text, latin.text):
        least = _LEAST_WITH_SOME if len(pp_ocr.figures) > 1 else _LEAST_ALONE
        if latin.confidence >= least:
            best, confidence = latin, latin.confidence
        else:
            confidence = min(confidence, _MOST_UNCONFIRMED)
    else:
        confidence = min(confidence, _MOST_UNCONFIRMED)
    alike = [each for each in (best, own, pp_ocr, latin) if each.figures == best.figures]
    fullest = max(alike, key=lambda each: each.marks)  # the first of several
    return ReadWord(
        _in_order(fullest.text, runs_left),
        confidence,
        min(word.left for word in group),
        max(word.right for word in group),
    )


def _in_order(number: str, runs_left: bool) -> str:
    """Return a number in logical order as it stands in the photo, or the other way round."""
    return " ".join(reversed(number.split())) if runs_left else number
