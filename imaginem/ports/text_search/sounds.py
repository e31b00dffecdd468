"""Words that sound alike, whatever script they are written in.

Words are romanised by `anyascii`, letter by letter. A key holds a word's consonants in nine
classes, since scripts such as Arabic leave vowels out, and each language writes a foreign sound in
its own way: Mohamed, محمد and Мухаммед have the key `mmt`. Keys find candidates, whose sounds are
then compared one by one.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import product

from anyascii import anyascii

_MOST_KEYS = 8
"""Keys of a word: who spells a sound in several ways gives a word several of them."""
_VOWELS = frozenset("aeiou")
_UNWRITTEN_VOWELS = re.compile("[\u0590-\u05ff\u0600-\u06ff\u0700-\u074f\u0750-\u077f]")
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f]")
_HEBREW = re.compile("[\u0590-\u05ff]")
_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
_TAMIL = re.compile("[\u0b80-\u0bff]")
# `anyascii` reads single letters: these stand for one sound together, or are left out by it.
_BEFORE = (
    ("μπ", "b"),
    ("ντ", "d"),
    ("γκ", "g"),
    ("τζ", "j"),
    ("ου", "u"),
    ("ευ", "ev"),
    ("αυ", "av"),
    ("χ", "kh"),
    ("ا", "a"),
    ("ڤ", "v"),
    ("ஃப", "f"),
    ("ஜ", "j"),
)
_SOUND = re.compile(
    "tsch|shch|sch|tch|tsh|dzh|zh|sh|ch|kh|gh|ph|th|dh|dj|dz|ts|tz|ck|qu|[aeiou']|[a-z]"
)
_CLASSES: dict[str, tuple[str, ...]] = {
    "b": ("b",),
    "p": ("b",),
    "f": ("f",),
    "ph": ("f",),
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
    (_ARABIC, {"w": ("",), "b": ("b",), "gh": ("k",), "j": ("k",)}),
    (_HEBREW, {"v": ("", "f"), "p": ("b", "f"), "b": ("b", "f"), "k": ("k", "")}),
    (_HANGUL, {"p": ("b", "f"), "r": ("r", "l"), "l": ("l", "r")}),
    (_TAMIL, {"k": ("k", ""), "p": ("b", "f"), "kh": ("k", "")}),
)
_SERVANT = re.compile("['a]bd['aeou]*(?:l(?!l?a?h$)|(?=rr|ss|nn|tt|dd|zz))?")
"""The first part of names such as Abdurrahman: its vowels and the article differ by language."""


@lru_cache(maxsize=50_000)
def romanised(word: str) -> str:
    """Return a folded word in Latin letters, as they are spoken one by one."""
    for letters, sound in _BEFORE:
        word = word.replace(letters, sound)
    latin = re.sub("[^a-z']", "", anyascii(word).lower().replace("`", "'"))
    return re.sub(r"(.)\1+", r"\1", latin)


def leaves_vowels_out(word: str) -> bool:
    """Tell whether a word's script writes long vowels alone, as Arabic and Hebrew do."""
    return _UNWRITTEN_VOWELS.search(word) is not None


@lru_cache(maxsize=50_000)
def sounds_of(word: str) -> tuple[str, ...]:
    """Return a folded word's sounds, each in Latin letters."""
    return tuple(_SOUND.findall(romanised(word)))


@lru_cache(maxsize=50_000)
def classes_of(word: str) -> tuple[tuple[str, ...], ...]:
    """Return for each sound of a word the classes that it may be of; `("",)` for a vowel."""
    special = next((table for script, table in _IN_SCRIPT if script.search(word)), {})
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
    servant = _SERVANT.match("".join(sounds))
    if servant and len("".join(sounds)) > servant.end() + 1:
        rest = romanised(word)[servant.end() :]
        return frozenset(f"bt{key.removeprefix('a')}" for key in _keys(rest))
    # A sound that may be of several classes is of the same one throughout a word.
    choices = {sound: of for sound, of in zip(sounds, classes, strict=True) if len(of) > 1}
    keys = set()
    for chosen in product(*choices.values()):
        fixed = dict(zip(choices, chosen, strict=True))
        key = "".join(fixed.get(sound, of[0]) for sound, of in zip(sounds, classes, strict=True))
        if len(key) <= 2 and sounds and (sounds[0] in _VOWELS or sounds[0] in "'yj"):
            key = f"a{key}"
        if key:
            keys.add(key)
        if len(keys) == _MOST_KEYS:
            break
    return frozenset(keys)


_SAME_SOUNDS = {
    "'": "a",
    "ph": "f",
    "ck": "k",
    "qu": "k",
    "q": "k",
    "c": "k",
    "dj": "j",
    "dzh": "j",
    "zh": "j",
    "sch": "sh",
    "tsch": "ch",
    "tch": "ch",
    "tsh": "ch",
    "shch": "sh",
    "kh": "h",
    "gh": "g",
    "tz": "ts",
}
_GLIDES = {"w": "ouv", "v": "ouwfb", "y": "iej", "j": "yig"}


def sound_distance(one: str, other: str) -> float:
    """Return how far two folded words sound apart, as a share of the longer: 0 (alike) to 1.

    Sounds are aligned as in Levenshtein's distance. What costs little: vowels, above all those that
    a script leaves out, and sounds that languages take for each other.
    """
    left, right = _plain(one), _plain(other)
    if not left or not right:
        return 1.0
    free = leaves_vowels_out(one) or leaves_vowels_out(other)
    loss = [_loss(left, place, free) for place in range(len(left))]
    gain = [_loss(right, place, free) for place in range(len(right))]
    row = [0.0]
    for cost in gain:
        row.append(row[-1] + cost)
    for place, sound in enumerate(left):
        above, row = row, [row[0] + loss[place]]
        for column, against in enumerate(right):
            row.append(
                min(
                    above[column] + _cost(sound, against),
                    above[column + 1] + loss[place],
                    row[column] + gain[column],
                )
            )
    longer = max(_weight(left), _weight(right))
    return min(1.0, row[-1] / longer)


def _plain(word: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return a word's sounds with their classes, spellings of one sound made the same."""
    return [
        (_SAME_SOUNDS.get(sound, sound), of)
        for sound, of in zip(sounds_of(word), classes_of(word), strict=True)
    ]


def _weight(word: Sequence[tuple[str, tuple[str, ...]]]) -> float:
    return sum(0.4 if sound in _VOWELS else 1.0 for sound, _ in word)


def _loss(word: Sequence[tuple[str, tuple[str, ...]]], place: int, free: bool) -> float:
    """Return what it costs that a sound is missing in the other word."""
    sound = word[place][0]
    if sound in _VOWELS:
        return 0.05 if free else 0.3
    if sound in ("h", "y", "w"):
        return 0.35
    return 1.0


def _cost(one: tuple[str, tuple[str, ...]], other: tuple[str, tuple[str, ...]]) -> float:
    """Return what it costs that one sound stands where the other word has another."""
    if one[0] == other[0]:
        return 0.0
    if one[0] in _VOWELS and other[0] in _VOWELS:
        return 0.15
    if other[0] in _GLIDES.get(one[0], "") or one[0] in _GLIDES.get(other[0], ""):
        return 0.1
    common = set(one[1]) & set(other[1]) - {""}
    return 0.3 if common else 1.5
