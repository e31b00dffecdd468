"""What a database's errors mean: try again, give up, or repair the installation."""

import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from imaginem.errors import (
    ConfigurationError,
    DiskFull,
    PermanentError,
    RetryableError,
    is_full,
)
from imaginem.redaction import one_line

# Microsoft, "Troubleshoot transient connection errors": transient errors of Azure SQL.
_TRANSIENT_NUMBERS = frozenset(
    {
        "64", "233", "615", "926", "1205", "4060", "4221", "10053", "10054", "10060", "10928",
        "10929", "40143", "40197", "40501", "40540", "40613", "42108", "42109", "49918", "49919",
        "49920",
    }
)  # fmt: skip
# SQLSTATE: connection failures, time-outs, serialisation failures and deadlocks.
_TRANSIENT_STATES = ("08", "HYT", "40001", "40P01", "57P")
_NUMBER = re.compile(r"\((\d{2,5})\) \(SQL\w+\)")
# mssql-python gives neither SQLSTATE nor number, but words of its own for each SQLSTATE; these are
# the states that are looked at here.
_STATE_OF_WORDS = {
    "Disconnect error": "08S01",
    "Client unable to establish connection": "08001",
    "Connection name in use": "08002",
    "Connection not open": "08003",
    "Server rejected the connection": "08004",
    "Connection failure during transaction": "08007",
    "Communication link failure": "08S01",
    "Timeout expired": "HYT00",
    "Connection timeout expired": "HYT01",
    "Serialization failure": "40001",
    "Data source name not found and no default driver specified": "IM002",
    "Specified driver could not be loaded": "IM002",
}
_OTHER_STATE = re.compile(r"SQLSTATE code: (\w{5})$")
# Messages of the transient numbers above that have no telling SQLSTATE.
_TRANSIENT_WORDS = re.compile(
    r"is not currently available|service is currently busy|service has encountered an error"
    r"|request limit for the database|error processing your request|deadlock victim",
    re.IGNORECASE,
)
# Drivers report wrong settings and certificates as failed connections; these do not pass.
_LASTING = re.compile(r"invalid value specified|ssl provider|certificate", re.IGNORECASE)
_CONNECTION = re.compile(r"connection (refused|failed|timeout)|too many clients", re.IGNORECASE)
_LOGIN = re.compile(r"login failed|\b18456\b|password authentication failed", re.IGNORECASE)
_PAUSE = 10.0  # a serverless database takes up to a minute to wake


def is_transient(problem: DBAPIError) -> bool:
    """Tell whether the same statement may succeed a little later."""
    state, text = _state(problem), str(problem.orig)
    # Azure SQL gives transient errors SQLSTATEs of permanent ones: their numbers decide.
    if _TRANSIENT_NUMBERS & set(_NUMBER.findall(text)):
        return True
    if _LASTING.search(text):
        return False
    if _TRANSIENT_WORDS.search(text):
        return True
    if state.startswith(_TRANSIENT_STATES):
        return True
    return not state and bool(_CONNECTION.search(text))  # psycopg names no state here


def meaning(problem: DBAPIError, home: Path | None = None) -> Exception:
    """Return Imaginem's error for a driver's, without the statement's parameters.

    Args:
        problem: the driver's.
        home: folder of the database, if it is SQLite's file there.
    """
    text = one_line(str(problem.orig), 200)
    if home is not None:
        # SQLite gives a transaction up when the disk is full: that a savepoint of it is missing
        # is told next, in the error that arrives here.
        told = [_of_file(each, home) for each in _chain(problem)]
        if known := next(filter(None, told), None):
            return known
    if _state(problem) in ("01000", "IM002"):
        return ConfigurationError(
            f"the ODBC driver of SQL_CONNECTION_STRING can't be loaded: {text}. Leave Driver "
            "out to use the newest that is installed, or install msodbcsql18"
        )
    if isinstance(problem, IntegrityError):
        return RetryableError(f"two jobs wrote the same row: {text}")
    if isinstance(problem, DataError):
        return PermanentError(f"the results database can't hold this: {text}")
    if _LOGIN.search(text):
        return RetryableError(
            f"the results database refused the login: {text}. Check SQL_CONNECTION_STRING, or run "
            "`imaginem db grant` for the app's identity",
            retry_after=_PAUSE,
        )
    return RetryableError(
        f"the results database is not available: {text}",
        retry_after=_PAUSE if is_transient(problem) else None,
    )


def is_locked(problem: object) -> bool:
    """Tell whether SQLite refused because another connection writes."""
    return getattr(problem, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    """Return the driver's errors that led to one, the last one first."""
    while problem is not None:
        yield problem.orig or problem if isinstance(problem, DBAPIError) else problem
        problem = problem.__context__


def _of_file(problem: BaseException, home: Path) -> Exception | None:
    """Return what an error of SQLite says of its file and disk; None if it is about neither."""
    name: str = getattr(problem, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and is_full(home)):
        return DiskFull("the results database", home)
    if is_locked(problem):
        return RetryableError(
            f"the results database in {home} is locked: another program has been writing to it "
            "for long; close that program",
            retry_after=_PAUSE,
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")):
        return RetryableError(
            f"IMAGINEM_HOME {home} can't be used for the results database "
            f"({one_line(str(problem), 200)}): make it writable, or choose another",
            retry_after=_PAUSE,
        )
    return None


def _state(problem: DBAPIError) -> str:
    """Return the SQLSTATE: pyodbc's first argument, psycopg's attribute, mssql-python's words."""
    state = getattr(problem.orig, "sqlstate", None)
    if words := getattr(problem.orig, "driver_error", ""):
        other = _OTHER_STATE.search(words)
        state = _STATE_OF_WORDS.get(words, other[1] if other else "")
    arguments = getattr(problem.orig, "args", ())
    first = arguments[0] if arguments and isinstance(arguments[0], str) else ""
    return str(state or (first if len(first) == 5 else ""))
