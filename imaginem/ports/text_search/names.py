"""Names of several words that others write as one: Abd al-Rahman, Abu Bakr, Nour ed-Din.

Where such a name stands in a photo, it is kept as one word besides, so that it is compared whole
with other spellings and in other scripts; each kind is told by a word that such names have.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

from imaginem.ports.text_search.folding import LONGEST, Compound


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARTICLES = frozenset({"al", "el", "ul", "ال"})
SON_OR_NAME = "ben"
SONS_OF = frozenset({"bin", "ibn", "bint", "بن", "ابن", "بنت", "бин", "ибн", "בן", "בת"})
"""Within names: son or daughter of."""
_ARTICLES = _words(
    "ar as ad an at az ash er es ed en et ez esh ur us ud un ut uz ush ol or od "
    "аль эль ар ас ад ан ат аз аш уль ур уд"
)
"""The article as it is spoken before the letter that follows it."""
_SERVANT = re.compile("abd(?:[aeou]?(?P<spoken>[lrsntdz]|sh)|u)?|عبد|עבד|абд(?:у?[лрсн]|ель)?")
_FIRST = _words(
    "abu abou abo umm oum omm bou ben bin ibn abdi ould ait mac mc nur nour seif saif sayf "
    "zine zain zayn zein zia gholam ghulam mir "
    "gebre gebra ghebre wolde welde haile hayle tekle habte fikre amde kidane tesfa "
    "ابو ابي ابا ام سيف زين ضيا غلام مير بن ابن ولد "
    "אבו בן абу бин ибн бен ገብረ ወልደ ኃይለ ሃይለ ተክለ ሀብተ ፍቅረ ተስፋ"
)
"""First words of names, such as father, son and servant of."""
_LAST = re.compile(
    "[aeu](?:l|l?d)[dt]?(?:i|ee|ie|y)ne?h?|الدين|[aeou]l+ah|الله|(?:эд|уд|ад)дин|reza|رضا"
)
"""Last words of names: of the faith, of God, and Reza as in Alireza."""
_FAITH = re.compile("d(?:i|ee|ie|y)ne?|дин|دين")
_WRITTEN_APART = frozenset({"ul", "ur", "uz"})
"""Articles that are hardly a word of any language by themselves."""
_FAMILIES = _words(
    "kim gim lee yi rhee park bak pak choi choe jung jeong chung kang gang cho jo yoon yun jang "
    "chang lim han shin seo suh kwon gwon hwang ahn ryu yoo yu hong jeon moon mun "
    "yang sohn bae baek paik heo hur nam shim noh kwak cha joo ju woo koo"
) | frozenset("김이박최정강조윤장임한오신서권황안송류유홍전고문양손배백허남심노하곽성차주우구")
"""Families of Korea: a name's other syllables are written as one word, two, or with it."""
_LONGEST_SYLLABLE, _LONGEST_GIVEN = 5, 12
_SHORTEST = 3


@dataclass(frozen=True)
class WholeName:
    """A name of several words.

    Attributes:
        first, end: its first word, and the one after its last.
        text: the name as one word.
        servant: its words say nothing by themselves, as those of Abd al-Rahman.
    """

    first: int
    end: int
    text: str
    servant: bool = False


def whole_names(words: Sequence[Compound]) -> Iterator[WholeName]:
    """Yield the names among neighbouring words that others write as one word."""
    for first, (one, other) in enumerate(pairwise(words)):
        if not _begins_name(one.parts[0]) and not _goes_on(other.parts[0]):
            continue  # as nearly all words
        for end in (first + 2, first + 3):
            parts = [part for word in words[first:end] for part in word.parts]
            if end > len(words) or any(word.unspaced for word in words[first:end]):
                break
            servant = _is_servant(parts, last=end == len(words))
            if servant or _is_name(parts):
                yield WholeName(first, end, "".join(parts)[:LONGEST], servant)
    yield from _initials(words)


@lru_cache(maxsize=50_000)
def _begins_name(part: str) -> bool:
    return part in _FIRST or part in _FAMILIES or _SERVANT.fullmatch(part) is not None


@lru_cache(maxsize=50_000)
def _goes_on(part: str) -> bool:
    return _is_article(part) or _LAST.fullmatch(part) is not None


def _is_servant(parts: Sequence[str], *, last: bool) -> bool:
    name = _SERVANT.fullmatch(parts[0])
    if name is None:
        return False
    spoken = name["spoken"] or "l"
    if spoken != "l" and not parts[1].startswith(spoken):
        return False
    if len(parts) == 2:
        return last or not _is_article(parts[1])
    return len(parts) == 3 and _is_article(parts[1])


def _is_name(parts: Sequence[str]) -> bool:
    first, *others = parts
    if not all(map(str.isalpha, parts)) or min(map(len, others)) < 2:
        return False
    if len(others) == 1:
        return (
            first in _FIRST
            or (_is_long(first) and _LAST.fullmatch(others[0]) is not None)
            or (first in _FAMILIES and len(others[0]) <= _LONGEST_GIVEN)
        )
    if len(others) > 2:
        return False
    middle, end = others
    if first in _FAMILIES and max(len(middle), len(end)) <= _LONGEST_SYLLABLE:
        return True
    if not _is_article(middle) or not _is_long(first):
        return False
    return first in _FIRST or middle in _WRITTEN_APART or _FAITH.fullmatch(end) is not None


def _is_long(first: str) -> bool:
    return len(first) >= (_SHORTEST if first.isascii() else _SHORTEST - 1)  # عز is Izz


def _is_article(part: str) -> bool:
    return part in ARTICLES or part in _ARTICLES


def _initials(words: Sequence[Compound]) -> Iterator[WholeName]:
    """Yield letters one by one, such as those of J. R. Smith."""
    at = 0
    for single, run in groupby(words, lambda word: _is_initial(word.whole)):
        letters = [word.whole for word in run]
        if single and len(letters) > 1:
            yield WholeName(at, at + len(letters), "".join(letters)[:LONGEST])
        at += len(letters)


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.upper() != word
