"""Removes from SQLite's files what was deleted from its tables.

`secure_delete` overwrites what is deleted where it lay in the database. The write-ahead log keeps
older pages until it is emptied; a file that was made before knows nothing of either. The text index
keeps the words of a removed photo in its older parts until these are merged.
"""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from imaginem.errors import ConfigurationError, DiskFull
from imaginem.sql.faults import is_locked

_SHORTLY = 0.2
"""Seconds that an erasure waits for readers: what they hold up is done when the host stops."""
_PATIENTLY = 5.0


def empty_log(file: Path | None) -> None:
    """Bring the write-ahead log into the database and empty it, unless somebody works on it."""
    if file is not None and file.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(file, timeout=_SHORTLY)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def write_anew(file: Path | None) -> bool:
    """Write a database anew, without what was deleted; tell whether nobody stood in the way.

    Raises:
        DiskFull: there is no room for a copy of it; nothing is changed.
        ConfigurationError: it is no database, or can't be written.
    """
    if file is None or not file.exists():
        return True
    try:
        with closing(sqlite3.connect(file, timeout=_PATIENTLY, isolation_level=None)) as database:
            database.execute("PRAGMA secure_delete=ON")
            database.execute("PRAGMA synchronous=FULL")
            _forget_removed_words(database)
            database.execute("VACUUM")
            blocked, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not blocked
    except sqlite3.Error as problem:
        if isinstance(problem, sqlite3.OperationalError) and is_locked(problem):
            return False
        if "disk is full" in str(problem):
            raise DiskFull("the database", file.parent) from None
        raise ConfigurationError(
            f"{file} can't be written anew ({problem}): check the file, and its folder's rights"
        ) from None


def _forget_removed_words(database: sqlite3.Connection) -> None:
    """Merge all parts of the text index, so that removed words are nowhere in it."""
    there = "SELECT 1 FROM sqlite_master WHERE name = 'photo_text_index'"
    if database.execute(there).fetchone():
        database.execute("INSERT INTO photo_text_index (photo_text_index) VALUES ('optimize')")
