"""The stores of every database that must behave alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginem.sql import Database
from tests.postgres import Postgres
from tests.stores import Stores, memory_stores, sql_stores

SQL = ("sqlite", "postgresql")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    made = Database("", tmp_path)
    yield made
    made.close()


@pytest.fixture
def postgresql(postgres: Postgres, migrated: str, tmp_path: Path) -> Iterator[Database]:
    made = Database(postgres.database(migrated), tmp_path)
    yield made
    made.close()


@pytest.fixture(params=SQL)
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=("memory", *SQL))
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        return memory_stores()
    return sql_stores(request.getfixturevalue(request.param))
