"""Words in Latin letters, sound by sound, whatever script they are written in.

Signs are read one by one with `anyascii`. What it can't know is told here: signs that stand for a
sound together, vowels that a script does not write, and letters that are spoken otherwise.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest

from anyascii import anyascii

VOWELS = frozenset("aeiou")
ABJAD = re.compile("[\u0590-\u05ff\u0600-\u06ff\u0700-\u074f\u0750-\u077f]")
ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f]")
HEBREW = re.compile("[\u0590-\u05ff]")
CYRILLIC = re.compile("[\u0400-\u04ff]")
HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
INDIAN = re.compile("[\u0900-\u0dff]")
TAMIL = re.compile("[\u0b80-\u0bff]")
THAI = re.compile("[\u0e00-\u0eff]")
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
        ("гх", "gh"),
        ("[ьъ]", ""),
        ("^اي|^אי", "i"),
        ("^او|^או", "u"),
        ("ا", "a"),
        ("ض", "ذ"),
        ("ڤ", "v"),
        ("ב", "b"),
        ("ק", "q"),
        ("וו", "v"),
        ("יי", "י"),
        ("[פף]", "p"),
        ("ஃப", "f"),
        ("ஜ", "j"),
        ("[ก-ฮ]์", ""),
        ("ญ", "น"),
        ("^박(?=[가-힣]{1,2}$)", "park"),
        ("([เแโใไ])([ก-ฮ])", r"\2\1"),
    )
)
_SOUND = re.compile(
    "tsch|shch|sch|tch|tsh|dzh|zh|sh|ch|kh|gh|ph|th|dh|dj|dz|ts|tz|ck|qu|[aeiou']|[a-z]"
)
_SERVANT = re.compile("['a]bd['aeou]*(?:l(?!l?['a]*h?['a]*$)|(?=rr|ss|nn|tt|dd|zz))?")
"""The first part of names such as Abdurrahman: its vowels and the article differ by language."""

_OF_THE_FAITH = re.compile("(?<=..)[aeou]+l?d[iey]+n[eh]?$")
"""The end of names such as Nuruddin, نورالدين and Noureddine: the article differs by language."""


@lru_cache(maxsize=50_000)
def sounds_of(word: str) -> tuple[str, ...]:
    """Return a folded word's sounds, each in Latin letters; none twice in a row."""
    # No pattern changes a word of plain Latin letters, as most are.
    for letters, sound in () if word.isascii() else _BEFORE:
        word = letters.sub(sound, word)
    word = "".join(_with_vowels(word)) if INDIAN.search(word) else word
    # Scripts with a sign for each sound: two signs together are never a third sound.
    abjad = leaves_vowels_out(word)
    pieces = word if abjad or INDIAN.search(word) else (word,)
    sounds: list[str] = []
    for piece in pieces:
        latin = re.sub("[^a-z']", "", anyascii(piece).lower().replace("`", "'"))
        for sound in _SOUND.findall(re.sub(r"(.)\1+", r"\1", latin)):
            # Arabic and Hebrew have an unwritten vowel between two letters that are the same.
            if not sounds or sounds[-1] != sound or (abjad and sound != "l"):
                sounds.append(sound)
    return tuple(_without_article(sounds))


def _without_article(sounds: list[str]) -> list[str]:
    """Return the sounds of Abdurrahman as if it were Abdrahman, of Noureddine as Nouradin."""
    spoken = "".join(sounds)
    if faith := _OF_THE_FAITH.search(spoken):
        # All sounds at the end are of one letter.
        return [*sounds[: len(sounds) - len(faith[0])], "a", "d", "i", "n"]
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
        indian = INDIAN.match(letter) is not None
        if indian and place == 0x02:
            yield "m" if 0x2A <= after <= 0x2E else "n"
        else:
            yield letter
        if indian and 0x15 <= place <= 0x39 and not 0x3E <= after <= 0x4D:
            yield "a"


def leaves_vowels_out(word: str) -> bool:
    """Tell whether a word's script writes long vowels alone, as Arabic and Hebrew do."""
    return ABJAD.search(word) is not None
