"""Asking a database's text index: FTS5 on SQLite, GIN on PostgreSQL; Azure SQL reads the tokens."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from sqlalchemy.orm import Session

from imaginem.ports.text_search import Ask
from imaginem.sql.text_conditions import Gin, ReadTokens
from imaginem.sql.text_fts5 import Fts5


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
