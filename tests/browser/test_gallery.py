"""Scrolling through a thousand photos: all are seen once, and the page stays small."""

import itertools
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from imaginem.ports import JobResult
from imaginem.testing import photo_bytes
from tests.browser.conftest import Dashboard, Window, dashboard_at
from tests.waiting import PATIENCE

COUNT = 1_200


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with dashboard_at(tmp_path_factory.mktemp("home"), 1) as made:
        url = made.installation.upload(photo_bytes(320, 240))
        tags = {"generalclassification": {"tags": [{"name": "cat", "confidence": 0.9}]}}
        for number in range(COUNT):
            name = f"{number:04}.png"
            told = {"original_name": name}
            result = JobResult("many", name, ("ocr",), url, told, tags, photo_url=url)
            made.installation.runtime.results.save(result)
        yield made


def test_a_thousand_photos_are_seen_once_and_the_page_stays_small(window: Window) -> None:
    # That thumbnails are made is shown elsewhere; here they would take most of the time.
    thumbnail = photo_bytes(320, 240)
    window.page.route(
        "**/thumbnail?*", lambda route: route.fulfill(body=thumbnail, content_type="image/png")
    )
    page = window.open("/photos")
    session = page.context.new_cdp_session(page)

    def measure() -> tuple[int, float]:
        session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        return page.evaluate("document.querySelectorAll('*').length"), heap

    seen: dict[str, None] = {}
    sizes: list[tuple[int, float]] = []
    deadline = time.monotonic() + 5 * PATIENCE
    for turn in itertools.count():
        assert time.monotonic() < deadline, list(seen)[-1:]
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(60)
        ended = page.locator("#end").is_visible()  # first: cards may come while we look
        seen |= dict.fromkeys(page.locator(".card .name").all_text_contents())
        if turn % 8 == 7:
            sizes.append(measure())
        if ended:
            break
    assert list(seen) == [f"{number:04}.png" for number in reversed(range(COUNT))]
    print(f"nodes and heap in MB while scrolling: {[(n, round(h, 1)) for n, h in sizes]}")
    later = sizes[len(sizes) // 4 :]
    assert max(nodes for nodes, _ in sizes) < 4_000
    assert max(heap for _, heap in later) < 2 * max(later[0][1], 3)
    window.shot("photos-end")

    page.evaluate("window.scrollTo(0, 0)")
    expect(page.get_by_role("link", name=f"{COUNT - 1:04}.png")).to_be_visible()
    assert measure()[0] < 4_000


def test_a_page_that_fails_is_offered_again(window: Window) -> None:
    window.expected = ["503"]
    page = window.open("/photos")
    fails = [True]
    page.route(
        "**/photos/cards**",
        lambda route: route.fulfill(status=503, body="{}") if fails[0] else route.continue_(),
    )
    page.mouse.wheel(0, 8000)
    more = page.get_by_role("button", name="Show more")
    expect(more).to_be_visible()
    before = page.locator(".page").count()
    fails[0] = False
    more.click()
    expect(page.locator(".page")).not_to_have_count(before)
    assert page.locator(".page").count() > before
