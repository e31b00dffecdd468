"""What real engines find in photos that lie on their side is shown where it is."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Dashboard, Window, dashboard_at


def turned(photo: bytes) -> bytes:
    """Return a photo that lies on its side, and whose file does not say so."""
    out = io.BytesIO()
    Image.open(io.BytesIO(photo)).convert("RGB").rotate(-90, expand=True).save(out, "PNG")
    return out.getvalue()


def scan(*photos: bytes) -> bytes:
    """Return a PDF file with a photo on each page."""
    first, *others = (Image.open(io.BytesIO(photo)).convert("RGB") for photo in photos)
    out = io.BytesIO()
    first.save(out, "PDF", save_all=True, append_images=others)
    return out.getvalue()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """An installation with a portrait and a page of text, upright and lying."""
    with dashboard_at(tmp_path_factory.mktemp("home"), 1) as made:
        names = ("obama.jpg", "page.png")
        photos = {name: made.samples(name)[0].read_bytes() for name in names}
        portrait, page = photos.values()
        photos["turned.jpg"], photos["turned.png"] = turned(portrait), turned(page)
        photos["scan.pdf"] = scan(portrait, turned(page))
        for name, data in photos.items():
            made.installation.job(made.installation.upload(data), batch="lying", job=name)
        made.installation.wait("lying", photos)
        yield made


def in_photo(box: Locator) -> tuple[float, ...]:
    """Return left, top, right and bottom of a box as shares of the photo that it lies on."""
    told: list[float] = box.evaluate(
        """box => {
          const {x, y, width, height} = box.getBBox(), to = box.getScreenCTM();
          const photo = box.ownerSVGElement.parentElement.querySelector("img");
          const {left, top, width: w, height: h} = photo.getBoundingClientRect();
          const start = new DOMPoint(x, y).matrixTransform(to);
          const end = new DOMPoint(x + width, y + height).matrixTransform(to);
          const xs = [start.x, end.x].map(at => (at - left) / w);
          const ys = [start.y, end.y].map(at => (at - top) / h);
          return [xs[0], ys[0], xs[1], ys[1]];
        }"""
    )
    return tuple(told)


def lying(box: tuple[float, ...]) -> tuple[float, ...]:
    """Return where a box is once its photo was turned clockwise."""
    left, top, right, bottom = box
    return (1 - bottom, left, 1 - top, right)


FOUND = {
    "turned.jpg": ("obama.jpg", "", ".layer-faces rect", 0.05),
    "turned.png": ("page.png", "segmentation", ".layer-hits polygon", 0.03),
    "scan.pdf": ("page.png", "segmentation", ".layer-hits polygon", 0.03),
}
"""Photos that lie: what is upright, what is searched for, its box, how far engines may differ."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_in_a_photo_that_lies_is_shown_where_it_is(
    window: Window, name: str
) -> None:
    upright, text, box, far = FOUND[name]
    page = window.open(f"/photos/lying/{upright}?text={text}")
    where = lying(in_photo(page.locator(box).first))
    window.open(f"/photos/lying/{name}?text={text}")
    expect(page.locator(".frame img")).to_have_js_property("complete", True)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert in_photo(page.locator(box).first) == pytest.approx(where, abs=far)
    window.both(f"lying-{name}")


def test_a_later_page_has_no_box_of_another_one(window: Window) -> None:
    page = window.open("/photos/lying/scan.pdf")
    expect(page.locator(".layer-faces rect")).to_have_count(1)
    page.get_by_role("link", name="next page").click()
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text("page 2 of 2")
    expect(page.locator(".layer-faces rect")).to_have_count(0)
    expect(page.locator(".layer-words polygon").first).to_be_attached()
    window.both("lying-next-page")
