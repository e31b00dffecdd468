"""What an own step found, on a photo's page and in the filter, on a desk and on a phone."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from tests.browser.conftest import Dashboard, Window, in_memory
from tests.own_steps import FOUND, keep_result, registry_with_signs, services_with_signs

STOP, EXIT = (60, 40, 200, 120), (400, 260, 160, 90)
LONG = "Am Tor steht ein Zebra: " + "ein sehr langer Satz über das Licht. " * 12


def road() -> bytes:
    """Return a photo with a patch where each sign is."""
    made, out = Image.new("RGB", (640, 400), "lightgrey"), io.BytesIO()
    for (x, y, width, height), color in ((STOP, "firebrick"), (EXIT, "darkgreen")):
        ImageDraw.Draw(made).rectangle((x, y, x + width - 1, y + height - 1), color)
    made.save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Dashboard]:
    registry = registry_with_signs()
    services = services_with_signs(registry)
    signs = [
        {"label": label, "confidence": sure, "where": dict(zip("xywh", box, strict=True))}
        for label, sure, box in (("stop", 0.93, STOP), ("emergency exit", 0.4, EXIT))
    ]
    found = {**FOUND, "signs": signs, "caption": LONG, "words": [f"word {n}" for n in range(30)]}
    keep_result(services, ("b", "road"), found, photo=road())
    keep_result(services, ("b", "nothing"), {}, photo=road())
    keep_result(services, ("b", "failed"), None, unsuccessful=("signs",), photo=road())
    with in_memory(services, registry) as made:
        yield made


def test_a_row_of_a_table_lights_up_its_box_on_the_photo(window: Window) -> None:
    page = window.open("/photos/b/road")
    box = page.locator('[data-box="own-signs-2"]')
    expect(box).to_be_visible()
    page.get_by_role("link", name="emergency exit").hover()
    expect(box).to_have_class("lit")
    page.get_by_role("switch", name="signs (2)").uncheck()
    page.mouse.move(0, 0)
    expect(box).to_be_hidden()
    page.get_by_role("link", name="emergency exit").focus()
    expect(box).to_be_visible()
    page.get_by_role("link", name="emergency exit").blur()
    page.get_by_role("switch", name="signs (2)").check()
    window.both("own-outputs")


def test_nothing_found_and_failed_are_told_apart(window: Window) -> None:
    section = window.open("/photos/b/nothing").locator("section.own")
    expect(section).to_contain_text("Nothing found.")
    section = window.open("/photos/b/failed").locator("section.own")
    expect(section).to_contain_text("Not looked for: signs failed.")


def test_photos_are_filtered_by_what_the_step_found(window: Window) -> None:
    page = window.open("/photos")
    page.get_by_text("More filters").click()
    page.get_by_label("Found by own steps").fill("signs.brightness>=100 and signs.is_blurred=no")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card .name")).to_have_text("road")
    window.both("own-filter")
    page.get_by_role("link", name="word 0").first.click()
    expect(page.get_by_label("Found by own steps")).to_have_value(
        "signs.brightness>=100 and signs.is_blurred=no"
    )
    expect(page.locator(".card")).to_have_count(1)
