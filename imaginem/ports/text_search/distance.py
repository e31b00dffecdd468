"""How far two words sound apart, in any two scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from imaginem.ports.text_search.romanising import (
    HANGUL,
    INDIAN,
    THAI,
    VOWELS,
    leaves_vowels_out,
    sounds_of,
)
from imaginem.ports.text_search.sounds import classes_of

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
    sound: frozenset(others.split())
    for sound, others in {
        "w": "o u v",
        "v": "o u w f b",
        "y": "i e j",
        "j": "y i g z",
        "'": "a e i o u",
        "ch": "h k sh j",
        "s": "sh",
        "p": "f b",
        "h": "g",
        "final h": "a e o h",
        "final y": "i e a y",
    }.items()
}
"""Sounds that languages write for each other."""
_NONE = frozenset[str]()
_ROUNDING = 1e-9
_LOSSES = {"'": 0.1, "h": 0.35, "y": 0.35, "w": 0.35}
"""What it costs that the other word lacks a sound; 1 where it is not told here."""
_AMONG_ABJADS = {"'": 0.1, "h": 0.35, "y": 0.2, "w": 0.2, "v": 0.2}
"""The same between two scripts of consonants: one of them writes more vowels than the other."""


@dataclass(frozen=True, eq=False)
class _Sound:
    """A sound of a word, made once: what pairs of them cost is kept by their identity.

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


@lru_cache(maxsize=10_000)
def _sound(letters: str, classes: tuple[str, ...], loss: float, weight: float) -> _Sound:
    return _Sound(letters, classes, loss, weight)


def sound_distance(one: str, other: str, farthest: float = 1.0) -> float:
    """Return how far two folded words sound apart, as a share of the longer: 0 (alike) to 1.

    Sounds are aligned as in Levenshtein's distance. What costs little: vowels, above all those that
    the other script leaves out, and sounds that languages take for each other.

    Args:
        one, other: the words.
        farthest: of words that are farther apart any greater distance may be told: it is quicker.
    """
    if one.startswith("ال") and len(one) > 4 and not other.startswith(("ال", "al", "el")):
        one = one[2:]
    if other.startswith("ال") and len(other) > 4 and not one.startswith(("ال", "al", "el")):
        other = other[2:]
    left, right = _heard(one, other), _heard(other, one)
    if not left or not right:
        return 1.0
    longer = max(sum(sound.weight for sound in word) for word in (left, right))
    most = farthest * longer + _ROUNDING
    row = [0.0]
    for against in right:
        row.append(row[-1] + against.loss)
    for sound in left:
        above, row = row, [row[0] + sound.loss]
        lost, so_far = sound.loss, row[0]
        for column, against in enumerate(right):
            so_far = min(
                above[column] + _cost(sound, against),
                above[column + 1] + lost,
                so_far + against.loss,
            )
            row.append(so_far)
        if min(row) > most:
            return 1.0
    return min(1.0, row[-1] / longer)


def _heard(word: str, other: str) -> tuple[_Sound, ...]:
    """Return a word's sounds, beside those of another one."""
    return _heard_beside(word, leaves_vowels_out(other))


@lru_cache(maxsize=50_000)
def _heard_beside(word: str, unwritten: bool) -> tuple[_Sound, ...]:
    """Return a word's sounds, beside those of a script that leaves vowels out, or of another."""
    sounds, classes, abjad = sounds_of(word), classes_of(word), leaves_vowels_out(word)
    korean = HANGUL.search(word)  # its vowel eo is written o and u, too
    free = INDIAN.search(word) or THAI.search(word)
    losses = _AMONG_ABJADS if abjad and unwritten else _LOSSES
    heard = []
    for place, (sound, of) in enumerate(zip(sounds, classes, strict=True)):
        last = place > 0 and place == len(sounds) - 1
        if sound in VOWELS:
            loss = 0.3
            if unwritten:
                loss = 0.2 if abjad else _loss_of_vowel(sounds, place)
            unspoken = (free and sound == "a") or (
                korean and sounds[place : place + 2] == ("e", "o")
            )
            heard.append(_sound(sound, of, 0.05 if unspoken else loss, 0.4))
            continue
        spelt, loss = _SAME_SOUNDS.get(sound, sound), losses.get(sound, 1.0)
        if last and spelt in "hy":
            loss = 0.15
            spelt = f"final {spelt}" if abjad else spelt
        heard.append(_sound(spelt, of, loss, 1.0))
    return tuple(heard)


def _loss_of_vowel(sounds: Sequence[str], place: int) -> float:
    """Return what it costs that a script of consonants lacks a vowel: it writes long ones."""
    if place == len(sounds) - 1:
        return 0.4
    return 0.3 if place and sounds[place - 1] in VOWELS else 0.05


@lru_cache(maxsize=50_000)
def _cost(one: _Sound, other: _Sound) -> float:
    """Return what it costs that one sound stands where the other word has another."""
    if one.letters == other.letters:
        return 0.0
    if one.letters in VOWELS and other.letters in VOWELS:
        return 0.15
    nearly = _NEARLY.get(one.letters, _NONE), _NEARLY.get(other.letters, _NONE)
    if other.letters in nearly[0] or one.letters in nearly[1]:
        return 0.1
    return 0.3 if set(one.classes) & set(other.classes) - {""} else 1.5
