"""Connections to a SQLite file: many readers and one writer at once; what is deleted goes."""

import sqlite3
import time

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry

from imaginem.sql.faults import is_locked

READING = "imaginem_reading"
"""The option of a connection that says that it only reads."""
_BUSY_SECONDS = 30


def prepare_sqlite(engine: Engine) -> None:
    """Set up each connection that an engine makes, and how its transactions begin."""
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)


def _prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    """Let readers and one writer work at once; we begin transactions ourselves."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_SECONDS * 1000}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",  # or what is deleted stays readable in the file
    ):
        cursor.execute(f"PRAGMA {pragma}")
    _use_write_ahead_log(cursor)
    cursor.close()


def _use_write_ahead_log(cursor: DBAPICursor) -> None:
    """Switch the file to WAL, which it stays in; only a new file needs it.

    SQLite does not wait for this switch as it waits for locks: of processes that open a new
    file at once, all but one get the error that it is locked.
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
        except sqlite3.OperationalError as problem:
            if not is_locked(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    """Take the write lock at once unless the session only reads: later it would not wait."""
    reading = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
