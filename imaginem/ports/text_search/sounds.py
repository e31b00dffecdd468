"""Words that sound alike, whatever script they are written in.

Words are romanised by `anyascii`, letter by letter. A key holds a word's consonants in nine
classes, since scripts such as Arabic leave vowels out, and each language writes a foreign sound in
its own way: Mohamed, محمد and Мухаммед have the key `mmt`. Keys find candidates, whose sounds are
then compared one by one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product, zip_longest

from anyascii import anyascii

_MOST_KEYS = 8
"""Keys of a word: who spells a sound in several ways gives a word several of them."""
_VOWELS = frozenset("aeiou")
_ABJAD = re.compile("[\u0590-\u05ff\u0600-\u06ff\u0700-\u074f\u0750-\u077f]")
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f]")
_HEBREW = re.compile("[\u0590-\u05ff]")
_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
_INDIAN = re.compile("[\u0900-\u0dff]")
_TAMIL = re.compile("[\u0b80-\u0bff]")
_THAI = re.compile("[\u0e00-\u0eff]")
# `anyascii` reads single letters: these stand for another sound together, or are left out by it.
_BEFORE = tuple(
    (re.compile(letters), sound)
    for letters, sound in (
        ("^μπ", "b"),
        ("μπ", "mb"),
        ("^ντ|ντ$", "d"),
        ("^γκ", "g"),
        ("γ(?=[γκχ])", "n"),
        ("τζ", "j"),
        ("ου", "u"),
        ("([αε])υ", r"\1v"),
        ("χ", "kh"),
        ("дж", "j"),
        ("ا", "a"),
        ("ض", "ذ"),
        ("ڤ", "v"),
        ("ב", "b"),
        ("[פף]", "p"),
        ("ஃப", "f"),
        ("ஜ", "j"),
        ("[ก-ฮ]์", ""),
        ("ญ", "น"),
        ("([เแโใไ])([ก-ฮ])", r"\2\1"),
    )
)
_SOUND = re.compile(
    "tsch|shch|sch|tch|tsh|dzh|zh|sh|ch|kh|gh|ph|th|dh|dj|dz|ts|tz|ck|qu|[aeiou']|[a-z]"
)
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
    (_ARABIC, {"w": ("",)}),
    (_HEBREW, {"v": ("", "f"), "p": ("b", "f"), "b": ("b", "f"), "k": ("k", "")}),
    (_HANGUL, {"p": ("b", "f"), "r": ("r", "l"), "l": ("l", "r")}),
    (_TAMIL, {"k": ("k", ""), "c": ("s", "k"), "p": ("b", "f"), "kh": ("k", "")}),
    (
        _THAI,
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
_SERVANT = re.compile("['a]bd['aeou]*(?:l(?!l?a?h$)|(?=rr|ss|nn|tt|dd|zz))?")
"""The first part of names such as Abdurrahman: its vowels and the article differ by language."""


@lru_cache(maxsize=50_000)
def sounds_of(word: str) -> tuple[str, ...]:
    """Return a folded word's sounds, each in Latin letters; none twice in a row."""
    for letters, sound in _BEFORE:
        word = letters.sub(sound, word)
    word = "".join(_with_vowels(word)) if _INDIAN.search(word) else word
    # Scripts with a sign for each sound: two signs together are never a third sound.
    abjad = leaves_vowels_out(word)
    pieces = word if abjad or _INDIAN.search(word) else (word,)
    sounds: list[str] = []
    for piece in pieces:
        latin = re.sub("[^a-z']", "", anyascii(piece).lower().replace("`", "'"))
        for sound in _SOUND.findall(re.sub(r"(.)\1+", r"\1", latin)):
            # Arabic and Hebrew have an unwritten vowel between two letters that are the same.
            if not sounds or sounds[-1] != sound or (abjad and sound != "l"):
                sounds.append(sound)
    return tuple(_without_article(sounds))


def _without_article(sounds: list[str]) -> list[str]:
    """Return the sounds of a name such as Abdurrahman as if it were Abdrahman."""
    spoken = "".join(sounds)
    servant = _SERVANT.match(spoken)
    if not servant or len(spoken) <= servant.end() + 1:
        return sounds
    left = servant.end()
    while left > 0:
        left -= len(sounds[0])
        sounds = sounds[1:]
    return ["a", "b", "d", *sounds]


def romanised(word: str) -> str:
    """Return a folded word in Latin letters."""
    return "".join(sounds_of(word))


