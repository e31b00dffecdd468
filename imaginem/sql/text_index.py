"""Asking a database's text index: FTS5 on SQLite, GIN on PostgreSQL; Azure SQL reads the tokens.

Azure SQL fills its full-text indexes some time after a commit, cuts words by rules of a language,
and makes such an index outside of transactions alone. So nothing relies on one there: a search by
words goes through the tokens, as a search by text went through all texts before.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    and_,
    cast,
    column,
    func,
    literal_column,
    not_,
    or_,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from imaginem.ports.text_search import Ask, Term
from imaginem.ports.text_search.asks import Groups
from imaginem.sql.schema import PhotoText

_INDEX = table("photo_text_index", column("rowid"))
# The index tells a token once for each photo: each one is sought behind the one before, so that a
# common one takes no longer than a rare one. Read in one go, rare ones would take a fifth.
_TOKENS = (
    "WITH RECURSIVE here(token) AS ("
    "SELECT (SELECT term FROM photo_text_words WHERE term >= :begin AND term < :end LIMIT 1) "
    "UNION ALL SELECT (SELECT term FROM photo_text_words "
    "WHERE term >= here.token || char(0) AND term < :end LIMIT 1) "
    "FROM here WHERE here.token IS NOT NULL) "
    "SELECT token FROM here WHERE token IS NOT NULL LIMIT :most"
)
_MOST_CANDIDATES = 2_000
"""Words of one key that are compared, in Latin letters, and as many in others."""
_LISTED_BYTES = 3
"""FTS5 lists beginnings of two and three letters (`prefix` in the migration)."""
_MOST_BEGINNINGS = 300
_AFTER_Z = chr(ord("z") + 1)
# By the plain number, PostgreSQL would read all photos from the newest on: it expects of a word
# that it does not know that half a percent of them has it.
_BY_NUMBER = (PhotoText.number + 0).desc()
_MOST_PARAMETERS = 800
"""Of one of the two conditions of a statement: SQL Server takes 2,100 parameters in all."""
_SAMPLE = 500
"""Photos whose words are read at once where an index does not list its words."""
_ROUNDS = 10


class TextIndex(Protocol):
    """Finds rows of `photo_text`, and the words in them."""

    def newest(self, session: Session, query: Any, ask: Ask, before: int | None = None) -> Any:
        """Return a query that reads `photo_text` so that it has the rows that meet this.

        Args:
            session: in which the query will be sent.
            query: joins other tables; has no order.
            ask: what rows must meet.
            before: a number; rows are left out that have this or a higher one.

        Returns:
            The query with condition and order: the highest number first.
        """

    def rows(
        self, session: Session, query: Any, ask: Ask, before: int | None, limit: int
    ) -> Sequence[Any]:
        """Return the first rows of what `newest` would return, as quickly as they are found.

        Args:
            session, query, ask, before: see `newest`.
            limit: rows at most.
        """

    def tokens_like(self, session: Session, keys: Collection[str]) -> set[str]:
        """Return the tokens that begin with one of these keys."""


def text_index_of(dialect: str) -> TextIndex:
    """Return the text index of a server, by the name of its dialect."""
    if dialect == "sqlite":
        return Fts5()
    return Gin() if dialect == "postgresql" else ReadTokens()


class SessionWords:
    """The vocabulary, as one transaction sees it."""

    def __init__(self, session: Session, index: TextIndex) -> None:
        self._session, self._index = session, index

    def tokens_like(self, keys: Collection[str]) -> set[str]:
        """Return the tokens that begin with one of these keys."""
        return self._index.tokens_like(self._session, keys)


class Fts5:
    """SQLite's full-text search: yields rows by number, the highest first, as they are found.

    One of these serves one transaction.
    """

    def __init__(self) -> None:
        self._beginnings: dict[str, list[str] | None] = {}

    def newest(self, session: Session, query: Any, ask: Ask, before: int | None = None) -> Any:
        """Let FTS5 find the rows' numbers, in their order."""
        write = partial(self._term, session)
        wanted = _as_text(ask.groups, ask.marks, write, " AND ", " OR ")
        if ask.without:
            wanted = f"({wanted}) NOT ({_as_text(ask.without, (), write, ' AND ', ' OR ')})"
        found = literal_column("photo_text_index").op("MATCH")(wanted)
        query = query.join(_INDEX, _INDEX.c.rowid == PhotoText.number).where(found)
        if before is not None:
            query = query.where(_INDEX.c.rowid < before)
        return query.order_by(_INDEX.c.rowid.desc())

    def rows(
        self, session: Session, query: Any, ask: Ask, before: int | None, limit: int
    ) -> Sequence[Any]:
        """Read rows as FTS5 finds them."""
        return session.execute(self.newest(session, query, ask, before).limit(limit)).all()

    def tokens_like(self, session: Session, keys: Collection[str]) -> set[str]:
        """Read the index's own list of tokens."""
        found: set[str] = set()
        for key in keys:
            # Words in Latin letters come first: those of other scripts are not to be cut off.
            ends = (key, f"{key}{_AFTER_Z}", key[:-1] + chr(ord(key[-1]) + 1))
            for begin, end in pairwise(ends):
                found.update(_tokens(session, begin, end, _MOST_CANDIDATES))
        return found

    def _term(self, session: Session, term: Term) -> str:
        if not term.beginning:
            return f"({' AND '.join(map(_quoted, term.tokens))})"
        (begun,) = term.tokens
        if begun not in self._beginnings:
            self._beginnings[begun] = self._words_with(session, begun)
        words = self._beginnings[begun]
        if words is None:
            return f"{_quoted(begun)}*"
        # That a word begins with itself is told already: reading its photos twice takes time.
        longer = [word for word in words if word != begun] or [begun]
        return f"({' OR '.join(map(_quoted, longer))})"

    def _words_with(self, session: Session, begun: str) -> list[str] | None:
        """Return the words that begin like this; None where FTS5 should look for them.

        For a beginning that it has no list of, FTS5 makes one of all photos with such words before
        it yields the first of them.
        """
        if len(begun.encode()) <= _LISTED_BYTES:
            return None
        words = _tokens(session, begun, begun + chr(sys.maxunicode), _MOST_BEGINNINGS + 1)
        return words if len(words) <= _MOST_BEGINNINGS else None


