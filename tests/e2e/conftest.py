"""One running installation for all end-to-end tests, with real models; and the command line."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.ai_emulator.app import LocalEngines
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from tests.ai_emulator import KEY
from tests.command_line import CommandLine, free_port, own_storage
from tests.conftest import ROOT
from tests.installation import Installation
from tests.waiting import PATIENCE


@pytest.fixture(scope="session")
def ai_emulator() -> Iterator[AiEmulatorServer]:
    """An emulator of Azure's AI services with the local models behind it, and no quota."""
    engines = LocalEngines(AssetStore(read_settings().assets))
    with AiEmulatorServer(AiEmulator(engines, AiEmulatorOptions(key=KEY))) as server:
        yield server


@pytest.fixture(scope="session", params=["local", "azure"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engines that the app uses."""
    return str(request.param)


@pytest.fixture(scope="session")
def running(
    engine: str,
    azurite: Emulator,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Installation]:
    """The app of this repository on two workers; photos from this machine are allowed."""
    settings = {"ALLOWED_IMAGE_HOSTS": "127.0.0.1:18099"}
    if engine == "azure":
        settings |= azure_settings(request.getfixturevalue("ai_emulator").address)
    home = tmp_path_factory.mktemp("home")
    connection = azurite.connection_string
    with Installation(ROOT, home, connection, environment=settings) as installation:
        yield installation


def account_settings(address: str, accounts: Iterable[str]) -> dict[str, str]:
    """Return settings that lead these accounts to an emulator without a quota."""
    return {
        f"{account}_{name}": value
        for account in accounts
        for name, value in {
            "ENDPOINT": address,
            "API_KEY": KEY,
            "CALLS_PER_SECOND": "0",
        }.items()
    }


def azure_settings(address: str) -> dict[str, str]:
    """Return settings of Azure engines on an emulator without a quota."""
    engines = {"VISION_ENGINE": "azure", "FACE_ENGINE": "azure"}
    return account_settings(address, ("VISION", "FACE")) | engines


@pytest.fixture(scope="session")
def sample() -> Callable[[str], bytes]:
    """Return a sample photo's file by name; `make test` fetches them."""
    store = AssetStore(read_settings().assets)

    def read(name: str) -> bytes:
        return Path(store.path(name)).read_bytes()

    return read


@pytest.fixture
def batch(request: pytest.FixtureRequest) -> str:
    """A batch id that no other test uses."""
    return f"{request.node.name[:80]}"


@pytest.fixture
def cli(app_copy: Path, azurite: Emulator) -> CommandLine:
    return command_line(app_copy, azurite.connection_string)


def command_line(app: Path, connection: str) -> CommandLine:
    """Return the command line of an app that keeps its home in its own folder."""
    return CommandLine(
        app,
        {
            "AzureWebJobsStorage": connection,
            "IMAGINEM_HOME": str(app / ".imaginem"),
            "RETRY_SECONDS": "0.1",
        },
    )


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def started(cli: CommandLine, port: int) -> Iterator[subprocess.Popen[str]]:
    """`imaginem start` with storage of its own, ready, and stopped with SIGTERM at the end."""
    with start(cli, port) as process:
        yield process


@contextmanager
def start(cli: CommandLine, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run `imaginem start` with storage of its own; stop it with SIGTERM at the end."""
    cli.environment |= own_storage()
    process = subprocess.Popen(
        [sys.executable, "-m", "imaginem.cli", "start", "--port", str(port)],
        cwd=cli.app,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert f"http://127.0.0.1:{port}/" in line, line + (
        process.stderr.read() if process.stderr else ""
    )
    yield process
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Traceback" not in errors
