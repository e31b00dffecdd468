"""Folding: letters that people take for the same become the same.

Case, accents and vowel points, forms of Arabic letters, full-width and ligature forms (NFKC), and
digits of any script.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 64
"""Characters of a word that count: longer ones are cut, in photos and in searches alike. Runs of
scripts without spaces are no words: they are taken piece by piece."""

_LETTERS = str.maketrans(
    {
        # What NFD leaves whole: Latin letters with strokes, and ligatures.
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ı": "i",
        "ŧ": "t",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        # Arabic, Persian and Urdu write these letters in several ways.
        "ٱ": "ا",
        "ى": "ي",
        "ی": "ي",
        "ې": "ي",
        "ے": "ي",
        "ک": "ك",
        "ڪ": "ك",
        "ة": "ه",
        "ۃ": "ه",
        "ہ": "ه",
        "ھ": "ه",
        "ە": "ه",
        "ۀ": "ه",
        "ـ": "",
        "ء": "",
        "ς": "σ",
        "׳": "'",
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "ʻ": "'",
        "ʿ": "'",
        "ʾ": "'",
        "`": "'",
        "´": "'",
        "‐": "-",
        "‑": "-",
        "־": "-",
    }
)
# Combining classes: 7 nukta, 10 to 36 points of Hebrew, Arabic and Syriac, from 200 on accents.
# Others are vowels of Indian and Thai letters, or tell Japanese syllables apart.
_DROPPED_CLASSES = frozenset({7, *range(10, 37), *range(200, 241)})
# Scripts that put no spaces between words, without their punctuation.
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0eff\u0f00-\u0fff\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u2e80-\u2fdf"
    "\u3005-\u3007\u3040-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# `\w` misses the vowel signs of Indian scripts, which are marks.
LETTER = rf"(?:(?![{_UNSPACED}])[^\W_]|[\u0900-\u0963\u0966-\u0dff])"
_WORD = re.compile(rf"(?P<run>[{_UNSPACED}]+)|{LETTER}+(?:['-]{LETTER}+)*")
_CUT = re.compile(rf"(?<={LETTER})-[ \t]*\r?\n\s*(?={LETTER})")


@dataclass(frozen=True)
class Compound:
    """A word as it stands in a text; with hyphens or apostrophes it has several parts.

    Attributes:
        parts: folded words.
        unspaced: of a script that puts no spaces between words, such as Chinese or Thai.
    """

    parts: tuple[str, ...]
    unspaced: bool = False

    @property
    def whole(self) -> str:
        """The parts as one word."""
        return "".join(self.parts)[:LONGEST]


def fold(text: str) -> str:
    """Return a text in folded letters; what parts its words stays."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(map(_fold_character, unicodedata.normalize("NFC", text)))


@lru_cache(maxsize=20_000)
def _fold_character(character: str) -> str:
    kept = []
    for part in unicodedata.normalize("NFD", character):
        kind = unicodedata.category(part)
        if unicodedata.combining(part) in _DROPPED_CLASSES or kind == "Cf":
            continue
        kept.append(str(unicodedata.digit(part)) if kind == "Nd" else part)
    return unicodedata.normalize("NFC", "".join(kept)).translate(_LETTERS)


def compounds(text: str) -> Iterator[Compound]:
    """Yield the words of a text in its order; one that is cut by the line's end is one word."""
    return compounds_in(uncut(text))


def uncut(text: str) -> str:
    """Return a text in folded letters; words that are cut by a line's end are whole."""
    return _CUT.sub("-", fold(text))


def compounds_in(folded: str) -> Iterator[Compound]:
    """Yield the words of a text that `uncut` returned."""
    for found in _WORD.finditer(folded):
        if found["run"]:
            yield from _pieces(found["run"])
        else:
            yield Compound(tuple(part[:LONGEST] for part in re.split("['-]", found[0])))


def _pieces(run: str) -> Iterator[Compound]:
    """Yield a run of letters without spaces: a line of Thai is one, and longer than any word.

    Pieces share a letter, so that each pair of neighbours is in one of them.
    """
    for start in range(0, max(len(run) - 1, 1), LONGEST - 1):
        yield Compound((run[start : start + LONGEST],), unspaced=True)
