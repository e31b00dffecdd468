"""Boxes lie on what they tell of: turned photos, tall ones, later pages, hits of a search.

Each photo has a red patch where its face is and a blue one where its word is. The patches are
looked for on the screen, where the browser put the photo; the boxes must be there. Served from
memory, so that it is quick.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw
from playwright.sync_api import Locator, Page, expect

from imaginem.testing import MemoryServices
from tests.browser.conftest import Dashboard, Window, in_memory
from tests.dashboard import keep, web_services

Box = tuple[int, int, int, int]
RED, BLUE = (220, 20, 30), (20, 30, 220)
WIDTHS = (1280, 390)
NEAR = 3
"""Pixels of the screen by which a box may miss: a photo is made smaller, and its edges blur."""
_PLACE = """box => {
  const {x, y, width, height} = box.getBBox(), to = box.getScreenCTM();
  const from = box.ownerSVGElement.closest('.frame').getBoundingClientRect();
  const corner = (x, y) => new DOMPoint(x, y).matrixTransform(to);
  const [start, end] = [corner(x, y), corner(x + width, y + height)];
  return [start.x - from.x, start.y - from.y, end.x - from.x, end.y - from.y];
}"""


@dataclass(frozen=True)
class Sheet:
    """A page with two patches; boxes are left, top, right and bottom of it, upright."""

    size: tuple[int, int]
    face: Box
    word: Box

    def picture(self) -> Image.Image:
        """Return the page as it is seen."""
        made = Image.new("RGB", self.size, "lightgrey")
        draw = ImageDraw.Draw(made)
        for box, color in ((self.face, RED), (self.word, BLUE)):
            draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), color)
        return made

    def outputs(self, page: int | None, text: str, degrees: int) -> tuple[Any, Any]:
        """Return a face and a line of text as engines tell them."""
        turn = {"degrees": degrees, "confidence": 0.9} if degrees else None
        left, top, right, bottom = self.face
        where = {"left": left, "top": top, "width": right - left, "height": bottom - top}
        left, top, right, bottom = self.word
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        first = -degrees // 90 % 4  # of a photo that lies, another corner is the text's top left
        polygon = [at for corner in corners[first:] + corners[:first] for at in corner]
        word = {"text": text, "confidence": 0.9, "polygon": polygon}
        return (
            {"face_rectangle": where, "page": page, "turn": turn},
            {**word, "words": [word], "page": page},
        )


WIDE = Sheet((1200, 800), (900, 100, 1050, 300), (100, 600, 500, 680))
TALL = Sheet((500, 1700), (40, 1300, 240, 1600), (200, 90, 460, 150))
UPRIGHT = Sheet((800, 1200), (500, 60, 700, 320), (80, 1000, 380, 1060))
LYING = Sheet((1200, 800), (60, 500, 320, 700), (1000, 80, 1060, 380))


def one(sheet: Sheet) -> bytes:
    out = io.BytesIO()
    sheet.picture().save(out, "PNG")
    return out.getvalue()


def told_by_exif(sheet: Sheet) -> bytes:
    """Return a file whose pixels lie, and whose Exif says how to turn them (orientation 6)."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    sheet.picture().rotate(90, expand=True).save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


def several(*sheets: Sheet) -> bytes:
    out = io.BytesIO()
    first, *others = (sheet.picture() for sheet in sheets)
    first.save(out, "TIFF", save_all=True, append_images=others)
    return out.getvalue()


