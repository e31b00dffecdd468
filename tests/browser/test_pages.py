"""Every page for everybody: keyboard, screen reader, phone, dark; and what goes wrong."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from imaginem.images.limits import FILE_ENDINGS
from imaginem.testing import photo_bytes
from tests.browser.conftest import Dashboard, Window, dashboard_at
from tests.unit.test_api import SVG, bomb


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """An installation with some photos, a failed one and a poisoned message."""
    with dashboard_at(tmp_path_factory.mktemp("home"), 2) as made:
        installation = made.installation
        for name in ("obama.jpg", "obama2.jpg", "page.png"):
            url = installation.upload(made.samples(name)[0].read_bytes())
            installation.job(url, batch="people", job=name)
        installation.job("https://127.0.0.1:1/none.jpg", batch="people", job="broken")
        installation.wait("people", ("obama.jpg", "obama2.jpg", "page.png", "broken"))
        installation.wait_poisoned(installation.put("ocr", "nonsense"), "ocr")
        yield made


PAGES = {
    "upload": "/upload",
    "batches": "/batches",
    "batch": "/batches/people",
    "photos": "/photos",
    "no-photos": "/photos?tag=none",
    "photo": "/photos/people/obama.jpg",
    "photo-text": "/photos/people/page.png",
    "photo-hits": "/photos/people/page.png?text=segmentation",
    "photos-hits": "/photos?text=segmentation",
    "photo-failed": "/photos/people/broken",
    "faces": "/faces",
    "operations": "/operations",
    "poison": "/operations/poison",
    "audit": "/operations/audit",
    "receipts": "/operations/receipts",
    "docs": "/api/docs",
}


def face_page(window: Window) -> str:
    installation = window.dashboard.installation
    (face,) = installation.runtime.gallery.faces_of(("people", "obama.jpg"))
    return f"/faces?face={face.face_id}"


@pytest.mark.parametrize("name", [*PAGES, "face"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_bars_anybody(window: Window, name: str, scheme: str) -> None:
    """axe-core knows WCAG 2.2 AA as far as a program can tell."""
    window.page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page = window.open(PAGES.get(name) or face_page(window))
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.wait_for_timeout(300)  # what is loaded afterwards is looked at too
    assert window.hindrances() == []


@pytest.mark.parametrize("name", [*PAGES, "face"])
def test_every_page_fits_a_phone(window: Window, name: str) -> None:
    window.page.set_viewport_size({"width": 360, "height": 740})
    page = window.open(PAGES.get(name) or face_page(window))
    page.wait_for_timeout(300)
    window.shot(f"phone-{name}", whole=True)
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]


@pytest.mark.parametrize("name", ["photo", "photos", "batch"])
def test_pages_turn_around_for_other_scripts(window: Window, name: str) -> None:
    page = window.open(PAGES[name])
    page.evaluate("document.documentElement.dir = 'rtl'")
    page.wait_for_timeout(200)
    window.shot(f"rtl-{name}")
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]
    brand, last = page.locator(".brand").bounding_box(), page.locator("nav a").last.bounding_box()
    assert brand is not None
    assert last is not None
    assert brand["x"] > last["x"]


def test_everything_on_a_photo_works_with_the_keyboard(window: Window) -> None:
    page = window.open(PAGES["photo"])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 40)"))
    assert {"Download", "Run again", "Erase", "Face 1", "Who looks like this?"} <= reached
    assert {"Same person", "Not the same", "Raw JSON"} <= reached


def test_a_failed_photo_tells_why_and_can_be_run_again(window: Window) -> None:
    installation = window.dashboard.installation
    installation.job(installation.upload(b"no photo"), batch="failing", job="broken")
    installation.wait("failing", ["broken"])
    page = window.open("/batches/failing")
    row = page.locator(".problems tr", has_text="broken").first
    expect(row).to_contain_text(
        "generalclassification, ocr, facedetection: the file is not a photo"
    )
    expect(row).to_contain_text("not a photo that can be read")
    window.shot("batch-problems", whole=True)
    row.get_by_role("button", name="Run again").click()
    expect(page.locator("#progress[data-running=true]")).to_be_visible()
    expect(page.locator("#progress")).to_be_focused()  # the button is gone
    expect(page.locator("#progress[data-running=false]")).to_be_visible()
    expect(row.get_by_role("button", name="Run again")).to_be_visible()


def test_a_photo_that_can_not_be_had_again_says_so(window: Window) -> None:
    window.expected = ["422", "Response Status Error Code 422"]
    page = window.open("/batches/people")
    page.get_by_role("button", name="Run again: broken").click()
    expect(page.locator(".toast")).to_contain_text("send it again")


def test_who_is_at_work_in_a_part_keeps_it_while_it_is_polled(window: Window) -> None:
    polls: list[Route] = []
    window.page.route("**/operations/now", lambda route: polls.append(route))
    page = window.open("/operations")
    link = page.get_by_role("link", name="See what could not be processed")
    with page.expect_request("**/operations/now"):
        pass
    link.focus()
    with page.expect_response("**/operations/now"):
        polls[0].continue_()  # its answer was on its way before they began
    page.wait_for_timeout(6_000)  # another poll would have been due
    expect(link).to_be_focused()
    assert len(polls) == 1
    link.blur()
    with page.expect_request("**/operations/now"):
        pass


class TestUpload:
    def test_what_is_no_photo_is_refused_with_a_reason(
        self, window: Window, tmp_path: Path
    ) -> None:
        window.expected = ["415", "413"]
        files = {
            "page.jpg": b"<html><script>alert(1)</script></html>",
            "drawing.svg": SVG,
            "bomb.png": bomb(),
            "huge.jpg": bytes(200 * 1024 * 1024),
            "<img src=x onerror=alert(1)>.png": photo_bytes(),
        }
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        page = window.open("/upload?batch=odd")
        window.drop("#drop", [tmp_path / name for name in files])
        expect(page.locator(".uploads li")).to_have_count(5)
        expect(page.locator("#forecast")).not_to_be_empty()
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.locator("#chosen")).to_contain_text("1 of 5 sent, 4 failed.")
        expect(page.locator("#forecast")).to_be_empty()
        for name, told in {
            "page.jpg": "not a photo",
            "drawing.svg": "not a photo",
            "bomb.png": "megapixels",
            "huge.jpg": "larger than 20 MB",
        }.items():
            expect(page.locator(".uploads li", has_text=name)).to_contain_text(told)
        window.shot("upload-refused")
        page.get_by_role("link", name="See the progress").click()
        expect(page.get_by_text("1 of 1 photos ended")).to_be_visible(timeout=60_000)

    def test_each_format_that_is_named_can_be_chosen_and_what_is_left_out_is_named(
        self, window: Window, tmp_path: Path
    ) -> None:
        page = window.open("/upload?batch=formats")
        files = [tmp_path / f"photo{ending.upper()}" for ending in FILE_ENDINGS]
        for each in [*files, tmp_path / "notes.txt"]:
            each.write_bytes(each.name.encode())
        page.locator("#files").set_input_files([*files, tmp_path / "notes.txt"])
        expect(page.locator(".uploads li")).to_have_count(len(FILE_ENDINGS))
        told = "1 file was left out, as it is no photo or was chosen already: notes.txt"
        expect(page.locator("#chosen")).to_contain_text(told)
        page.locator("#files").set_input_files(files[:4])
        expect(page.locator("#chosen")).to_contain_text("5 files were left out")
        expect(page.locator("#chosen")).to_contain_text("notes.txt, photo.JPG, photo.JPEG, …")
        window.shot("upload-formats")

    def test_a_photo_that_was_not_sent_is_tried_again(self, window: Window, tmp_path: Path) -> None:
        window.expected = ["503"]
        (tmp_path / "one.png").write_bytes(photo_bytes())
        page = window.open("/upload?batch=again")
        page.route("**/api/batches/**", lambda route: route.fulfill(status=503, body="{}"))
        page.locator("#files").set_input_files([tmp_path / "one.png"])
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_text("0 of 1 sent, 1 failed.")).to_be_visible()
        page.unroute("**/api/batches/**")
        page.get_by_role("button", name="Try again: one.png").click()
        expect(page.get_by_text("1 of 1 photos ended")).to_be_visible(timeout=60_000)

    def test_a_photo_that_is_in_the_batch_already_says_so_and_is_sent_again_on_request(
        self, window: Window, tmp_path: Path
    ) -> None:
        (tmp_path / "one.png").write_bytes(photo_bytes())
        for told in ("1 of 1 photos ended", "1 were in this batch already."):
            page = window.open("/upload?batch=twice")
            page.locator("#files").set_input_files([tmp_path / "one.png"])
            page.get_by_role("button", name="Upload", exact=True).click()
            expect(page.get_by_text(told)).to_be_visible(timeout=60_000)
        photo = page.locator(".uploads li")
        expect(photo).to_contain_text("already in this batch")
        expect(photo).to_contain_text("done")
        window.shot("upload-there")
        page.get_by_role("button", name="Send again: one.png").click()
        page.wait_for_url("**/batches/twice")

    def test_a_dropped_folder_is_read_to_its_depth(self, window: Window, tmp_path: Path) -> None:
        inner = tmp_path / "photos" / "deeper"
        inner.mkdir(parents=True)
        (inner / "one.png").write_bytes(photo_bytes())
        (tmp_path / "photos" / "two.png").write_bytes(photo_bytes(color="red"))
        (tmp_path / "photos" / "notes.txt").write_text("no photo")
        page = window.open("/upload")
        window.drop("#drop", [tmp_path / "photos"])
        expect(page.get_by_text("2 photos chosen")).to_be_visible()

    def test_steps_bring_what_they_need(self, window: Window) -> None:
        page = window.open("/upload")
        page.locator("summary").click()
        box = page.get_by_role("checkbox", name=re.compile("^facedetection"))
        match = page.get_by_role("checkbox", name=re.compile("^facematch"))
        box.uncheck()
        expect(match).not_to_be_checked()
        match.check()
        expect(box).to_be_checked()
        window.shot("upload-steps")

    def test_without_the_step_that_keeps_it_the_page_says_that_nothing_is_kept(
        self, window: Window
    ) -> None:
        page = window.open("/upload")
        page.locator("summary").click()
        told = page.get_by_text("Without pipelineoutput, what is found stays in the job's log")
        expect(told).not_to_be_visible()
        page.get_by_role("checkbox", name=re.compile("^pipelineoutput")).uncheck()
        expect(told).to_be_visible()
        window.shot("upload-unkept")


def test_a_running_batch_is_cancelled(window: Window) -> None:
    installation = window.dashboard.installation
    url = installation.upload(window.dashboard.samples("obama.jpg")[0].read_bytes())
    for number in range(60):
        installation.job(url, batch="many", job=f"{number:02}")
    installation.wait("many", ("00",))
    page = window.open("/batches/many")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled: jobs stop")).to_be_visible()
    expect(page.locator("#progress[data-running=false]")).to_be_visible(timeout=60_000)
    expect(page.locator(".state-cancelled").first).to_be_visible()
    window.shot("batch-cancelled")


def test_a_running_batch_is_paused_for_a_reason_and_goes_on(window: Window) -> None:
    installation = window.dashboard.installation
    url = installation.upload(window.dashboard.samples("obama.jpg")[0].read_bytes())
    for number in range(30):
        installation.job(url, batch="waiting", job=f"{number:02}")
    installation.wait("waiting", ("00",))
    page = window.open("/batches/waiting")
    page.on("dialog", lambda dialog: dialog.accept("the quota is used up (限额)"))
    page.get_by_role("button", name="Pause").click()
    told = page.get_by_text("because the quota is used up (限额)")
    expect(told).to_be_visible()
    window.shot("batch-paused")
    page.get_by_role("button", name="Go on").click()
    expect(told).not_to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    installation.runtime.cancellations.cancel("waiting")


def test_a_page_that_is_not_there_says_so(window: Window) -> None:
    window.expected = ["404"]
    page = window.open("/photos/people/nobody")
    expect(page.get_by_role("alert")).to_contain_text("there is no job nobody")
    window.shot("error")


def test_other_sites_can_not_make_the_browser_act(browser: Browser, dashboard: Dashboard) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route(
        "http://evil.test/**",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f'<form method="post" action="{dashboard.address}/batches/people/cancel"></form>'
            "<script>document.forms[0].submit()</script>",
        ),
    )
    with page.expect_response(re.compile("/batches/people/cancel")) as told:
        page.goto("http://evil.test/")
    assert told.value.status == 403
    assert not dashboard.installation.runtime.cancellations.is_cancelled("people")
    context.close()
