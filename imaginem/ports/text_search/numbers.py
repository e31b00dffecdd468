"""Numbers that are written in groups, and telephone numbers with and without their country.

A number is found by its figures, however they are grouped: 0770 123 456, (0770) 123-456 and
0770.123.456 have the token `0770123456`. One that may be written for other countries has the rest
of it behind a bar: +964 770 1234567 has `|7701234567`, by which 0770 1234567 finds it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from imaginem.ports.text_search.folding import LETTER

REST = "|"
"""Begins the token of a telephone number without its country code."""
_SHORTEST, _LONGEST = 6, 20
"""Figures of a number in groups: fewer are days, ages, pages; an account may have twenty."""
_SHORTEST_WITHIN = 7
"""Figures of one that begins within a run: month and year of a date have six."""
_SHORTEST_CALLED, _LONGEST_CALLED = 9, 15
"""Figures of a telephone number with its country or its area; E.164 allows fifteen."""
_SHORTEST_ABROAD = 11
"""Figures from which on a number without a plus may begin with a country code."""
_MOST_JOINED = 2_000
"""Numbers of a text that are joined: a page of tables has more groups than anybody looks for."""
_BETWEEN = r"[ \t.\-–—/()\[\]]{1,4}"
_RUN = re.compile(
    rf"(?<!{LETTER})(?<!{LETTER}['-])(?P<plus>\+[ (]?)?[0-9]+(?:{_BETWEEN}[0-9]+)*"
    rf"(?!['-]?{LETTER})"
)
FROM_RIGHT = re.compile(r"[\u0590-\u08ff]")
"""A letter of a script that runs from right to left. The groups of a number on such a line may
stand either way: UAX 9 shows them from right to left, people write them from left to right."""
_ZERO_AT_HOME = re.compile(r"\(0\)")
# E.164: codes of one and two figures; all others have three.
_CODE = re.compile("[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|...")


@dataclass(frozen=True)
class Number:
    """A number, as it stands in a text.

    Attributes:
        groups: its figures, as they are written together.
        abroad: it begins with a plus.
    """

    groups: tuple[str, ...]
    abroad: bool = False

    @property
    def figures(self) -> str:
        """All of its figures."""
        return "".join(self.groups)

    def same(self) -> Iterator[str]:
        """Yield the tokens that it has with the same figures; 00 before a country is a plus."""
        yield self.figures
        if self._is_abroad and self.figures.startswith("00"):
            yield self.figures.lstrip("0")

    def kept(self) -> Iterator[str]:
        """Yield the tokens by which it is found."""
        yield from self.same()
        if self._is_abroad or self._may_be_abroad:
            for rest in self._rests():
                yield f"{REST}{rest}"

    def otherwise(self) -> Iterator[str]:
        """Yield the tokens of the same telephone number, written for elsewhere."""
        here = self.figures.lstrip("0")
        if not here or not _SHORTEST_CALLED <= len(self.figures) <= _LONGEST_CALLED + 2:
            return
        if not self._is_abroad:
            yield f"{REST}{here}"
            yield here if here != self.figures else f"0{here}"
        if self._is_abroad or self._may_be_abroad:
            for rest in self._rests():
                yield from (f"0{rest}", rest)
                if not self._is_abroad:
                    yield f"{REST}{rest}"
                elif self.figures.lstrip("0").startswith("7"):
                    yield f"8{rest}"  # the zero of Russia and Kazakhstan

    @property
    def _is_abroad(self) -> bool:
        length = len(self.figures.lstrip("0"))
        marked = self.abroad or self.figures.startswith("00")
        return marked and _SHORTEST_CALLED <= length <= _LONGEST_CALLED

    @property
    def _may_be_abroad(self) -> bool:
        length = len(self.figures)
        return self.figures[0] != "0" and _SHORTEST_ABROAD <= length <= _LONGEST_CALLED

    def _rests(self) -> Iterator[str]:
        figures = self.figures.lstrip("0")
        if rest := _CODE.sub("", figures, count=1).lstrip("0"):
            yield rest
        if not self._is_abroad and figures[0] == "8" and len(figures) == _SHORTEST_ABROAD:
            yield figures[1:]


def cut_out(folded: str) -> Iterator[str | Number]:
    """Yield the parts of a folded text: numbers that count as one, and what is between them."""
    end = 0
    for found in _RUN.finditer(folded):
        numbers = _as_searched(_number(found))
        if numbers:
            yield folded[end : found.start()]
            yield from numbers
            end = found.end()
    yield folded[end:]


def number_tokens(folded: str) -> list[str]:
    """Return the tokens by which numbers of a folded text are found, each once.

    Of a long run, all neighbours that may be one number are joined: where one ends and the next one
    begins can't be seen.
    """
    numbers = islice(_joined(folded), _MOST_JOINED)
    return list(dict.fromkeys(token for number in numbers for token in number.kept()))


def _joined(folded: str) -> Iterator[Number]:
    for line in folded.splitlines():
        runs_left = FROM_RIGHT.search(line) is not None
        for found in _RUN.finditer(line):
            number = _number(found)
            yield from _parts(number)
            if runs_left and len(number.groups) > 1:
                yield from _parts(Number(number.groups[::-1], number.abroad))


def _parts(number: Number) -> Iterator[Number]:
    for first in range(len(number.groups)):
        yield from _from(number, first)


def _number(found: re.Match[str]) -> Number:
    plus = found["plus"] is not None
    text = _ZERO_AT_HOME.sub(" ", found[0]) if plus or found[0].startswith("00") else found[0]
    return Number(tuple(re.findall("[0-9]+", text)), plus)


def _as_searched(number: Number) -> list[Number]:
    whole = [len(group) >= _SHORTEST_CALLED for group in number.groups]
    if sum(whole) > 1:
        return [Number((group,)) for group in number.groups]
    return [number] if _SHORTEST <= len(number.figures) <= _LONGEST else []


def _from(number: Number, first: int) -> Iterator[Number]:
    """Yield what may be numbers from a group of a run on."""
    # Within a number of another country, what is behind its code is told by its rest alone.
    abroad = number.abroad or number.groups[0].startswith("00")
    most = _LONGEST
    if first and abroad and number.groups[first][0] != "0":
        most = _SHORTEST_CALLED - 1
    figures, least = 0, _SHORTEST_WITHIN if first else _SHORTEST
    for end in range(first + 1, len(number.groups) + 1):
        figures += len(number.groups[end - 1])
        if figures > most:
            return
        if figures >= least:
            yield Number(number.groups[first:end], number.abroad and first == 0)
