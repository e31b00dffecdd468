"""What is asked of a text index: words with what may stand in their place, surest answers first."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imaginem.ports.text_search.likeness import (
    SHORTEST_BEGINNING,
    Sureness,
    likeness,
)
from imaginem.ports.text_search.names import ARTICLES, SON_OR_NAME, SONS_OF
from imaginem.ports.text_search.searched import Joined, Term, Word, searched_words
from imaginem.ports.text_search.tokens import keys_of, words_by_key

_MOST_ALIKE = 200
"""Words that may stand in one word's place, the closest ones."""


Groups = tuple[tuple[Term, ...], ...]
"""For each word the ways in which it may be there; every word must be there in one of them."""


@dataclass(frozen=True)
class Ask:
    """What one look-up in a text index asks for.

    Attributes:
        sureness: of its hits.
        groups: of all words.
        marks: tokens that must be there, too.
        without: surer hits, which are left out.
    """

    sureness: Sureness
    groups: Groups
    marks: tuple[str, ...] = ()
    without: Groups = ()


class Vocabulary(Protocol):
    """The words that there are in photos."""

    def tokens_like(self, keys: Collection[str]) -> Collection[str]:
        """Return the tokens that begin with one of these keys."""


@dataclass
class TextSearch:
    """A search for words.

    Args:
        text: what a person typed.
        marks: tokens of labels and the batch that must be there, too.
    """

    text: str
    marks: Sequence[str] = ()
    _words: list[Word] = field(init=False)
    _joined: list[Joined] = field(init=False)

    def __post_init__(self) -> None:
        """Cut the text into words."""
        self._words, self._joined = searched_words(self.text)

    def asks(self, vocabulary: Vocabulary, least: Sureness = Sureness.EXACT) -> Iterator[Ask]:
        """Yield what to ask an index for, surest first; each leaves out the hits of those before.

        Args:
            vocabulary: looked into when it comes to words that are alike.
            least: surer ones are left out.
        """
        before: Groups = ()
        for sureness, groups in self._tiers(vocabulary):
            if groups != before and sureness.rank >= least.rank:
                yield Ask(sureness, groups, tuple(self.marks), before)
            before = groups

    def widest(self, vocabulary: Vocabulary) -> Ask | None:
        """Return what asks for all hits, however sure; None if no word is searched for."""
        tiers = list(self._tiers(vocabulary))
        return Ask(*tiers[-1], tuple(self.marks)) if tiers else None

    def sureness_of(self, words: Collection[str], photo: Collection[str]) -> Sureness | None:
        """Return how sure it is that some words of a photo were searched for.

        Args:
            words: of one place in the photo, as `word_tokens` returns them.
            photo: all words of the photo: what was searched for may be in several places.
        """
        found = [
            sureness
            for word in (*self._words, *(each.word for each in self._joined))
            for each in words
            if (sureness := _sureness(word, each, photo)) is not None
        ]
        return min(found, key=lambda sureness: sureness.rank, default=None)

    def _tiers(self, vocabulary: Vocabulary) -> Iterator[tuple[Sureness, Groups]]:
        """Yield the words with what may stand in their place: more each time."""
        if not self._words:
            return
        ways = [word.exact for word in self._words]
        self._add(ways, [each.word.exact for each in self._joined])
        yield Sureness.EXACT, tuple(ways)
        for number, word in enumerate(self._words):
            if word.loose and len(word.text) >= SHORTEST_BEGINNING:
                ways[number] += (Term((word.text,), beginning=True),)
        yield Sureness.BEGINNING, tuple(ways)
        every = [*self._words, *(each.word for each in self._joined)]
        keys = {key for word in every if word.loose for key in keys_of(word.text)}
        known = words_by_key(vocabulary.tokens_like(keys)) if keys else {}
        alike = [_alike(word, known) if word.loose else {} for word in every]
        ways = [way + word.similar for way, word in zip(ways, self._words, strict=True)]
        for sureness in (Sureness.SIMILAR, Sureness.OTHER_SCRIPT):
            found = [tuple(Term((each,)) for each in group.get(sureness, ())) for group in alike]
            for number in range(len(ways)):
                ways[number] += found[number]
            self._add(ways, found[len(ways) :])
            if sureness is Sureness.OTHER_SCRIPT:
                ways = self._without_articles(ways)
            yield sureness, tuple(ways)

    def _add(self, ways: list[tuple[Term, ...]], joined: Sequence[tuple[Term, ...]]) -> None:
        """Let each way of neighbours as one word stand for all of them.

        (a or ab) and (b or ab) is a and b, or ab.
        """
        for each, more in zip(self._joined, joined, strict=True):
            for number in each.places:
                ways[number] += more

    def _without_articles(self, ways: list[tuple[Term, ...]]) -> list[tuple[Term, ...]]:
        """Leave out articles: other scripts write them together with the name, or not at all.

        So are words for "son of", which are too short to be alike in two scripts.
        """
        kept = [way for at, way in enumerate(ways) if not self._may_be_missing(at)]
        return kept or ways

    def _may_be_missing(self, at: int) -> bool:
        text = self._words[at].text
        within = 0 < at < len(self._words) - 1  # who is called Ben does not lose his name
        return text in ARTICLES or text in SONS_OF or (within and text == SON_OR_NAME)


def met_by(groups: Groups, tokens: Collection[str]) -> bool:
    """Tell whether a photo with these tokens has every word."""
    return all(any(_is_met(term, tokens) for term in ways) for ways in groups)


def _is_met(term: Term, tokens: Collection[str]) -> bool:
    if term.beginning:
        return any(token.startswith(term.tokens[0]) for token in tokens)
    return all(token in tokens for token in term.tokens)


def _alike(word: Word, by_key: Mapping[str, Iterable[str]]) -> dict[Sureness, list[str]]:
    """Return the words that are alike, by how sure that is."""
    known = {other for key in keys_of(word.text) for other in by_key.get(key, ())}
    ranked = sorted(
        (found[1], other, found[0])
        for other in known
        if other != word.text and (found := likeness(word.text, other)) is not None
    )
    alike: dict[Sureness, list[str]] = {}
    for _, other, sureness in ranked:
        if len(group := alike.setdefault(sureness, [])) < _MOST_ALIKE:
            group.append(other)
    return alike


def _sureness(word: Word, token: str, photo: Collection[str]) -> Sureness | None:
    if any(token in term.tokens and _is_met(term, photo) for term in word.exact):
        return Sureness.EXACT
    if any(token in term.tokens and _is_met(term, photo) for term in word.similar):
        return Sureness.SIMILAR
    if not word.loose:
        return None
    if len(word.text) >= SHORTEST_BEGINNING and token.startswith(word.text):
        return Sureness.BEGINNING
    found = likeness(word.text, token)
    return found[0] if found else None
