"""The connection to SQL: SQLite embedded by default, Azure SQL or PostgreSQL by address."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from imaginem.errors import ConfigurationError, PermanentError, RetryableError, disk_full
from imaginem.ports import JobKey
from imaginem.sql.address import (
    explain_unknown_parts,
    identity_of,
    log_in_with,
    sqlalchemy_url,
    wants_token,
)
from imaginem.sql.faults import is_transient, meaning
from imaginem.sql.migrations import HEAD
from imaginem.sql.sqlite_file import READING, prepare_sqlite

DATABASE_FILE = "imaginem.db"
"""In `IMAGINEM_HOME`, where no other database is set."""
MARK = "mark"
"""Where a session's `info` has the database's `mark`."""

_CONNECT_TRIES = 3
_CONNECT_PAUSE = 1.0
_RECYCLE_SECONDS = 1500  # Azure SQL's gateway closes idle connections after half an hour
_LOGIN_SECONDS = 15
_OTHER_SCHEMA_PAUSE = 60.0
_MSSQL_KEY_LIMIT = 850  # characters: an index of SQL Server takes 1,700 bytes


class Database:
    """A SQL database. A SQLite file gets its tables on first use; servers must have them.

    Args:
        address: empty for a SQLite file; else see `imaginem.sql.address`.
        home: the folder of that file.
        get_token: takes an identity's client id, empty for the app's own, and returns a token for
            Azure SQL; called where the address names no user.
        driver: for Azure SQL, `pyodbc` or `mssql-python`; see `sqlalchemy_url`.
        mark: what the method `mark` calls; None where nothing is ever erased.
    """

    def __init__(
        self,
        address: str,
        home: Path,
        get_token: Callable[[str], str] | None = None,
        *,
        driver: str = "pyodbc",
        mark: Callable[..., str] | None = None,
    ) -> None:
        self._home = home
        self._embedded = not address
        self._address = address or f"sqlite:///{(home / DATABASE_FILE).absolute()}"
        self._get_token = get_token
        self._driver = driver
        self._mark = mark
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._before_close: list[Callable[[], None]] = []

    def mark(self, *words: str) -> str:
        """Return what stands for some words, so that what was erased is told by its mark alone.

        Ask only where something was erased: the key may have to be read from storage.
        """
        if self._mark is None:
            raise ConfigurationError("this database was opened without a key for erasures")
        return self._mark(*words)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server, and for a database in memory."""
        with suppress(ArgumentError):  # it is explained when somebody connects
            url = make_url(self._address)
            if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
                return Path(str(url.database))
        return None

    @property
    def engine(self) -> Engine:
        """Return the engine, connecting lazily.

        Raises:
            ConfigurationError: the address can't be understood.
            RetryableError: the server does not answer, or its tables are of another version.
        """
        with self._lock:
            if self._engine is None:
                engine = self.connect()
                try:
                    with self.clear_errors():
                        _check_tables(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def connect(self) -> Engine:
        """Return a new engine without checking the tables.

        Raises:
            ConfigurationError: the address can't be understood.
        """
        try:
            if self._embedded:
                self._home.mkdir(parents=True, exist_ok=True)
            url = sqlalchemy_url(self._address, self._driver)
            engine = create_engine(url, **_options(url))
        except OSError as problem:
            raise disk_full(problem, self._home) or ConfigurationError(
                f"IMAGINEM_HOME {self._home} can't be written ({problem.strerror}): choose another"
            ) from None
        except ImportError as problem:
            raise ConfigurationError(_missing(problem)) from None
        except NoSuchModuleError:
            raise ConfigurationError(
                "SQL_CONNECTION_STRING names a database that SQLAlchemy does not know: use "
                "sqlite, postgresql+psycopg, mssql+pyodbc or mssql+mssqlpython"
            ) from None
        if engine.dialect.name == "sqlite":
            prepare_sqlite(engine)
        if self._get_token is not None and wants_token(engine.url):
            log_in_with(engine, partial(self._get_token, identity_of(self._address)))
        if engine.dialect.driver == "mssqlpython":
            explain_unknown_parts(engine)
        return engine

    @contextmanager
    def session(self, *, reading: bool = False) -> Iterator[Session]:
        """Open a transaction; it is committed at the end, rolled back on an error.

        Connecting is tried again after a transient error; a later error is retried with the
        job's message.

        Args:
            reading: nothing will be written, so writers need not wait.

        Raises:
            RetryableError: the database is down or busy.
            PermanentError: it can't hold these values.
        """
        bind = self.engine.execution_options(**{READING: reading})
        made = Session(bind, expire_on_commit=False, info={MARK: self.mark})
        with self.clear_errors(), made as session, session.begin():
            _connect(session)
            yield session

    def check_key(self, key: JobKey) -> None:
        """Check ids that this server could not keep apart or could not index.

        Raises:
            PermanentError: says what to change.
        """
        if self.engine.dialect.name != "mssql":
            return
        size = sum(len(part.encode("utf-16-le", "surrogatepass")) // 2 for part in key)
        if size > _MSSQL_KEY_LIMIT:
            raise PermanentError(
                f"batch_id and id have {size} characters together; Azure SQL holds "
                f"{_MSSQL_KEY_LIMIT}: shorten them"
            )
        if any(part != part.rstrip(" ") for part in key):
            raise PermanentError(
                "batch_id or id ends with a space, which Azure SQL ignores when it compares: "
                "remove it"
            )

    @contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Turn the driver's errors into ours."""
        try:
            yield
        except DBAPIError as problem:
            home = self._home.absolute() if self._embedded else None
            raise meaning(problem, home) from None

    def before_close(self, act: Callable[[], None]) -> None:
        """Have something done before the connections are closed."""
        self._before_close.append(act)

    def close(self) -> None:
        """Close all connections."""
        for act in self._before_close:
            act()
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None


def _connect(session: Session) -> None:
    """Connect now, and again after a transient error."""
    for attempt in range(1, _CONNECT_TRIES + 1):
        try:
            session.connection()
            return
        except DBAPIError as problem:
            if attempt == _CONNECT_TRIES or not is_transient(problem):
                raise
            time.sleep(_CONNECT_PAUSE * attempt * random.uniform(0.5, 1.5))  # noqa: S311


def _options(url: URL) -> dict[str, Any]:
    backend = url.get_backend_name()
    # Parameters hold embeddings and results, which must not get into errors and logs.
    options: dict[str, Any] = {"hide_parameters": True}
    if backend != "sqlite":
        options |= {"pool_pre_ping": True, "pool_recycle": _RECYCLE_SECONDS}
    if backend == "mssql":
        options["connect_args"] = {"timeout": _LOGIN_SECONDS}
        if url.get_driver_name() == "pyodbc":  # the dialect of mssql-python does the same
            import pyodbc

            pyodbc.pooling = False  # SQLAlchemy pools; unixODBC's own pool would keep old tokens
    return options


def _missing(problem: ImportError) -> str:
    if problem.name == "mssql_python":
        return (
            "SQL_DRIVER=mssql-python needs the package mssql-python, which is not among those that "
            "are installed by default: install it, or use pyodbc"
        )
    if "odbc" in str(problem).lower():
        return (
            f"Azure SQL needs unixODBC, which can't be loaded ({problem}): install the package "
            "unixodbc (libodbc2) and Microsoft's msodbcsql18"
        )
    return f"SQL_CONNECTION_STRING needs the package {problem.name}: install it"


def _check_tables(engine: Engine) -> None:
    """Make a SQLite file's tables; check that a server's are of this version."""
    with engine.connect() as connection:
        revision = read_revision(connection)
    if revision == HEAD:
        return
    if engine.dialect.name == "sqlite":
        from imaginem.sql.migrate import upgrade

        upgrade(engine)
        return
    # During a deployment, instances and schema may be of different versions: jobs wait.
    raise RetryableError(
        f"the results database has schema {revision or 'none'}, and this version needs {HEAD}: run "
        "`imaginem db upgrade`",
        retry_after=_OTHER_SCHEMA_PAUSE,
    )


def read_revision(connection: Connection) -> str:
    """Return the revision of a database's schema; empty without one."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")
