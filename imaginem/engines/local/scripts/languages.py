"""Which of a script's readers suits the photo, where its languages have data of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from imaginem.engines.local.scripts.choosing import Answer
from imaginem.engines.local.scripts.data import Reader

# Letters that the data of other languages of the script never reads into theirs.
_URDU = frozenset("ٹڈڑںے")
_PERSIAN = frozenset("پچژگ")
_UKRAINIAN = frozenset("іїєґІЇЄҐ")
_RUSSIAN = frozenset("ыэёъЫЭЁЪ")
_ARABIC = frozenset("ةأإؤىكي")

_COMPARED = 4
"""Lines by which the language of a script is found; the longest ones."""


@dataclass(frozen=True)
class Suited:
    """A reader, and the language that the letters told; empty where they told none."""

    reader: Reader
    language: str


def in_one_language(
    readers: Sequence[Reader], numbers: Sequence[int], again: Callable[[int, Reader], Answer]
) -> tuple[str, dict[int, Answer]]:
    """Return the language of a script's lines, and what its reader makes of them.

    Args:
        readers: of the script.
        numbers: of the lines, the longest first.
        again: reads a line with a reader.
    """
    compared = numbers[:_COMPARED]
    read = {one: {number: again(number, one) for number in compared} for one in readers}
    choice = suited({one: [*answers.values()] for one, answers in read.items()})
    others = {number: again(number, choice.reader) for number in numbers[_COMPARED:]}
    return choice.language, read[choice.reader] | others


def suited(answers: Mapping[Reader, Sequence[Answer]]) -> Suited:
    """Return the reader that suits the lines best.

    Args:
        answers: of each reader of one script, for the same lines.
    """
    by_language = {reader.languages[0]: reader for reader in answers}
    by_code = {code: answers[reader] for code, reader in by_language.items()}
    told = _by_cyrillic_letters(by_code) or _by_arabic_letters(by_code)
    if told:
        return Suited(by_language[told], told)
    surest = max(answers, key=lambda reader: sum(answer.belief for answer in answers[reader]))
    return Suited(surest, "")


def _by_cyrillic_letters(answers: Mapping[str, Sequence[Answer]]) -> str:
    """Return `uk` or `ru`: one letter in eighteen is the dotted i in Ukrainian, none in Russian."""
    if not {"ru", "uk"} <= set(answers):
        return ""
    ukrainian, russian = _count(answers["ru"], _UKRAINIAN), _count(answers["ru"], _RUSSIAN)
    return "uk" if ukrainian > russian else "ru"


def _by_arabic_letters(answers: Mapping[str, Sequence[Answer]]) -> str:
    """Return the language of a text in Arabic script; empty where its letters don't tell.

    Arabic data knows no Persian letters, and is as sure of what it reads in their place: its
    confidence tells nothing.
    """
    urdu = _count(answers.get("ur", ()), _URDU)
    wide = answers.get("fa") or answers.get("ur") or ()
    persian, arabic = _count(wide, _PERSIAN), _count(wide, _ARABIC) + _articles(wide)
    if urdu and urdu >= arabic:
        return "ur"
    if persian > arabic:
        return next(code for code in ("fa", "ur") if code in answers)
    return "ar" if arabic and "ar" in answers else ""


def _count(answers: Sequence[Answer], letters: frozenset[str]) -> int:
    return sum(letter in letters for answer in answers for letter in answer.reading.text)


def _articles(answers: Sequence[Answer]) -> int:
    return sum(word.startswith("ال") for answer in answers for word in answer.reading.text.split())
