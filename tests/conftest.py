"""Servers and folders that tests share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginem.host import Emulator, EmulatorPorts

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def azurite() -> Iterator[Emulator]:
    """A storage emulator that keeps everything in memory."""
    with Emulator(None, EmulatorPorts.free(), ROOT) as emulator:
        yield emulator


@pytest.fixture
def app_copy(tmp_path: Path) -> Path:
    """The function app in a folder of its own, to add steps to."""
    app = tmp_path / "app"
    app.mkdir()
    for name in ("function_app.py", "host.json"):
        shutil.copy(ROOT / name, app)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "steps", app / "steps", ignore=ignored)
    return app
