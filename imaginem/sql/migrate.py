"""Bring a database's tables up to date, or write the SQL that would."""

import io
import logging
from collections.abc import Iterable

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from imaginem.errors import ConfigurationError, RetryableError

_LOCK = 0x494D4147  # any number that is the same for all
APPLICATION_LOCK = (
    "SET NOCOUNT ON; DECLARE @got INT; EXEC @got = sp_getapplock @Resource = 'imaginem_schema', "
    "@LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 60000; SELECT @got"
)
"""T-SQL that waits for the lock for a minute at most; a negative number means it was refused."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "imaginem.sql:migrations")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return config


def upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction; other callers wait for it to end."""
    with engine.begin() as connection:
        _lock(connection)
        _check(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _check(connection: Connection) -> None:
    """Check that the migrations can start from the tables.

    Raises:
        ConfigurationError: the tables are older than all migrations, or of a newer version.
    """
    revision = MigrationContext.configure(connection).get_current_revision()
    where = connection.engine.url.database
    if revision is None and inspect(connection).has_table("pipeline_output"):
        raise ConfigurationError(
            f"{where} was made by an early version: move it away; it is made anew"
        )
    if revision is not None and revision not in {script.revision for script in _revisions()}:
        raise ConfigurationError(
            f"{where} has schema {revision}, which this version doesn't know: install the newer "
            "version that made it, or, if one from before the first release did, move it away"
        )


def _revisions() -> Iterable[Script]:
    return ScriptDirectory.from_config(_config()).walk_revisions()


def _lock(connection: Connection) -> None:
    """Lock out other upgrades until the transaction ends; SQLite's own lock does so anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    elif connection.dialect.name == "mssql":
        result = connection.exec_driver_sql(APPLICATION_LOCK).scalar()
        if result is None or result < 0:  # the procedure raises nothing
            raise RetryableError(
                "another `imaginem db upgrade` is at work: wait until it is done, then try again"
            )


def script(dialect: str) -> str:
    """Return the SQL that makes the tables from nothing on `mssql`, `postgresql` or `sqlite`."""
    config = _config()
    config.attributes["dialect"] = dialect
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    return config.output_buffer.getvalue()
