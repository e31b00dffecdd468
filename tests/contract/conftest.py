"""The stores of every database, and the parts of every storage account, that behave alike."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from imaginem.ports import (
    Blobs,
    Drops,
    JobLog,
    PoisonLog,
    Queues,
    Receipts,
    SharedState,
    Tombstones,
)
from imaginem.runtime import Runtime
from imaginem.sql import Database
from imaginem.storage import (
    AzureBlobs,
    AzureDrops,
    AzureJobLog,
    AzurePoisonLog,
    AzureQueues,
    AzureReceipts,
    AzureSharedState,
    AzureTombstones,
)
from imaginem.storage.account import Account
from imaginem.testing import (
    MemoryBlobs,
    MemoryDrops,
    MemoryLog,
    MemoryPoison,
    MemoryQueues,
    MemoryReceipts,
    MemorySharedState,
    MemoryTombstones,
)
from tests.postgres import Postgres
from tests.stores import Stores, keyed, memory_stores, sql_stores

SQL = ("sqlite", "postgresql")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    made = Database("", tmp_path, mark=keyed)
    yield made
    made.close()


@pytest.fixture
def postgresql(postgres: Postgres, migrated: str, tmp_path: Path) -> Iterator[Database]:
    made = Database(postgres.database(migrated), tmp_path, mark=keyed)
    yield made
    made.close()


@pytest.fixture(params=SQL)
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=SQL)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'imaginem.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture(params=("memory", *SQL))
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        return memory_stores()
    return sql_stores(request.getfixturevalue(request.param))


STORAGE = ("memory", "azurite")


@pytest.fixture(scope="session")
def account(azurite: Emulator) -> Account:
    return Account(azurite.connection_string)


@pytest.fixture(params=STORAGE)
def queues(request: pytest.FixtureRequest, account: Account) -> Queues:
    return MemoryQueues() if request.param == "memory" else AzureQueues(account)


@pytest.fixture(params=STORAGE)
def blobs(request: pytest.FixtureRequest, account: Account) -> Blobs:
    return MemoryBlobs() if request.param == "memory" else AzureBlobs(account)


@pytest.fixture(params=STORAGE)
def log(request: pytest.FixtureRequest, account: Account) -> JobLog:
    return MemoryLog() if request.param == "memory" else AzureJobLog(account)


@pytest.fixture(params=STORAGE)
def drops(request: pytest.FixtureRequest, account: Account) -> Drops:
    return MemoryDrops() if request.param == "memory" else AzureDrops(account)


@pytest.fixture(params=STORAGE)
def poison(request: pytest.FixtureRequest, account: Account) -> PoisonLog:
    if request.param == "memory":
        return MemoryPoison()
    return AzurePoisonLog(account, AzureBlobs(account))


@pytest.fixture(params=STORAGE)
def shared_state(request: pytest.FixtureRequest, account: Account) -> SharedState:
    return MemorySharedState() if request.param == "memory" else AzureSharedState(account)


@pytest.fixture(params=STORAGE)
def tombstones(request: pytest.FixtureRequest, account: Account) -> Tombstones:
    return MemoryTombstones() if request.param == "memory" else AzureTombstones(account)


@pytest.fixture(params=STORAGE)
def receipts(request: pytest.FixtureRequest, account: Account) -> Receipts:
    return MemoryReceipts() if request.param == "memory" else AzureReceipts(account)


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def runtime(own_azurite: Emulator, tmp_path: Path) -> Iterator[Runtime]:
    """What the app makes of its settings: the module's emulator, and a database of the test's."""
    settings = {
        "AzureWebJobsStorage": own_azurite.connection_string,
        "IMAGINEM_HOME": str(tmp_path),
    }
    made = Runtime(read_settings(settings))
    yield made
    made.database.close()
