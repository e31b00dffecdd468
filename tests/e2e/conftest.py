"""One running installation for all end-to-end tests, with real models."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imaginem.assets import AssetStore
from imaginem.host import Emulator
from imaginem.settings import read_settings
from tests.conftest import ROOT
from tests.installation import Installation


@pytest.fixture(scope="session")
def running(azurite: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The app of this repository on two workers; photos of this machine are allowed."""
    home = tmp_path_factory.mktemp("home")
    made = Installation(
        ROOT, home, azurite.connection_string, ALLOWED_IMAGE_HOSTS="127.0.0.1:18099"
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def sample() -> Callable[[str], bytes]:
    """Return a sample photo's file by name; `make test` fetches them."""
    store = AssetStore(read_settings().assets)

    def read(name: str) -> bytes:
        return Path(store.path(name)).read_bytes()

    return read


@pytest.fixture
def batch(request: pytest.FixtureRequest) -> str:
    """A batch id of the test's own."""
    return f"{request.node.name[:80]}"
