"""Doubts what was read in a photo that has text which nobody can read.

PP-OCR sees Latin letters and figures in letters that it does not know, and is at times sure of
them: Burmese ones look like 000, Khmer ones like nmis. Where some text of a photo is unreadable,
a second reader must see the same words; it sees others where other letters stand.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from statistics import fmean

from imaginem.engines.alphabets import figures_of, main_script
from imaginem.engines.local.located import Sign
from imaginem.engines.local.scripts.both_readers import is_same_number, is_seen
from imaginem.engines.local.scripts.choosing import (
    BELIEVED,
    BELIEVED_AGAIN,
    Answer,
    letters_of,
)
from imaginem.engines.local.scripts.cutting import part_of
from imaginem.engines.local.scripts.gate import CHINESE, LEAST_SCORE
from imaginem.engines.local.scripts.lines import FoundLine, unreadable_line, with_script
from imaginem.engines.local.scripts.second_look import SecondLook
from imaginem.engines.local.scripts.seen_words import SeenWord, which_are_sure, words_of
from imaginem.outputs import TextLine

_THAI, _LEAST_SHARE, _USUAL_SHARE = frozenset("กนร"), 0.05, 0.12
_FEW_LINES, _LEAST_LETTERS_OF_THAI = 3, 12
_BELIEVED_OF_THAI, _BELIEVED_ALONE = 0.66, 0.76
"""Lao lines look like Thai, and some are as sure. But in Thai one letter in five is one of these,
and in Lao read as Thai hardly any: without them, or in few letters, Thai must be surer."""
_BELIEVED_OF_FEW, _RARE = 0.8, 2
"""Mean of a script's lines if twice as many are unreadable: wrong readers are as sure of a word."""
_NEARLY_ALL = 4
"""Lines in one script for each in another, which is doubted more then."""
_FEW = 3
"""Signs of a short word."""
_LEAST_LETTERS, _LEAST_FIGURES, _LEAST_KINDS = 6, 6, 3
_LEAST_OF_A_SIGN = 0.9
"""What is beyond doubt: a line of so many letters, each so sure, or a number of so many figures, of
so many kinds. Where other letters stand, some sign is less sure, or all figures are 0."""
_LEAST_CLEAR = 0.85
"""Of each letter beside a number, in a photo without unreadable text."""
_LEAST_SEEN = 0.7
"""A word of which some sign is less sure must be the same for the other reader, sign by sign."""
_STROKES, _LEAST_OF_A_STROKE = frozenset("Il"), 0.5
"""Letters that look alike: PP-OCR is less sure of them, wherever they stand."""


def shaky_scripts(answers: Iterable[Answer], unread: int) -> list[str]:
    """Return scripts whose lines are not sure enough to be in them.

    Args:
        answers: of the lines that a reader of scripts read.
        unread: how many lines of the photo nobody can read.
    """
    by_script: dict[str, list[Answer]] = {}
    for answer in answers:
        by_script.setdefault(answer.reader.script, []).append(answer)
    return [script for script, each in by_script.items() if _is_shaky(script, each, unread)]


def _is_shaky(script: str, answers: Sequence[Answer], unread: int) -> bool:
    belief = fmean(answer.belief for answer in answers)
    if script == "Thai":
        return belief < _least_of_thai(answers)
    is_rare = unread > _RARE * len(answers) and belief < _BELIEVED_OF_FEW
    return is_rare or (unread > len(answers) and belief < BELIEVED)


def _least_of_thai(answers: Sequence[Answer]) -> float:
    letters = [sign for answer in answers for sign in answer.reading.text if sign.isalpha()]
    share = sum(map(_THAI.__contains__, letters)) / max(len(letters), 1)
    is_enough = len(answers) >= _FEW_LINES or len(letters) >= _LEAST_LETTERS_OF_THAI
    if share < _LEAST_SHARE or not is_enough:
        return _BELIEVED_ALONE
    return _BELIEVED_OF_THAI if share >= _USUAL_SHARE else BELIEVED


def doubted_scripts(
    answers: Mapping[int, Answer], beside: Collection[int]
) -> list[tuple[int, str, float]]:
    """Return lines that may be in the script of most lines, though another reader was sure.

    A wrong one hardly reaches 0.7, so lines that are in another script stay. Beside a number there
    are few letters to be sure of, and the script of nearly all other lines is likelier.

    Args:
        answers: of the lines that a reader of scripts read, by their numbers.
        beside: numbers of the lines that have a number beside the letters.

    Returns:
        Number of the line, script of most, and the belief from which its reader is right.
    """
    counts = Counter(answer.reader.script for answer in answers.values())
    if len(counts) < 2:
        return []
    letters = Counter[str]()
    for answer in answers.values():
        letters[answer.reader.script] += len(letters_of(answer))
    main = max(counts, key=lambda script: (counts[script], letters[script]))
    rare = [script for script in counts if _NEARLY_ALL * counts[script] <= counts[main]]
    scripts = {number: answer.reader.script for number, answer in answers.items()}
    return [
        (number, main, BELIEVED_AGAIN if number in beside and script in rare else BELIEVED)
        for number, script in scripts.items()
        if script != main
    ]


