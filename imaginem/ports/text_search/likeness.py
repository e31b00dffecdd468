"""How sure it is that a word of a photo is a word that was searched for."""

import unicodedata
from enum import StrEnum
from functools import lru_cache

from rapidfuzz.distance import OSA, JaroWinkler

from imaginem.ports.text_search.distance import sound_distance
from imaginem.ports.text_search.looks import look_key
from imaginem.ports.text_search.sounds import sound_keys

SHORTEST_BEGINNING = 2
"""Letters of a word that finds longer words which begin with it."""
SHORTEST_ALIKE = 3
"""Letters of a word that finds words which are written otherwise."""
_SHORTEST_LOOK = 4
_FARTHEST_SOUND = 0.1
"""Share of a word's sounds that may differ within a script."""
_FARTHEST_SCRIPT = 0.13
"""The same between scripts; chosen by `make bench ARGS=text_search`, which tells precision."""
_CLOSEST_LETTERS = 0.88
"""Jaro-Winkler's similarity, from which on one or two wrong letters are forgiven."""


class Sureness(StrEnum):
    """How sure a hit is, the surest first.

    Attributes:
        EXACT: all words are there, once letters are folded.
        BEGINNING: a word of the photo begins with the one that was searched for.
        SIMILAR: a word looks or sounds alike.
        OTHER_SCRIPT: a word sounds alike in another script.
    """

    EXACT = "exact"
    BEGINNING = "beginning"
    SIMILAR = "similar"
    OTHER_SCRIPT = "other_script"

    @property
    def rank(self) -> int:
        """Its place in the order: 0 is the surest."""
        return _ORDER.index(self)


_ORDER = tuple(Sureness)


@lru_cache(maxsize=50_000)
def script_of(word: str) -> str:
    """Return the script of a word's first letter, such as `LATIN`; empty without a letter."""
    letter = next((each for each in word if each.isalpha()), "")
    return unicodedata.name(letter, "").partition(" ")[0]


def has_digit(word: str) -> bool:
    """Tell whether there is a digit in a word: numbers must match exactly."""
    return not word.isalpha() and any(each.isdigit() for each in word)


def likeness(searched: str, word: str) -> tuple[Sureness, float] | None:
    """Tell whether a folded word that is another one is like it, and how far it is from it.

    Args:
        searched: the word that was searched for.
        word: one of a photo.

    Returns:
        How sure it is, and a distance by which candidates are sorted, 0 being the closest; None for
        words that are not alike.
    """
    if len(searched) < SHORTEST_ALIKE or has_digit(searched):
        return None
    looks_alike = min(len(searched), len(word)) >= _SHORTEST_LOOK and look_key(
        searched
    ) == look_key(word)
    if looks_alike and sum(map(str.isdigit, word)) * 3 <= len(word):
        return Sureness.SIMILAR, 0.0
    if has_digit(word):
        return None
    sureness, most = Sureness.SIMILAR, _FARTHEST_SOUND
    if script_of(searched) != script_of(word):
        sureness, most = Sureness.OTHER_SCRIPT, _FARTHEST_SCRIPT
    elif _is_misspelt(searched, word):
        most = 1.0
    distance = sound_distance(searched, word, most)
    # Keys come last: most words that are compared were found by one.
    if distance > most or not sound_keys(searched) & sound_keys(word):
        return None
    return sureness, distance


def _is_misspelt(searched: str, word: str) -> bool:
    return (
        OSA.distance(searched, word, score_cutoff=2) <= (1 if len(searched) <= 6 else 2)
        and JaroWinkler.similarity(searched, word) >= _CLOSEST_LETTERS
    )
