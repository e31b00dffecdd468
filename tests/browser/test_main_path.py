"""What a caseworker does: from nothing to photos found by tag, by word and by face."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, Window

PHOTOS = (
    "astronaut.png",
    "coffee.png",
    "chelsea.png",
    "camera.png",
    "page.png",
    "motorcycle_left.png",
    "rocket.jpg",
    "grace_hopper.jpg",
    "china.jpg",
    "flower.jpg",
    "obama.jpg",
    "obama2.jpg",
    "obama3.jpg",
    "biden.jpg",
    "obama_partial_face.jpg",
    "obama_partial_face2.jpg",
    "group1.jpg",
    "group2.jpg",
    "group3.jpg",
    "group4.jpg",
)


@pytest.fixture(scope="module")
def desktop(dashboard: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the photos under the names that people see."""
    folder = tmp_path_factory.mktemp("desktop") / "photos"
    folder.mkdir()
    for name, file in zip(PHOTOS, dashboard.samples(*PHOTOS), strict=True):
        (folder / name).write_bytes(file.read_bytes())
    return folder


def cards(page: Page) -> list[str]:
    return page.locator(".card .name").all_inner_texts()


def test_twenty_photos_from_an_empty_start(window: Window, desktop: Path) -> None:
    page = window.open("/photos")
    expect(page.get_by_text("There are no photos yet")).to_be_visible()
    page.get_by_role("link", name="Upload", exact=True).click()
    window.drop("#drop", [desktop / name for name in PHOTOS[:19]])
    expect(page.get_by_text("19 photos chosen")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files([desktop / PHOTOS[19]])
    expect(page.get_by_text("20 photos chosen")).to_be_visible()
    page.get_by_role("textbox", name="Batch").fill("spring/2026")
    window.shot("upload")
    page.get_by_role("button", name="Upload", exact=True).click()

    page.wait_for_url("**/batches/**")
    expect(page.get_by_role("heading", name="Batch spring/2026")).to_be_visible()
    window.shot("batch-running")
    expect(page.get_by_text("20 of 20 photos ended")).to_be_visible(timeout=120_000)
    expect(page.locator(".problems")).to_have_count(0)
    window.shot("batch-done")

    page.get_by_role("link", name="See its photos").click()
    expect(page.locator(".card")).to_have_count(20)
    window.shot("photos")


def test_a_photo_is_found_by_a_tag(window: Window) -> None:
    page = window.open("/photos")
    page.locator(".facets").get_by_role("link", name=re.compile(r"^cat \d+")).click()
    page.wait_for_url("**/photos?tag=cat")
    assert cards(page) == ["chelsea.png"]
    window.shot("photos-by-tag")
    page.reload()  # the address is all that it takes to share a view
    assert cards(page) == ["chelsea.png"]


def test_a_photo_is_found_by_a_word_in_it(window: Window) -> None:
    page = window.open("/photos")
    page.get_by_label("Text in the photo").fill("SEGMENTATION")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/photos?text=SEGMENTATION")
    assert cards(page) == ["page.png"]
    page.get_by_role("link", name="page.png").first.click()
    line = page.get_by_role("button", name=re.compile("segmentation", re.IGNORECASE)).first
    line.hover()
    expect(page.locator(".layer-hits .lit").first).to_be_visible()
    window.shot("photo-words")


def test_a_photo_is_found_by_a_face(window: Window, desktop: Path) -> None:
    page = window.open("/faces")
    page.get_by_label("Photo", exact=True).set_input_files(desktop / "obama2.jpg")
    page.get_by_role("button", name="Find who looks alike").click()
    found = page.locator("#found .match")
    expect(found.first).to_be_visible(timeout=60_000)
    names = found.locator(".name").all_inner_texts()
    assert any("obama.jpg" in name for name in names)
    assert not any("biden" in name or "hopper" in name for name in names)
    expect(found.first.get_by_text("match", exact=True)).to_be_visible()
    window.shot("faces-found", whole=True)


def test_a_match_is_confirmed_and_seen_from_the_other_side(window: Window) -> None:
    page = window.open("/photos?text=&tag=&faces=true")
    page.get_by_role("link", name="obama.jpg", exact=True).first.click()
    page.get_by_role("link", name="Who looks like this?").click()
    match = page.locator(".match", has_text="obama3.jpg")
    match.get_by_role("button", name="Same person").click()
    expect(match.get_by_text("Confirmed by local user")).to_be_visible()
    window.shot("match-confirmed")
    match.locator("a").first.click()
    other = page.locator(".match", has_text="obama.jpg")
    expect(other.get_by_text("Confirmed by local user")).to_be_visible()
    expect(other.get_by_role("button", name="Same person")).to_have_attribute(
        "aria-pressed", "true"
    )
    other.get_by_role("button", name="Same person").click()
    expect(other.get_by_text("Confirmed by")).to_have_count(0)


def test_boxes_can_be_switched_and_lists_light_them_up(window: Window) -> None:
    page = window.open("/photos?tag=person&text=")
    page.get_by_role("link", name="grace_hopper.jpg", exact=True).first.click()
    faces = page.locator(".layer-faces rect")
    expect(faces.first).to_be_visible()
    page.get_by_role("switch", name=re.compile("Faces")).uncheck()
    expect(faces.first).to_be_hidden()
    page.get_by_role("button", name="Face 1", exact=True).focus()
    expect(page.locator(".layer-faces .lit")).to_be_visible()
    page.get_by_role("switch", name=re.compile("Objects")).check()
    expect(page.locator(".layer-objects rect").first).to_be_visible()
    window.shot("photo", whole=True)
    image = page.locator(".frame img").bounding_box()
    overlay = page.locator(".frame svg").bounding_box()
    assert image is not None
    assert overlay is not None
    assert abs(image["width"] - overlay["width"]) < 2
    assert abs(image["height"] - overlay["height"]) < 2


def test_operations_tell_health_and_replay_what_was_poisoned(window: Window) -> None:
    installation = window.dashboard.installation
    sent = installation.put("ocr", "nonsense <script>alert(1)</script>")
    installation.wait_poisoned(sent, "ocr")
    page = window.open("/operations")
    expect(page.get_by_text("Poison inbox (1)")).to_be_visible()
    expect(page.locator("table", has_text="facedetection")).to_be_visible()
    window.shot("operations", whole=True)
    page.get_by_role("link", name="See what could not be processed").click()
    page.get_by_role("button", name="Show: ocr.").click()
    expect(page.locator("pre", has_text="nonsense <script>")).to_be_visible()
    window.shot("poison", whole=True)
    page.get_by_role("button", name="Replay: ocr.").click()
    expect(page.get_by_text("1 put back.")).to_be_visible()
    for _ in range(60):  # it is nonsense still
        window.open("/operations/poison?reason=neither")
        if page.get_by_text("1 fit").is_visible():
            break
        page.wait_for_timeout(200)
    expect(page.locator("code", has_text="ocr.")).not_to_have_text(f"ocr.{sent}")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Drop all that fit").click()
    expect(page.get_by_text("1 dropped.")).to_be_visible()
    expect(page.get_by_text("Nothing fits.")).to_be_visible()


def test_a_photo_is_run_again_from_a_step_and_compared(window: Window) -> None:
    page = window.open("/upload?batch=again")
    page.locator("#files").set_input_files([window.dashboard.installation.assets.path("page.png")])
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("1 of 1 photos ended")).to_be_visible(timeout=60_000)
    page.locator(".jobs a").first.click()
    page.get_by_role("button", name="Run again from here: ocr").click()
    expect(page.get_by_text("This photo is still at work.")).to_be_visible()
    expect(page.get_by_role("button", name="Erase", exact=True)).to_be_visible()
    for _ in range(60):
        page.reload()
        if page.get_by_role("heading", name="Before and after").is_visible():
            break
        page.wait_for_timeout(500)
    expect(page.get_by_text("Nothing changed.")).to_be_visible()
    window.shot("compared", whole=True)


def test_a_batch_is_exported_and_erased(window: Window, desktop: Path) -> None:
    page = window.open("/upload?batch=gone")
    page.locator("#files").set_input_files([desktop / "coffee.png"])
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("1 of 1 photos ended")).to_be_visible(timeout=60_000)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Export as CSV").click()
    assert "coffee.png" in Path(saved.value.path()).read_text("utf-8-sig")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Erase").click()
    page.wait_for_url("**/receipts/*")
    expect(page.get_by_text("A batch was erased")).to_be_visible()
    window.shot("receipt")
    page.get_by_role("link", name="See all receipts").click()
    expect(page.get_by_text("a batch; photos in it: 1")).to_be_visible()
    page.get_by_role("row", name="a batch").get_by_role("link").click()
    expect(page.get_by_text("A batch was erased")).to_be_visible()
    page = window.open("/batches")
    expect(page.get_by_role("link", name="gone")).to_have_count(0)
    expect(page.get_by_role("link", name="spring/2026")).to_be_visible()
    window.shot("batches")
