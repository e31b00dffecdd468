"""Asking SQLite's full-text index."""

import sys
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import column, literal_column, table
from sqlalchemy.orm import Session

from imaginem.ports.text_search import Ask, Term
from imaginem.sql.schema import PhotoText
from imaginem.sql.text_queries import MOST_CANDIDATES, as_text, spans_of

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
_LISTED_BYTES = 3
"""FTS5 lists beginnings of two and three letters (`prefix` in the migration)."""
_MOST_BEGINNINGS = 300


class Fts5:
    """SQLite's full-text search: yields rows by number, the highest first, as they are found.

    One of these serves one transaction.
    """

    def __init__(self) -> None:
        self._beginnings: dict[str, list[str] | None] = {}

    def newest(self, session: Session, query: Any, ask: Ask, before: int | None = None) -> Any:
        """Let FTS5 find the rows' numbers, in their order."""
        write = partial(self._term, session)
        wanted = as_text(ask.groups, ask.marks, write, " AND ", " OR ")
        if ask.without:
            wanted = f"({wanted}) NOT ({as_text(ask.without, (), write, ' AND ', ' OR ')})"
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
            for begin, end in spans_of(key):
                found.update(_tokens(session, begin, end, MOST_CANDIDATES))
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


def _quoted(token: str) -> str:
    return '"' + token.replace('"', "") + '"'
