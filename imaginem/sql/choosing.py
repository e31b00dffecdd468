"""Chooses how the embeddings of a database are searched: the only place that does."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from imaginem.ports import Neighbor
from imaginem.sql.candidates import best_candidates
from imaginem.sql.database import Database
from imaginem.sql.face_index import SqlFaceIndex
from imaginem.sql.nearest import nearest_in_sql_server
from imaginem.sql.pgvector import is_ready, nearest_in_postgresql
from imaginem.sql.probe import EmbeddingSearch, Probe


def face_index_of(database: Database, folder: Path) -> SqlFaceIndex:
    """Return the index over a database's embeddings; how it searches is chosen when it does.

    Args:
        database: that has the embeddings.
        folder: of this machine, for files that are made from the database; it need not last.
    """
    return SqlFaceIndex(database, partial(search_of, database, folder), folder)


def search_of(database: Database, folder: Path, session: Session) -> EmbeddingSearch:
    """Return how a database is searched, by what it can do itself.

    Args:
        database: that has the embeddings.
        folder: for files.
        session: connected to the database.
    """

    def by_machine() -> EmbeddingSearch:
        from imaginem.sql.flat_index.by_size import SearchBySize  # needs numpy

        return SearchBySize(database, folder)

    dialect = session.get_bind().dialect.name
    if dialect == "mssql":
        return _SqlServer()
    return _PostgreSql(by_machine, folder) if dialect == "postgresql" else by_machine()


class _SqlServer:
    """Azure SQL compares by itself."""

    def nearest(self, session: Session, probe: Probe) -> list[Neighbor]:
        return nearest_in_sql_server(session, probe)

    def forget_removed(self) -> None:
        """Do nothing: nothing is kept."""


class _PostgreSql:
    """PostgreSQL compares by itself once it has vectors; before, this machine does.

    Args:
        by_machine: makes what searches here.
        folder: where that puts its files.
    """

    def __init__(self, by_machine: Callable[[], EmbeddingSearch], folder: Path) -> None:
        self._make = by_machine
        self._folder = folder
        self._made: EmbeddingSearch | None = None

    def nearest(self, session: Session, probe: Probe) -> list[Neighbor]:
        if not is_ready(session):
            return self._by_machine().nearest(session, probe)
        return best_candidates(nearest_in_postgresql, session, probe)

    def forget_removed(self) -> None:
        if self._made is not None or self._folder.is_dir():
            self._by_machine().forget_removed()

    def _by_machine(self) -> EmbeddingSearch:
        if self._made is None:  # two threads that make one each do no harm
            self._made = self._make()
        return self._made
