"""Vietnamese, of which PP-OCR loses one letter in eight while it is sure of its answer."""

import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher

_LEAST_ALIKE = 0.6
_FEW_WORDS, _LEAST_MARKED, _LONGEST_WORDS = 5, 0.25, 3.8
"""Words, the share of them with a mark, and their mean length. French has 0.2 and 4.7."""
_OF_A_NAME = (2, 0.6, 4.7)
"""The same of a name alone: that of a Frenchman has as many marks, and longer words."""
_CUT_ENDINGS = ("uyn", "uyt")
"""What is left of the name of two Vietnamese in five, and of others, without the letter lost."""
_LETTERS = frozenset("ăđơưĂĐƠƯ")
_VOWELS = frozenset("aeiouy")
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")


def looks_cut(text: str) -> bool:
    """Tell whether PP-OCR's reading of a line may lack letters of Vietnamese.

    Those it knows, such as ư, show the language; those it loses leave words without a vowel.
    """
    return any(is_vietnamese(letter) for letter in text) or any(
        _has_no_vowel(word) or word.casefold().endswith(_CUT_ENDINGS) for word in text.split()
    )


def may_be_vietnamese(texts: Iterable[str]) -> bool:
    """Tell whether texts have the short words and the many marks of Vietnamese, right or wrong."""
    words = [
        letters
        for text in texts
        for word in text.split()
        if (letters := "".join(filter(str.isalpha, word)))
    ]
    marked, letters_in_all = sum(not word.isascii() for word in words), sum(map(len, words))
    return any(
        len(words) >= few
        and marked >= least * len(words)
        and letters_in_all <= longest * len(words)
        for few, least, longest in ((_FEW_WORDS, _LEAST_MARKED, _LONGEST_WORDS), _OF_A_NAME)
    )


def is_vietnamese(letter: str) -> bool:
    """Tell whether a letter is one that Vietnamese writes and languages of Europe hardly do."""
    if letter in _LETTERS:
        return True
    marks = unicodedata.normalize("NFD", letter)[1:]
    return (len(marks) > 1 and bool(_TONES.intersection(marks))) or marks in ("\u0309", "\u0323")


def _has_no_vowel(word: str) -> bool:
    letters = [letter for letter in unicodedata.normalize("NFD", word) if letter.isalpha()]
    return (
        len(letters) > 1
        and word[-1].islower()
        and not any(letter.lower() in _VOWELS for letter in letters)
    )


def alike(text: str, other: str) -> bool:
    """Tell whether two readings are of the same letters, marks left aside."""
    return SequenceMatcher(None, bare(text), bare(other)).ratio() >= _LEAST_ALIKE


def is_fuller(text: str, other: str) -> bool:
    """Tell whether a reading is Vietnamese, and has letters that another one of it lacks."""
    return (
        any(is_vietnamese(letter) for letter in text)
        and sum(map(str.isalpha, text)) >= sum(map(str.isalpha, other))
        and alike(text, other)
    )


def bare(text: str) -> str:
    """Return the letters and figures of a text, small and without marks."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(letter for letter in plain if letter.isalnum())
