"""The words of a search, and in which ways each of them may be in a photo."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from imaginem.ports.text_search.divided import divided
from imaginem.ports.text_search.folding import LONGEST, Compound, compounds_in, uncut
from imaginem.ports.text_search.likeness import has_digit
from imaginem.ports.text_search.names import ARTICLES, whole_names
from imaginem.ports.text_search.numbers import Number, cut_out
from imaginem.ports.text_search.romanising import sounds_of
from imaginem.ports.text_search.tokens import pairs_of

_MOST_WORDS = 12
"""Words of a search; further ones are left out."""
_SHORTEST_JOINED = 5
"""Sounds of a name of several words that is like others; shorter ones are like too many."""


@dataclass(frozen=True)
class Term:
    """One way in which a word may be in a photo: all of these tokens are there.

    Attributes:
        beginning: a token that begins with the one given will do.
    """

    tokens: tuple[str, ...]
    beginning: bool = False


@dataclass(frozen=True)
class Word:
    """A word of a search.

    Attributes:
        text: the word, folded.
        exact: ways in which it is there exactly.
        loose: it finds longer words, and words that are alike.
        similar: ways in which it is there with other figures, or as two words.
    """

    text: str
    exact: tuple[Term, ...]
    loose: bool
    similar: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Joined:
    """Neighbouring words of a search that a photo may have as one.

    Attributes:
        word: what it may have.
        places: of the words, among those of the search.
    """

    word: Word
    places: frozenset[int]


def searched_words(text: str) -> tuple[list[Word], list[Joined]]:
    """Return the words of what a person typed, each once, and neighbours of them as one word."""
    words: list[Word] = []
    joined: list[tuple[Word, list[Word]]] = []
    for piece in cut_out(uncut(text)):
        if isinstance(piece, Number):
            words.append(_number(piece))
        else:
            found = list(compounds_in(piece))
            made = list(_words_in(found))
            words += [word for _, word in made]
            joined += _joined_in(found, made)
    kept = list(dict.fromkeys(words))[:_MOST_WORDS]
    place = {word: at for at, word in enumerate(kept)}
    return kept, [
        Joined(word, frozenset(place[each] for each in parts))
        for word, parts in joined
        if all(each in place for each in parts)
    ]


def _number(number: Number) -> Word:
    exact = [Term((token,)) for token in number.same()]
    if len(number.groups) > 1:
        exact.append(Term(number.groups))
    otherwise = tuple(Term((token,)) for token in number.otherwise())
    return Word(number.figures, tuple(exact), loose=False, similar=otherwise)


def _words_in(every: Sequence[Compound]) -> Iterator[tuple[int, Word]]:
    """Yield words with the place of their first one in the text."""
    servants = {name.first: name for name in whole_names(every) if name.servant}
    at = 0
    while at < len(every):
        if name := servants.get(at):
            parts = tuple(part for word in every[at : name.end] for part in word.parts)
            yield at, Word(name.text, (Term((name.text,)), Term(parts)), loose=True)
            at = name.end
        else:
            yield at, _word(every[at])
            at += 1


def _word(word: Compound) -> Word:
    text = word.whole
    if word.unspaced:
        return Word(text, (Term(pairs_of(text)),), loose=True)
    exact = (Term((text,)), Term(word.parts)) if len(word.parts) > 1 else (Term((text,)),)
    loose = not has_digit(text)
    return Word(text, exact, loose, tuple(map(Term, divided(text))) if loose else ())


def _joined_in(
    every: Sequence[Compound], made: Sequence[tuple[int, Word]]
) -> Iterator[tuple[Word, list[Word]]]:
    """Yield neighbours as one word: each two, and names of three."""
    for (at, one), (then, other) in pairwise(made):
        if not every[at].unspaced and not every[then].unspaced:
            yield _as_one(one.text + other.text, loose=one.text in ARTICLES), [one, other]
    for (_, one), (at, other), (then, last) in zip(made, made[1:], made[2:], strict=False):
        if not every[at].unspaced and not every[then].unspaced:
            yield _as_one(one.text + other.text + last.text), [one, other, last]
    for name in whole_names(every):
        if not name.servant:
            parts = [word for at, word in made if name.first <= at < name.end]
            yield _as_one(name.text, loose=True), parts


def _as_one(text: str, *, loose: bool = False) -> Word:
    """Return neighbours as one word, which is there as such; loose ones are also alike."""
    text = text[:LONGEST]
    loose = loose and len(sounds_of(text)) >= _SHORTEST_JOINED and not has_digit(text)
    return Word(text, (Term((text,)),), loose)
