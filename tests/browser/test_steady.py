"""What stands on a page stays where it is while pictures and parts arrive.

A slow line brings the page first. Whoever aims at a word or a button meanwhile must not press what
came into its place.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from imaginem.testing import photo_bytes
from tests.browser.conftest import Dashboard, Window, in_memory
from tests.dashboard import FACE, keep, two_alike, web_services

PAGES = {
    "photo": "/photos/b/mine.jpg?text=maria",
    "photos": "/photos",
    "chosen face": "/faces?face={face}",
    "faces": "/faces",
    "batch": "/batches/b",
    "batches": "/batches",
}
_PLACES = """() => [...document.querySelectorAll('a, button, input, summary')]
  .filter(each => each.checkVisibility())
  .map(each => [each, each.getBoundingClientRect()])
  .map(([each, {x, y}]) => [`${each.tagName} ${each.textContent.trim()}`, x, y])"""
WORD = {"text": "Maria", "confidence": 0.9, "polygon": [100, 60, 300, 60, 300, 100, 100, 100]}
TAGS = [
    {"name": name, "confidence": 0.9}
    for name in ("person", "document", "boat", "tent", "school", "uniform", "crowd", "vehicle")
]
PNG = {"width": 640, "height": 480, "format": "PNG"}


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Dashboard]:
    services = web_services()
    mine, _ = two_alike(services)
    outputs = {
        "generalclassification": {"tags": TAGS, "metadata": PNG},
        "ocr": {"full_text": "Maria", "lines": [{**WORD, "words": [WORD]}]},
        "facedetection": {"faces": [{**FACE, "face_id": str(mine)}]},
        "faceprint": {"faces": [{}]},
    }
    for number in range(9):
        keep(services, ("b", f"more-{number}.jpg"), outputs, photo=photo_bytes(320, 240))
    keep(services, ("b", "mine.jpg"), outputs, photo=photo_bytes(640, 480))
    PAGES["chosen face"] = f"/faces?face={mine}"
    with in_memory(services) as made:
        yield made


class HeldBack:
    """Brings a page and its styles; pictures, scripts and parts only when they are let go."""

    def __init__(self, window: Window, path: str) -> None:
        self._held: list[Route] = []
        self._is_open = False
        self.page = window.page
        self.page.route("**/*", self._bring)
        self.page.goto(window.dashboard.address + path, wait_until="commit")

    def _bring(self, route: Route) -> None:
        is_needed = route.request.resource_type in ("document", "stylesheet")
        if is_needed or "early.js" in route.request.url or self._is_open:
            route.continue_()
        else:
            self._held.append(route)

    def let_go(self) -> None:
        """Bring the rest, and wait for it."""
        self._is_open = True
        for route in self._held:
            route.continue_()
        self.page.wait_for_load_state("networkidle")


def places(page: Page) -> dict[str, list[float]]:
    """Return where links, buttons and fields stand, by their texts."""
    found: dict[str, list[float]] = {}
    for name, left, top in page.evaluate(_PLACES):
        found.setdefault(name, []).extend((left, top))
    return found


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_moves_when_pictures_and_parts_arrive(
    window: Window, name: str, width: int
) -> None:
    window.page.set_viewport_size({"width": width, "height": 900})
    slow = HeldBack(window, PAGES[name])
    slow.page.locator("footer small").wait_for()
    before = places(slow.page)
    slow.let_go()
    after = places(slow.page)
    assert {text: after.get(text) for text in before} == before


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_on_the_upload_page_when_the_cost_is_told(
    window: Window, tmp_path: Path, width: int
) -> None:
    window.page.set_viewport_size({"width": width, "height": 900})
    questions: list[Route] = []
    window.page.route("**/api/forecast?*", lambda route: questions.append(route))
    page = window.open("/upload")
    photo = tmp_path / "photo.png"
    photo.write_bytes(photo_bytes())
    with page.expect_request("**/api/forecast?*"):
        page.locator("#files").set_input_files(photo)
    before = places(page)
    questions[0].continue_()
    expect(page.locator("#forecast")).to_contain_text("1 photo is expected to cost")
    assert places(page) == before


def test_a_found_word_stays_lit_up_when_its_photo_arrives(window: Window) -> None:
    slow = HeldBack(window, PAGES["photo"])
    slow.page.locator(".hits").get_by_role("button", name="Maria").hover()
    slow.let_go()
    expect(slow.page.locator(".layer-hits .lit").first).to_be_visible()
