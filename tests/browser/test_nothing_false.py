"""What pages say of faces is true, also after the next click.

Served from memory, so that it is quick.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from imaginem.testing import MemoryServices, photo_bytes
from tests.browser.conftest import Dashboard, Window, in_memory
from tests.dashboard import FACE, AlikeToAll, crop, enrol, face, keep, pair, web_services

COPIES = 24


def filled() -> MemoryServices:
    """Return services with a photo that looks like two others, one of them sent 25 times."""
    services = web_services()
    outputs = {
        "facedetection": {"faces": [FACE]},
        "faceprint": {"faces": [{}]},
        "facematch": {"matches": []},
    }
    mine, second = enrol(services, ("b", "mine.jpg"), 2, "mine")
    others = [face(services, ("b", "once.jpg"), "once")]
    others += [face(services, ("b", f"often-{n:02}.jpg"), "often") for n in range(COPIES + 1)]
    for face_id in (mine, second, *others):
        owner = services.gallery.owners([face_id])[face_id]
        crop(services, owner.batch_id, owner.job_id, face_id)
    for other in others:
        pair(services, mine, other)
    photo = photo_bytes(320, 240)
    keep(services, ("b", "mine.jpg"), outputs, photo=photo)
    keep(services, ("b", "nobody.jpg"), outputs, photo=photo)
    elsewhere = {**outputs, "faceprint": {"faces": [{"model": "another"}]}}
    keep(services, ("b", "other-model.jpg"), elsewhere, photo=photo)
    none = {**outputs, "facedetection": {"faces": []}, "faceprint": {"faces": []}}
    keep(services, ("b", "no-face.jpg"), none, photo=photo)
    failed = ("facedetection", "facecrop", "faceprint", "facematch")
    keep(services, ("b", "failed.jpg"), unsuccessful=failed, photo=photo)
    services.recognizer = AlikeToAll(others)
    return services


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Dashboard]:
    with in_memory(filled()) as made:
        yield made


def test_what_was_found_goes_with_the_next_search_even_if_that_fails(
    window: Window, tmp_path: Path
) -> None:
    window.expected = ["415"]
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(photo_bytes(320, 240))
    bad.write_bytes(b"no photo")
    page = window.open("/faces")
    chosen, find = page.get_by_label("Photo", exact=True), page.locator("#face-search button")
    chosen.set_input_files(good)
    find.click()
    found = page.locator("#found .match")
    expect(found).to_have_count(2)
    expect(page.locator("#found")).to_contain_text(f"and {COPIES} copies")
    window.both("search-copies")

    chosen.set_input_files(bad)  # what is shown would be told of this photo now
    expect(found).to_have_count(0)
    chosen.set_input_files(good)
    find.click()
    expect(found).to_have_count(2)
    page.route("**/faces/search", lambda route: route.fulfill(status=415, body='{"detail": "x"}'))
    find.click()  # the same file, so that nothing but the failure clears
    expect(page.locator("#found [role=alert]")).to_contain_text("That did not work")
    expect(found).to_have_count(0)
    window.both("search-failed")


def test_a_rejected_pair_loses_its_badge_at_once_and_for_good(window: Window) -> None:
    page = window.open("/photos/b/mine.jpg")
    once = page.locator(".match", has_text="once.jpg")
    expect(once.locator(".band-match")).to_have_count(1)
    once.get_by_role("button", name="Not the same").click()
    for _ in range(2):
        expect(once.get_by_text("Rejected by local user")).to_be_visible()
        expect(once.locator(".band-match")).to_have_count(0)
        expect(once.locator(".badge")).to_have_text("not the same")
        page.reload()
    expect(page.locator(".match").last).to_contain_text("once.jpg")
    window.both("photo-rejected")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody", "Nobody in the gallery looks like these faces."),
        ("no-face", "There is no face to compare."),
        (
            "other-model",
            "Nobody was found who looks like these faces, but the gallery also has faces of "
            "another model: they were not compared.",
        ),
        ("failed", "Not looked for: facedetection failed."),
    ],
)
def test_each_reason_for_no_match_has_its_own_sentence(
    window: Window, name: str, told: str
) -> None:
    page = window.open(f"/photos/b/{name}.jpg")
    section = page.locator("section", has=page.get_by_role("heading", name="Looks like"))
    expect(section.locator("p")).to_have_text(told)
    window.both(f"photo-{name}")