def _tokens(session: Session, begin: str, end: str, most: int) -> list[str]:
    """Return the first tokens of SQLite's index from one on and before another, in order."""
    wanted = {"begin": begin, "end": end, "most": most}
    return list(session.connection().exec_driver_sql(_TOKENS, wanted).scalars())


class _ByCondition(ABC):
    """An index that is asked by a condition on the column, and has no list of its words.

    Args:
        newest: photos that are looked through before the index is asked, which sorts all photos
            that it finds.
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
        floor = self._floor(session, before)
        near = query.where(self._condition(ask.groups, ask.marks, ask.without))
        near = near.where(PhotoText.number >= floor).order_by(PhotoText.number.desc())
        if before is not None:
            near = near.where(PhotoText.number < before)
        found = session.execute(near.limit(limit)).all()
        if len(found) == limit:
            return found
        others = self.newest(session, query, ask, floor).limit(limit - len(found))
        return [*found, *session.execute(others)]

    def tokens_like(self, session: Session, keys: Collection[str]) -> set[str]:
        """Return the tokens of the newest photos that have any, then of those that have others.

        A token is missed that stands in older photos alone, each time beside one that is known.
        """
        found: set[str] = set()
        begun = tuple(sorted(keys))
        anything = (tuple(Term((key,), beginning=True) for key in begun),)
        near = PhotoText.number >= self._floor(session), PhotoText.number.desc()
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

    def _floor(self, session: Session, before: int | None = None) -> int:
        """Return from which number on a photo is one of the newest, or of those before another."""
        if before is None:
            before = session.scalar(select(func.max(PhotoText.number))) or 0
        return before - self._looked_through

    @abstractmethod
    def _condition(
        self, groups: Groups, marks: Collection[str], without: Groups
    ) -> ColumnElement[bool]:
        """Return which photos have a word of each group, all marks, and not all of `without`."""


def _quoted(token: str) -> str:
    return '"' + token.replace('"', "") + '"'


class Gin(_ByCondition):
    """PostgreSQL's index of `tsvector`."""

    def _condition(
        self, groups: Groups, marks: Collection[str], without: Groups
    ) -> ColumnElement[bool]:
        wanted = _as_text(groups, marks, self._term, " & ", " | ")
        if without:
            wanted = f"{wanted} & !({_as_text(without, (), self._term, ' & ', ' | ')})"
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
        return or_(*map(self._term, ways[: _MOST_PARAMETERS // words]))

    def _term(self, term: Term) -> ColumnElement[bool]:
        end = "" if term.beginning else " "
        there = [
            PhotoText.tokens.contains(f" {each}{end}", autoescape=True) for each in term.tokens
        ]
        return and_(*there)


def _as_text(
    groups: Groups,
    marks: Collection[str],
    write: Callable[[Term], str],
    both: str,
    either: str,
) -> str:
    """Write groups in a query language whose operators are these."""
    every = (*groups, *((Term((mark,)),) for mark in marks))
    return both.join(f"({either.join(map(write, ways))})" for ways in every)
