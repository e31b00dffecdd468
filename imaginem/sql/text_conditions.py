"""Asking servers for words, by a condition: GIN on PostgreSQL; on Azure SQL all tokens are read.

Azure SQL fills its full-text indexes some time after a commit, cuts words by rules of a language,
and makes such an index outside of transactions alone. So nothing relies on one there: a search by
words goes through the tokens, as a search by text went through all texts before.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, func, not_, or_, select, text, true
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from imaginem.ports.text_search import Ask, Term
from imaginem.ports.text_search.asks import Groups
from imaginem.sql.schema import PhotoText
from imaginem.sql.text_queries import MOST_CANDIDATES, as_text, spans_of

_WORDS = text(
    "SELECT found.token FROM unnest(CAST(:begins AS TEXT[]), CAST(:ends AS TEXT[])) "
    "AS span (first, last), LATERAL (SELECT token FROM photo_word WHERE token >= span.first "
    "AND token < span.last ORDER BY token LIMIT :most) AS found"
)
# By the plain number, PostgreSQL would read all photos from the newest on: it expects of a word
# that it does not know that half a percent of them has it.
_BY_NUMBER = (PhotoText.number + 0).desc()
_MOST_PARAMETERS = 800
"""Of one of the two conditions of a statement: SQL Server takes 2,100 parameters in all."""
_SAMPLE = 500
"""Photos whose words are read at once where an index does not list its words."""
_ROUNDS = 10
_FIFTH = 5


class _ByCondition(ABC):
    """An index that is asked by a condition on the column, and has no list of its words.

    Args:
        newest: photos that are looked through before the index is asked, which sorts all photos
            that it finds; fewer where a fifth of them has nothing.
    """

    def __init__(self, newest: int = 5_000) -> None:
        self._looked_through = newest

    def newest(self, session: Session, query: Any, ask: Ask, before: int | None = None) -> Any:
        """Add the condition and the order."""
        query = query.where(self._condition(ask.groups, ask.marks, ask.without))
        if before is not None:
            query = query.where(PhotoText.number < before)
        return query.order_by(_BY_NUMBER)

    def rows(
        self, session: Session, query: Any, ask: Ask, before: int | None, limit: int
    ) -> Sequence[Any]:
        """Look through the newest photos, where a common word is; then ask the index for others."""
        near = query.where(self._condition(ask.groups, ask.marks, ask.without))
        near = near.order_by(PhotoText.number.desc())
        found: list[Any] = []
        last = self._last(session) + 1 if before is None else before
        floor = last
        for width in (self._looked_through // _FIFTH + 1, self._looked_through):
            part = near.where(PhotoText.number < floor, PhotoText.number >= last - width)
            found += session.execute(part.limit(limit - len(found)))
            floor = last - width
            if len(found) == limit:
                return found
            if not found:
                break  # it is rare: the index has few photos to sort
        others = self.newest(session, query, ask, floor).limit(limit - len(found))
        return [*found, *session.execute(others)]

    def tokens_like(self, session: Session, keys: Collection[str]) -> set[str]:
        """Return the tokens of the newest photos that have any, then of those that have others.

        A token is missed that stands in older photos alone, each time beside one that is known.
        """
        found: set[str] = set()
        begun = tuple(sorted(keys))
        anything = (tuple(Term((key,), beginning=True) for key in begun),)
        newest = PhotoText.number >= self._last(session) - self._looked_through
        near = newest, PhotoText.number.desc()
        for where, order in (near, *[(true(), _BY_NUMBER)] * _ROUNDS):
            known = tuple(Term((token,)) for token in sorted(found))
            condition = self._condition(anything, (), (known,) if known else ())
            query = select(PhotoText.tokens).where(condition, where).order_by(order)
            rows = session.scalars(query.limit(_SAMPLE)).all()
            more = {token for row in rows for token in row.split() if token.startswith(begun)}
            if order is _BY_NUMBER and (len(rows) < _SAMPLE or more <= found):
                return found | more
            found |= more
        return found

    def _last(self, session: Session) -> int:
        """Return the number of the newest photo."""
        return session.scalar(select(func.max(PhotoText.number))) or 0

    @abstractmethod
    def _condition(
        self, groups: Groups, marks: Collection[str], without: Groups
    ) -> ColumnElement[bool]:
        """Return which photos have a word of each group, all marks, and not all of `without`."""


class Gin(_ByCondition):
    """PostgreSQL's index of `tsvector`, and the table of its words, which triggers keep."""

    def tokens_like(self, session: Session, keys: Collection[str]) -> set[str]:
        """Read the table of words."""
        begins, ends = zip(*(span for key in keys for span in spans_of(key)), strict=True)
        wanted = {"begins": list(begins), "ends": list(ends), "most": MOST_CANDIDATES}
        return set(session.scalars(_WORDS, wanted))

    def _condition(
        self, groups: Groups, marks: Collection[str], without: Groups
    ) -> ColumnElement[bool]:
        wanted = as_text(groups, marks, self._term, " & ", " | ")
        if without:
            wanted = f"{wanted} & !({as_text(without, (), self._term, ' & ', ' | ')})"
        return PhotoText.tokens.op("@@")(cast(wanted, TSQUERY))

    def _term(self, term: Term) -> str:
        quoted = ["'" + token.replace("\\", "").replace("'", "") + "'" for token in term.tokens]
        return f"{quoted[0]}:*" if term.beginning else f"({' & '.join(quoted)})"


class ReadTokens(_ByCondition):
    """No index: all tokens are read."""

    def _condition(
        self, groups: Groups, marks: Collection[str], without: Groups
    ) -> ColumnElement[bool]:
        met = [self._any(ways, len(groups)) for ways in groups]
        met += [self._term(Term((mark,))) for mark in marks]
        if without:
            met.append(not_(and_(*(self._any(ways, len(without)) for ways in without))))
        return and_(*met)

    def _any(self, ways: tuple[Term, ...], words: int) -> ColumnElement[bool]:
        """Return the condition that a word is there in one of its surest ways."""
        sums = accumulate(len(way.tokens) for way in ways)
        room = bisect_right(list(sums), _MOST_PARAMETERS // words)
        return or_(*map(self._term, ways[: max(room, 1)]))

    def _term(self, term: Term) -> ColumnElement[bool]:
        end = "" if term.beginning else " "
        there = [
            PhotoText.tokens.contains(f" {each}{end}", autoescape=True) for each in term.tokens
        ]
        return and_(*there)
