"""Migrations on SQLite and PostgreSQL."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from imaginem.errors import ConfigurationError, RetryableError
from imaginem.sql import Database
from imaginem.sql.migrate import _config, upgrade
from imaginem.sql.migrations import HEAD
from imaginem.sql.schema import Base
from tests.postgres import Postgres
from tests.stores import sql_stores


def is_ours(name: str | None, kind: str, parents: object) -> bool:
    """Leave out text indexes, and tables that they or triggers fill: no metadata describes them."""
    if kind == "index":
        return name != "ix_photo_text_tokens"
    return kind != "table" or not str(name).startswith(("photo_text_", "photo_word"))


class TestMigrations:
    def test_they_lead_to_the_tables_that_the_code_knows(self, address: str) -> None:
        engine = create_engine(address)
        upgrade(engine)
        upgrade(engine)  # again is no error
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_name": is_ours}
            )
            assert compare_metadata(context, Base.metadata) == []
            assert context.get_current_revision() == HEAD
        engine.dispose()

    def test_the_app_knows_the_newest_revision(self) -> None:
        assert ScriptDirectory.from_config(_config()).get_current_head() == HEAD

    def test_a_server_without_the_tables_is_refused_not_changed(
        self, postgres: Postgres, tmp_path: Path
    ) -> None:
        database = Database(postgres.database(), tmp_path)
        with pytest.raises(RetryableError, match="imaginem db upgrade"):
            sql_stores(database).results.read(("a", "b"))
        engine = database.connect()
        with engine.connect() as connection:
            assert inspect(connection).get_table_names() == []
        engine.dispose()

    def test_a_file_of_an_early_version_is_told(self, tmp_path: Path) -> None:
        engine = create_engine(f"sqlite:///{tmp_path / 'imaginem.db'}")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE pipeline_output (id TEXT)")
        engine.dispose()
        with pytest.raises(ConfigurationError, match="move it away"):
            sql_stores(Database("", tmp_path)).results.read(("a", "b"))
