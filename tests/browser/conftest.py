"""A running Imaginem, and a real browser that looks at it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from imaginem.assets import AssetStore
from imaginem.host import Emulator, EmulatorPorts
from tests.conftest import ROOT
from tests.installation import Installation

SHOTS = ROOT / "test-output"
expect.set_options(timeout=20_000)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Dashboard:
    """The pages of an installation."""

    def __init__(self, installation: Installation, port: int) -> None:
        self.installation = installation
        self.address = f"http://127.0.0.1:{port}"

    def samples(self, *names: str) -> list[Path]:
        store = AssetStore(self.installation.settings.assets)
        return [store.path(name) for name in names]


@contextmanager
def dashboard_at(folder: Path, workers: int) -> Iterator[Dashboard]:
    """Run an Imaginem with HTTP and an empty storage."""
    with Emulator(None, EmulatorPorts.free(), ROOT) as emulator:
        port = EmulatorPorts.free().blob
        made = Installation(ROOT, folder, emulator.connection_string, workers=workers, port=port)
        made.start()
        yield Dashboard(made, port)
        made.stop()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with dashboard_at(tmp_path_factory.mktemp("home"), 2) as made:
        yield made


# For a module, not for all: as long as it is there, no other test can run an event loop.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        assert not os.environ.get("CI"), "Chromium is missing: apt-get install chromium"
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    # As root, as in containers, Chromium runs only without its sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    made = playwright.chromium.launch(executable_path=found, args=arguments)
    yield made
    made.close()


class Window:
    """A browser window that notes what goes wrong in it."""

    def __init__(self, context: BrowserContext, dashboard: Dashboard) -> None:
        self.dashboard = dashboard
        self.page: Page = context.new_page()
        self.problems: list[str] = []
        self.expected: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("response", self._response)
        self.page.set_default_timeout(20_000)

    def _console(self, message: Any) -> None:
        # What a refused request adds to the console is noted with its address below.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(f"{message.type}: {message.text}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} {response.url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.dashboard.address + path)
        return self.page

    def shot(self, name: str, *, whole: bool = False) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)

    def drop(self, selector: str, files: list[Path]) -> None:
        """Drag files from the desktop onto an element, as the browser's own protocol does."""
        box = self.page.locator(selector).bounding_box()
        assert box is not None
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        session = self.page.context.new_cdp_session(self.page)
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})

    def check(self) -> None:
        """Fail if anything went wrong that no test expected."""
        left = [told for told in self.problems if not any(e in told for e in self.expected)]
        assert left == []


@pytest.fixture
def window(browser: Browser, dashboard: Dashboard) -> Iterator[Window]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = Window(context, dashboard)
    yield made
    context.close()
    made.check()
