"""Words that look alike: what readers of print take for each other.

A key has one sign for letters that are confused (0 and o, l and i, rn and m; in Arabic and Hebrew
those that differ by a dot or a corner), and none twice in a row. Letters of Greek and Cyrillic that
look Latin count as Latin ones.
"""

import re
from functools import lru_cache

_PAIRS = (("rn", "m"), ("nn", "m"), ("vv", "w"), ("cl", "d"), ("ii", "u"))
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("0оοסە", "o"),
        **dict.fromkeys("1ljtіιוןז", "i"),
        **dict.fromkeys("5ѕ", "s"),
        **dict.fromkeys("8вβ", "b"),
        **dict.fromkeys("2", "z"),
        **dict.fromkeys("9q", "g"),
        **dict.fromkeys("cеε", "e"),
        **dict.fromkeys("сς", "c"),
        **dict.fromkeys("uυ", "v"),
        **dict.fromkeys("аα", "a"),
        **dict.fromkeys("рρ", "p"),
        **dict.fromkeys("хχ", "x"),
        **dict.fromkeys("уγ", "y"),
        **dict.fromkeys("кκ", "k"),
        **dict.fromkeys("мμ", "m"),
        **dict.fromkeys("тτ", "t"),
        **dict.fromkeys("нη", "h"),
        **dict.fromkeys("щ", "ш"),
        **dict.fromkeys("ъ", "ь"),
        **dict.fromkeys("تثپنيب", "ب"),
        **dict.fromkeys("چحخ", "ج"),
        **dict.fromkeys("ذ", "د"),
        **dict.fromkeys("زژ", "ر"),
        **dict.fromkeys("ش", "س"),
        **dict.fromkeys("ض", "ص"),
        **dict.fromkeys("ظ", "ط"),
        **dict.fromkeys("غ", "ع"),
        **dict.fromkeys("ق", "ف"),
        **dict.fromkeys("گ", "ك"),
        **dict.fromkeys("כ", "ב"),
        **dict.fromkeys("ר", "ד"),
        **dict.fromkeys("חת", "ה"),
        **dict.fromkeys("እ", "አ"),
        **dict.fromkeys("ነ", "ን"),
    }
)


@lru_cache(maxsize=50_000)
def look_key(word: str) -> str:
    """Return the key of a folded word."""
    for letters, sign in _PAIRS:
        word = word.replace(letters, sign)
    return re.sub(r"(.)\1+", r"\1", word.translate(_SIGNS))
