"""Servers and folders that tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from sqlalchemy import create_engine

from imaginem.host import Emulator, EmulatorPorts
from imaginem.sql.migrate import upgrade
from tests.postgres import Postgres, find_tools

ROOT = Path(__file__).parents[1]
GUIDE_STEP = "blurriness.py"
"""What docs/add-a-step.md makes; left out of copies, since a reader may have made it here."""

# `fixed` plays the same games on every machine, fewer where somebody waits for them.
# `long` (`--hypothesis-profile=long`) plays other and many more; `quick` is for runs against
# hundreds of mutants, and looks for no smallest example.
settings.register_profile(
    "fixed", derandomize=True, deadline=None, max_examples=100 if "CI" in os.environ else 40
)
settings.register_profile("long", max_examples=3000, deadline=None)
settings.register_profile(
    "quick", derandomize=True, deadline=None, max_examples=15, phases=[Phase.generate]
)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Emulator]:
    """A storage emulator that keeps everything in memory."""
    with Emulator(None, EmulatorPorts.free(), ROOT) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def own_azurite() -> Iterator[Emulator]:
    """A storage emulator for one module, so that no other test's host receives its messages."""
    with Emulator(None, EmulatorPorts.free(), ROOT) as emulator:
        yield emulator


@pytest.fixture
def app_copy(tmp_path: Path) -> Path:
    """A copy of the function app, to which a test may add steps."""
    return copy_app(tmp_path / "app")


def copy_app(app: Path) -> Path:
    """Copy the function app into a new folder, and return that."""
    app.mkdir()
    for name in ("function_app.py", "host.json"):
        shutil.copy(ROOT / name, app)
    ignored = shutil.ignore_patterns("__pycache__", GUIDE_STEP)
    shutil.copytree(ROOT / "steps", app / "steps", ignore=ignored)
    return app


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; `.ci/run` installs it, elsewhere its tests may be skipped."""
    tools = find_tools()
    if tools is None:
        assert not os.environ.get("CI"), "PostgreSQL is missing: apt-get install postgresql"
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    server = Postgres(tools)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """Name of a PostgreSQL database that has the tables, to copy."""
    address = postgres.database()
    engine = create_engine(address)
    upgrade(engine)
    engine.dispose()
    return address.rpartition("/")[2].partition("?")[0]
