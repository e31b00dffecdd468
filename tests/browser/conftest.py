"""A running Imaginem, and a real browser that looks at it."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
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
from imaginem.pipeline.steps import Registry, default_registry
from imaginem.testing import MemoryServices
from imaginem.web import make_app
from tests.conftest import ROOT
from tests.installation import Installation

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""What axe-core knows of WCAG 2.2 AA: as much as a program can tell."""
SHOTS = ROOT / "test-output"
expect.set_options(timeout=20_000)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Dashboard:
    """The pages of an installation, or of services in memory."""

    def __init__(self, installation: Installation | None, port: int) -> None:
        self._installation = installation
        self.address = f"http://127.0.0.1:{port}"

    @property
    def installation(self) -> Installation:
        """The installation whose pages these are."""
        assert self._installation is not None
        return self._installation

    def samples(self, *names: str) -> list[Path]:
        store = AssetStore(self.installation.settings.assets)
        return [store.path(name) for name in names]


@contextmanager
def dashboard_at(folder: Path, workers: int) -> Iterator[Dashboard]:
    """Run an Imaginem with HTTP and an empty storage."""
    with Emulator(None, EmulatorPorts.free(), ROOT) as emulator:
        port = EmulatorPorts.free().blob
        connection = emulator.connection_string
        with Installation(ROOT, folder, connection, workers=workers, port=port) as made:
            yield Dashboard(made, port)


@contextmanager
def in_memory(
    services: MemoryServices, registry: Registry = default_registry
) -> Iterator[Dashboard]:
    """Serve the pages of services in memory: that is quick."""
    app = make_app(registry, "local", lambda: services)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    (listening,) = server.servers
    yield Dashboard(None, listening.sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join()


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

    def both(self, name: str) -> None:
        """Take a picture on a desk, and one on a phone at night; nobody is barred on either."""
        for width in (1280, 390):
            self.page.set_viewport_size({"width": width, "height": 900})
            self.shot(f"{name}-{width}", whole=True)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width
            for scheme in ("light", "dark"):
                self.page.emulate_media(
                    color_scheme="light" if scheme == "light" else "dark",
                    reduced_motion="reduce",  # else colours fade, which would be waited for
                )
                assert self.hindrances() == []
        self.page.emulate_media(color_scheme="light", reduced_motion="null")
        self.page.set_viewport_size({"width": 1280, "height": 900})

    def hindrances(self) -> list[str]:
        """Return what bars somebody from the page that is open, as axe-core tells it."""
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate(f"axe.run({{runOnly: {RULES}, resultTypes: ['violations']}})")
        return [
            f"{each['impact']} {each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]} "
            f"{each['nodes'][0].get('failureSummary')}"
            for each in found["violations"]
        ]

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
