"""Keys that words share which may sound alike, in any script.

A key holds a word's consonants in nine classes, since scripts such as Arabic leave vowels out, and
each language writes a foreign sound in its own way: Mohamed, محمد and Мухаммед have the key `mmt`.
Keys find candidates; `sound_distance` then compares them sound by sound.
"""

import re
from functools import lru_cache
from itertools import product

from imaginem.ports.text_search.romanising import (
    ARABIC,
    CYRILLIC,
    HANGUL,
    HEBREW,
    INDIAN,
    TAMIL,
    THAI,
    sounds_of,
)

_MOST_KEYS = 8
"""Keys of a word: who spells a sound in several ways gives a word several of them."""
_CLASSES: dict[str, tuple[str, ...]] = {
    "b": ("b",),
    "p": ("b",),
    "f": ("f",),
    "ph": ("f", "b"),
    "v": ("f", "", "b"),
    "w": ("", "f"),
    "m": ("m",),
    "n": ("n",),
    "l": ("l",),
    "r": ("r",),
    "t": ("t",),
    "d": ("t",),
    "th": ("t", "s"),
    "dh": ("t", "s"),
    "s": ("s",),
    "z": ("s",),
    "ts": ("s",),
    "tz": ("s",),
    "dz": ("s", "k"),
    "sh": ("s",),
    "sch": ("s",),
    "shch": ("s",),
    "tsch": ("s",),
    "tch": ("s",),
    "tsh": ("s",),
    "ch": ("s", "", "k"),
    "zh": ("k",),
    "dzh": ("k",),
    "dj": ("k",),
    "j": ("k", ""),
    "k": ("k",),
    "ck": ("k",),
    "q": ("k",),
    "qu": ("k",),
    "g": ("k",),
    "gh": ("k",),
    "c": ("k", "s"),
    "x": ("ks",),
    "kh": ("", "k"),
}
_IN_SCRIPT: tuple[tuple[re.Pattern[str], dict[str, tuple[str, ...]]], ...] = (
    (ARABIC, {"w": ("",)}),
    (HEBREW, {"v": ("", "f"), "p": ("b", "f"), "b": ("b", "f"), "k": ("k", "")}),
    (CYRILLIC, {"g": ("k", "")}),
    (INDIAN, {"j": ("k", "s")}),
    (HANGUL, {"p": ("b", "f"), "r": ("r", "l"), "l": ("l", "r")}),
    (TAMIL, {"k": ("k", ""), "c": ("s", "k"), "p": ("b", "f"), "kh": ("k", "")}),
    (
        THAI,
        {
            "ph": ("b",),
            "th": ("t",),
            "kh": ("k",),
            "ch": ("s", "k"),
            "r": ("r", "n"),
            "l": ("l", "n"),
        },
    ),
)


@lru_cache(maxsize=50_000)
def classes_of(word: str) -> tuple[tuple[str, ...], ...]:
    """Return for each sound of a word the classes that it may be of; `("",)` for a vowel."""
    special: dict[str, tuple[str, ...]] = {}
    for script, table in () if word.isascii() else _IN_SCRIPT:
        if script.search(word):
            special |= table
    found: list[tuple[str, ...]] = []
    for position, sound in enumerate(sounds_of(word)):
        if position == 0 and sound in ("w", "v"):
            found.append(("f", "b") if sound == "v" else ("f",))
        else:
            found.append(special.get(sound) or _CLASSES.get(sound, ("",)))
    return tuple(found)


@lru_cache(maxsize=50_000)
def sound_keys(word: str) -> frozenset[str]:
    """Return the keys of a folded word; words that may sound alike share one."""
    keys = _keys(word)
    if word.startswith("ال") and len(word) > 4:
        keys |= _keys(word[2:])
    return keys


def _keys(word: str) -> frozenset[str]:
    sounds, classes = list(sounds_of(word)), classes_of(word)
    # A sound that may be of several classes is of the same one throughout a word.
    places = list(zip(sounds, classes, strict=True))
    choices = {place: place[1] for place in places if len(place[1]) > 1}
    keys = set()
    for chosen in product(*choices.values()):
        fixed = dict(zip(choices, chosen, strict=True))
        heard = [fixed.get(place, place[1][0]) for place in places]
        key = "".join(heard)
        vowel_first = heard and not heard[0] and sounds[0] not in ("h", "kh")
        if len(key) <= 2 and vowel_first:
            key = f"a{key}"  # short keys are many words': that a vowel begins one helps
        if key:
            keys.add(key)
        if len(keys) == _MOST_KEYS:
            break
    return frozenset(keys)