def put(
    services: MemoryServices, name: str, photo: bytes, *sheets: Sheet, degrees: int = 0
) -> None:
    """Keep a photo with what was found on its pages."""
    several_pages = len(sheets) > 1
    faces, lines = [], []
    for number, sheet in enumerate(sheets, 1):
        text = f"Maria{number}" if several_pages else "Maria"
        face, line = sheet.outputs(number if several_pages else None, text, degrees)
        faces.append(face)
        lines.append(line)
    pages = len(sheets) if several_pages else None
    turn = {"degrees": degrees, "confidence": 0.9} if degrees else None
    outputs = {
        "ocr": {
            "full_text": "\n".join(line["text"] for line in lines),
            "lines": lines,
            "pages": pages,
            "turn": turn,
        },
        "facedetection": {"faces": faces, "pages": pages},
    }
    keep(services, ("b", name), outputs, photo=photo)


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Dashboard]:
    services = web_services()
    put(services, "wide", one(WIDE), WIDE)
    put(services, "tall", one(TALL), TALL)
    put(services, "exif", told_by_exif(UPRIGHT), UPRIGHT)
    put(services, "lying", one(LYING), LYING, degrees=90)
    put(services, "pages", several(WIDE, TALL, UPRIGHT), WIDE, TALL, UPRIGHT)
    with in_memory(services) as made:
        yield made


def patch(page: Page, color: tuple[int, int, int]) -> tuple[float, ...]:
    """Return where the photo on the screen has a colour, from the photo's corner on."""
    page.locator(".frame svg").evaluate("svg => { svg.style.visibility = 'hidden' }")
    seen = Image.open(io.BytesIO(page.locator(".frame").screenshot())).convert("RGB")
    page.locator(".frame svg").evaluate("svg => { svg.style.visibility = '' }")
    distance = ImageChops.difference(seen, Image.new("RGB", seen.size, color)).split()
    far = ImageChops.lighter(ImageChops.lighter(*distance[:2]), distance[2])
    found = far.point(lambda value: 255 * (value < 90)).getbbox()
    assert found is not None
    return found


def check_place(box: Locator, page: Page, color: tuple[int, int, int]) -> None:
    """Check that a box surrounds the patch of a colour."""
    expect(box).to_be_visible()
    where, wanted = box.evaluate(_PLACE), patch(page, color)
    assert where == pytest.approx(wanted, abs=NEAR)


def look(window: Window, path: str, name: str) -> None:
    """Open a photo's page, and check its boxes on a desk and on a phone."""
    page = window.open(path)
    expect(page.locator(".frame img")).to_have_js_property("complete", True)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        check_place(page.locator(".layer-faces rect"), page, RED)
        check_place(page.locator(".layer-hits polygon"), page, BLUE)
        page.locator("[data-layer=words]").check()
        check_place(page.locator(".layer-words polygon"), page, BLUE)
        page.locator("[data-layer=words]").uncheck()
    window.both(name)


@pytest.mark.parametrize("name", ["wide", "tall", "exif", "lying"])
def test_boxes_and_hits_lie_on_the_photo_however_it_was_taken(window: Window, name: str) -> None:
    look(window, f"/photos/b/{name}?text=maria", f"boxes-{name}")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_boxes_and_hits_lie_on_the_page_that_they_are_of(window: Window, number: int) -> None:
    look(window, f"/photos/b/pages?text=maria{number}", f"boxes-page-{number}")
    page = window.page
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text(f"page {number} of 3")
    expect(page.locator(".faces li")).to_have_count(3)


def test_pages_are_turned_one_by_one(window: Window) -> None:
    page = window.open("/photos/b/pages")
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages.get_by_role("link")).to_have_text(["next page"])
    pages.get_by_role("link", name="next page").click()
    expect(pages).to_contain_text("page 2 of 3")
    check_place(page.locator(".layer-faces rect"), page, RED)
    page.locator(".faces li").last.get_by_role("link", name="page 3").click()
    expect(pages.get_by_role("link")).to_have_text(["previous page"])


def test_a_photo_that_lies_says_how_it_was_looked_at(window: Window) -> None:
    page = window.open("/photos/b/lying")
    expect(page.get_by_text("Looked at turned clockwise by 90°.")).to_have_count(2)


def test_results_of_a_search_bar_nobody_and_lead_to_the_page_with_the_words(
    window: Window,
) -> None:
    page = window.open("/photos?text=maria2")
    window.both("search-hits")
    page.locator(".card a").first.click()
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages).to_contain_text("page 2 of 3")
    check_place(page.locator(".layer-hits polygon"), page, BLUE)