def _with_vowels(word: str) -> Iterator[str]:
    """Yield the letters of an Indian script, with the vowel that a consonant has by itself.

    Blocks of Unicode have these letters in the same places: 0x02 is the nasal sign, from 0x15 on
    are consonants, from 0x2A on those of the lips, from 0x3E on signs of other vowels or of none.
    """
    for letter, following in zip_longest(word, word[1:], fillvalue=" "):
        place, after = ord(letter) % 0x80, ord(following) % 0x80
        indian = _INDIAN.match(letter) is not None
        if indian and place == 0x02:
            yield "m" if 0x2A <= after <= 0x2E else "n"
        else:
            yield letter
        if indian and 0x15 <= place <= 0x39 and not 0x3E <= after <= 0x4D:
            yield "a"


def leaves_vowels_out(word: str) -> bool:
    """Tell whether a word's script writes long vowels alone, as Arabic and Hebrew do."""
    return _ABJAD.search(word) is not None


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
_NEARLY = {
    "w": "o u v",
    "v": "o u w f b",
    "y": "i e j",
    "j": "y i g",
    "'": "a e i o u",
    "ch": "h k sh j",
    "s": "sh",
    "p": "f b",
    "h": "g",
    "final h": "a e o h",
    "final y": "i e a y",
}
"""Sounds that languages write for each other."""


@dataclass(frozen=True)
class _Sound:
    """A sound of a word.

    Attributes:
        letters: in Latin letters.
        classes: that it may be of.
        loss: what it costs that the other word does not have it.
        weight: its share of the word.
    """

    letters: str
    classes: tuple[str, ...]
    loss: float
    weight: float


def sound_distance(one: str, other: str) -> float:
    """Return how far two folded words sound apart, as a share of the longer: 0 (alike) to 1.

    Sounds are aligned as in Levenshtein's distance. What costs little: vowels, above all those that
    the other script leaves out, and sounds that languages take for each other.
    """
    if one.startswith("ال") and len(one) > 4 and not other.startswith(("ال", "al", "el")):
        one = one[2:]
    if other.startswith("ال") and len(other) > 4 and not one.startswith(("ال", "al", "el")):
        other = other[2:]
    left, right = _heard(one, other), _heard(other, one)
    if not left or not right:
        return 1.0
    row = [0.0]
    for against in right:
        row.append(row[-1] + against.loss)
    for sound in left:
        above, row = row, [row[0] + sound.loss]
        for column, against in enumerate(right):
            row.append(
                min(
                    above[column] + _cost(sound, against),
                    above[column + 1] + sound.loss,
                    row[column] + against.loss,
                )
            )
    longer = max(sum(sound.weight for sound in word) for word in (left, right))
    return min(1.0, row[-1] / longer)


def _heard(word: str, other: str) -> tuple[_Sound, ...]:
    """Return a word's sounds, beside those of another one."""
    unwritten = leaves_vowels_out(other) and not leaves_vowels_out(word)
    return _heard_beside(word, unwritten)


@lru_cache(maxsize=50_000)
def _heard_beside(word: str, unwritten: bool) -> tuple[_Sound, ...]:
    sounds, classes = sounds_of(word), classes_of(word)
    free = _INDIAN.search(word) or _THAI.search(word)
    heard = []
    for place, (sound, of) in enumerate(zip(sounds, classes, strict=True)):
        if sound in _VOWELS:
            loss = _loss_of_vowel(sounds, place) if unwritten else 0.3
            if free and sound == "a":
                loss = 0.05
            heard.append(_Sound(sound, of, loss, 0.4))
        else:
            loss = {"'": 0.1, "h": 0.35, "y": 0.35, "w": 0.35}.get(sound, 1.0)
            spelt = _SAME_SOUNDS.get(sound, sound)
            if place and place == len(sounds) - 1 and spelt in "hy" and leaves_vowels_out(word):
                spelt, loss = f"final {spelt}", 0.15
            heard.append(_Sound(spelt, of, loss, 1.0))
    return tuple(heard)


def _loss_of_vowel(sounds: Sequence[str], place: int) -> float:
    """Return what it costs that a script of consonants lacks a vowel: it writes long ones."""
    if place == len(sounds) - 1:
        return 0.4
    return 0.3 if place and sounds[place - 1] in _VOWELS else 0.05


def _cost(one: _Sound, other: _Sound) -> float:
    """Return what it costs that one sound stands where the other word has another."""
    if one.letters == other.letters:
        return 0.0
    if one.letters in _VOWELS and other.letters in _VOWELS:
        return 0.15
    if (
        other.letters in _NEARLY.get(one.letters, "").split()
        or one.letters in _NEARLY.get(other.letters, "").split()
    ):
        return 0.1
    return 0.3 if set(one.classes) & set(other.classes) - {""} else 1.5
