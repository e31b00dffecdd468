"""What somebody presses before a page's scripts have arrived is done, once, when they have.

A slow line brings the page first: its buttons can be seen and pressed while the scripts that
answer them are still on their way.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from imaginem.testing import photo_bytes
from tests.browser.conftest import Dashboard, Window, in_memory
from tests.dashboard import FACE, AlikeToAll, keep, two_alike, web_services


class SlowLine:
    """Brings the page, but one of its scripts only when it is let go."""

    def __init__(self, window: Window, script: str, path: str) -> None:
        self._held: list[Route] = []
        self.posts: list[str] = []
        self._page = window.page
        self._page.on("request", self._note)
        self._page.route(f"**/{script}?*", lambda route: self._held.append(route))
        self._page.goto(window.dashboard.address + path, wait_until="commit")

    def _note(self, request: Request) -> None:
        if request.method == "POST":
            self.posts.append(request.url)

    @property
    def page(self) -> Page:
        return self._page

    def let_go(self) -> None:
        """Bring the script that was pressed too early for."""
        assert self._held, "the script was never asked for"
        for route in self._held:
            route.continue_()


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Dashboard]:
    services = web_services()
    _, other = two_alike(services)
    outputs = {
        "facedetection": {"faces": [FACE]},
        "faceprint": {"faces": [{}]},
        "facematch": {"matches": []},
    }
    keep(services, ("b", "mine.jpg"), outputs, photo=photo_bytes(320, 240))
    services.recognizer = AlikeToAll([other])
    with in_memory(services) as made:
        yield made


def test_a_button_is_pressed_once_though_its_script_came_later(window: Window) -> None:
    line = SlowLine(window, "htmx.min.js", "/photos/b/mine.jpg")
    match = line.page.locator(".match", has_text="other.jpg")
    same = match.get_by_role("button", name="Same person")
    same.click()
    same.click()  # pressed again by somebody impatient: no second press, which would undo it
    expect(same).to_have_attribute("aria-pressed", "false")
    line.let_go()
    expect(match.get_by_text("Confirmed by local user")).to_be_visible()
    assert len(line.posts) == 1
    match.get_by_role("button", name="Same person").click()
    expect(match.get_by_text("Confirmed by")).to_have_count(0)


def test_a_form_that_a_script_sends_keeps_its_photo(window: Window, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(photo_bytes(320, 240))
    line = SlowLine(window, "htmx.min.js", "/faces")
    line.page.get_by_label("Photo", exact=True).set_input_files(photo)
    line.page.get_by_role("button", name="Find who looks alike").click()
    line.let_go()
    expect(line.page.locator("#found .match")).to_have_count(1)
    assert len(line.posts) == 1
    assert line.page.url.endswith("/faces")  # the browser did not send the form by itself


def test_photos_are_chosen_though_the_upload_page_was_not_ready(window: Window) -> None:
    line = SlowLine(window, "upload.js", "/upload")
    line.page.get_by_role("button", name="Choose photos").click()
    with line.page.expect_file_chooser():
        line.let_go()


def test_photos_are_kept_that_are_dropped_before_the_upload_page_is_ready(
    window: Window, tmp_path: Path
) -> None:
    names = ("one.png", "two.png")
    for name in names:
        (tmp_path / name).write_bytes(photo_bytes(320, 240))
    line = SlowLine(window, "upload.js", "/upload")
    line.page.locator("#drop").wait_for()
    window.drop("#drop", [tmp_path / name for name in names])
    line.let_go()
    expect(line.page.get_by_text("2 photos chosen")).to_be_visible()
    assert line.page.url.endswith("/upload")  # the browser did not open them


def test_a_face_is_lit_up_though_the_pointer_came_before_the_script(window: Window) -> None:
    line = SlowLine(window, "photo.js", "/photos/b/mine.jpg")
    line.page.get_by_role("button", name="Face 1", exact=True).hover()
    line.let_go()
    expect(line.page.locator(".layer-faces .lit").first).to_be_visible()


def test_links_and_plain_forms_wait_for_no_script(window: Window) -> None:
    line = SlowLine(window, "htmx.min.js", "/operations/audit")
    line.page.get_by_role("button", name="Show").click()
    line.page.wait_for_url("**/operations/audit?*", wait_until="commit")
    line.let_go()


def test_a_script_that_never_came_is_told_when_something_is_pressed(window: Window) -> None:
    window.page.route("**/htmx.min.js?*", lambda route: route.abort())
    page = window.open("/photos/b/mine.jpg")
    same = page.locator(".match").get_by_role("button", name="Same person")
    for _ in range(2):
        same.click()
        expect(page.locator(".toast")).to_have_text(
            "That did not work: a part of this page is missing. Load the page again."
        )
    window.shot("script-lost")