def believed(
    pieces: Iterable[tuple[TextLine, FoundLine]],
    whole: FoundLine,
    look: SecondLook,
    is_strict: bool,
) -> Iterator[TextLine]:
    """Yield the pieces of a line; of what PP-OCR read, only what a second reader sees too.

    Args:
        pieces: as they are told, and as PP-OCR read them.
        whole: the line.
        look: the second reader.
        is_strict: that PP-OCR must be sure of each word, too: the photo has unreadable text.
    """
    for line, found in pieces:
        if line.text and line.text == found.line.text and not is_beyond_doubt(found):
            places = [found.line] if found is whole else [found.line, whole.line]
            yield from what_both_see(found, look.text(places), is_strict)
        else:
            yield line


def is_round_number(text: str) -> bool:
    """Tell whether a line is a number that is half zeros: Burmese and other round letters are."""
    return not any(map(str.isalpha, text)) and any(
        len(figures) >= _FEW and figures.count("0") * 2 >= len(figures)
        for figures in map(figures_of, text.split())
    )


def is_blurred(found: FoundLine) -> bool:
    """Tell whether beside a number stands a short word of which PP-OCR is not sure."""
    if not any(sign.text.isdigit() for sign in found.signs):
        return False
    short = (word for word in words_of(found) if len(word.signs) < _LEAST_LETTERS)
    letters = (sign for word in short for sign in word.signs if sign.text.isalpha())
    return not all(_is_clear(letter, _LEAST_CLEAR) for letter in letters)


def _is_clear(sign: Sign, least: float) -> bool:
    return sign.sure >= (_LEAST_OF_A_STROKE if sign.text in _STROKES else least)


def is_beyond_doubt(found: FoundLine) -> bool:
    """Tell whether nothing like it is seen where other letters stand."""
    letters = sum(sign.text.isalpha() for sign in found.signs)
    return main_script(found.line.text) in CHINESE or (
        letters >= _LEAST_LETTERS
        and letters == sum(sign.text.isalnum() for sign in found.signs)
        and min(sign.sure for sign in found.signs) >= _LEAST_OF_A_SIGN
    )


def what_both_see(found: FoundLine, seen: str | None, is_strict: bool = True) -> list[TextLine]:
    """Return the pieces of a line that PP-OCR read: words that both readers see, and the rest.

    Args:
        found: the line, as PP-OCR read it.
        seen: the same in the eyes of a second reader; None where there is none.
        is_strict: that PP-OCR must be sure of each word, too.
    """
    words = words_of(found)
    if not words:  # without its signs, nothing can be said of single words
        is_one = seen is None or all(is_seen(word, seen) for word in found.line.text.split())
        return [with_script(found.line) if is_one else unreadable_line(found.line, "")]
    if seen is not None and _is_whole_line_seen(found, seen):
        return [with_script(found.line)]
    are_numbers_seen = seen is not None and is_same_number(found, seen)
    sure = which_are_sure(words, 1 / found.length, are_numbers_seen)
    same = () if is_strict or seen is None else seen.split()
    kept = [
        (are_numbers_seen and word.is_number)
        or (word.text in same and not word.is_of_few)
        or ((each or (not is_strict and _is_clear_word(word))) and _is_kept(word, seen))
        for word, each in zip(words, sure, strict=True)
    ]
    if all(kept):
        return [with_script(found.line)]
    return list(_pieces(found, words, kept)) if any(kept) else [unreadable_line(found.line, "")]


def _is_clear_word(word: SeenWord) -> bool:
    """Tell so of a word in a photo that can be read; of a longer one, a letter may be blurred."""
    is_long = len(word.signs) >= _LEAST_LETTERS
    return word.worst >= (_LEAST_OF_A_STROKE if is_long else _LEAST_SEEN)


def _is_whole_line_seen(found: FoundLine, seen: str) -> bool:
    """Tell so of words in letters: wide ones, such as mm, look like two words."""
    return (
        found.line.confidence >= LEAST_SCORE
        and not any(sign.text.isdigit() for sign in found.signs)
        and all(_is_clear(sign, _LEAST_SEEN) for sign in found.signs)
        and all(is_seen(word, seen) for word in found.line.text.split())
    )


def _is_kept(word: SeenWord, seen: str | None) -> bool:
    figures = figures_of(word.text)
    if len(figures) > _FEW and len(set(figures)) == 1:
        return False
    is_long = word.is_number and len(figures) >= _LEAST_FIGURES
    if is_long and len(set(figures)) >= _LEAST_KINDS and word.worst >= _LEAST_OF_A_SIGN:
        return True
    if seen is None:
        return len(word.signs) > _FEW and word.worst >= _LEAST_OF_A_SIGN
    return is_seen(word.text, seen) and (word.worst >= _LEAST_SEEN or word.text in seen)


def _pieces(
    found: FoundLine, words: Sequence[SeenWord], kept: Sequence[bool]
) -> Iterator[TextLine]:
    start = 0.0
    groups = [[*group] for _, group in groupby(range(len(words)), key=lambda place: kept[place])]
    for group, behind in zip(groups, [*groups[1:], []], strict=True):
        last = words[group[-1]]
        end = (last.signs[-1].at + words[behind[0]].signs[0].at) / 2 if behind else 1.0
        text = " ".join(words[place].text for place in group)
        line = TextLine(
            text=text,
            confidence=round(fmean(words[place].sure for place in group), 4),
            polygon=part_of(found.line.polygon, start, end),
        )
        yield with_script(line) if kept[group[0]] else unreadable_line(line, "")
        start = end
