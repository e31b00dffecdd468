"""The connection to SQL: SQLite embedded by default, other servers by address."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from imaginem.errors import ConfigurationError, RetryableError
from imaginem.names import one_line
from imaginem.results.schema import Base

_BUSY_SECONDS = 30
_READING = "imaginem_reading"


class Database:
    """A SQL database; its tables are made on first use.

    Args:
        address: a SQLAlchemy address; empty for a SQLite file.
        home: the folder of that file.
    """

    def __init__(self, address: str, home: Path) -> None:
        self._home = home
        self._embedded = not address
        self._address = address or f"sqlite:///{(home / 'imaginem.db').absolute()}"
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """Return the engine, connecting lazily.

        Raises:
            ConfigurationError: the address can't be understood.
        """
        with self._lock:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _open(self) -> Engine:
        try:
            if self._embedded:
                self._home.mkdir(parents=True, exist_ok=True)
            # Parameters hold embeddings and what was found; they are no part of an error.
            engine = create_engine(
                self._address, pool_pre_ping=not self._embedded, hide_parameters=True
            )
        except OSError as problem:
            raise ConfigurationError(
                f"IMAGINEM_HOME {self._home} can't be written ({problem.strerror}): choose another"
            ) from None
        except ImportError as problem:
            raise ConfigurationError(
                f"SQL_CONNECTION_STRING needs the package {problem.name}: install it"
            ) from None
        except (ArgumentError, NoSuchModuleError):
            raise ConfigurationError(
                "SQL_CONNECTION_STRING can't be understood: leave it empty for SQLite, or give an "
                "address such as sqlite:///results.db"
            ) from None
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin)
        with engine.begin() as connection:
            Base.metadata.create_all(connection)
        return engine

    @contextmanager
    def session(self, *, reading: bool = False) -> Iterator[Session]:
        """Open a transaction; it is committed at the end, rolled back on an error.

        Args:
            reading: nothing will be written, so writers need not wait.

        Raises:
            RetryableError: the database is down or busy.
        """
        try:
            bind = self.engine.execution_options(**{_READING: reading})
            with Session(bind, expire_on_commit=False) as session, session.begin():
                yield session
        except IntegrityError as problem:
            raise RetryableError(f"two jobs wrote the same row: {_told(problem)}") from None
        except DBAPIError as problem:
            raise RetryableError(
                f"the results database is not available: {_told(problem)}"
            ) from None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None


def _told(problem: DBAPIError) -> str:
    return one_line(str(problem.orig), 200)


def _prepare_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    """Let readers and one writer work at once; we begin transactions ourselves."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_SECONDS * 1000}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    _use_write_ahead_log(cursor)
    cursor.close()


def _use_write_ahead_log(cursor: DBAPICursor) -> None:
    """Switch the file to WAL, which it stays in; only a new file needs it.

    SQLite does not wait for this switch as it waits for locks: of processes that open a new
    file at once, all but one are told that it is locked.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode")
            row = cursor.fetchone()
            if row is not None and row[0] == "wal":
                return
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    """Take the write lock at once if we'll write: taken later, after a read, it can't wait."""
    reading = connection.get_execution_options().get(_READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
