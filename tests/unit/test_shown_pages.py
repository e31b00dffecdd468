"""Which page of a photo's file is shown, with which boxes."""

import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.dashboard import client, keep, web_services


def book() -> bytes:
    """Return a TIFF file of a red page and a blue one."""
    first, second = (Image.new("RGB", (80, 60), color) for color in ("red", "blue"))
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=[second])
    return out.getvalue()


class TestALaterPage:
    """A page of a file is shown with what is on it, and nothing of the others."""

    @pytest.fixture
    def web(self) -> TestClient:
        services = web_services()
        faces = [
            {"page": number, "face_rectangle": {"left": number, "top": 1, "width": 3, "height": 3}}
            for number in (1, 2)
        ]
        line = {"confidence": 0.9, "polygon": [0, 0, 9, 0, 9, 9, 0, 9]}
        outputs = {
            "ocr": {
                "full_text": "Hello\nHello Maria",
                "lines": [
                    {**line, "text": "Hello", "page": 1},
                    {**line, "text": "Hello Maria", "page": 2},
                ],
            },
            "facedetection": {"faces": faces, "pages": 2},
        }
        keep(services, ("b", "one"), outputs, photo=book())
        return client(services)

    def test_it_is_shown_and_the_boxes_on_it(self, web: TestClient) -> None:
        page = web.get("/photos/b/one?page=2").text
        assert "Page 2 is shown here." in page
        assert "&amp;page=2" in page
        assert 'data-box="face-2"' in page
        assert 'data-box="face-1"' not in page
        assert "Faces (1)" in " ".join(page.split())

    def test_its_picture_is_another_one_than_that_of_the_first(self, web: TestClient) -> None:
        first, second = (
            Image.open(io.BytesIO(web.get(f"/api/images/b/one/view?page={page}").content))
            for page in (1, 2)
        )
        assert first.convert("RGB").getpixel((5, 5)) != second.convert("RGB").getpixel((5, 5))

    def test_a_search_opens_the_page_that_has_its_words(self, web: TestClient) -> None:
        page = web.get("/photos/b/one?text=maria").text
        assert "Page 2 is shown here." in page
        assert page.count('data-box="hit-') == 1
        assert 'href="?text=maria&amp;page=1"' in page

    def test_hits_on_other_pages_are_told_and_not_drawn(self, web: TestClient) -> None:
        page = web.get("/photos/b/one?text=hello&page=1").text
        assert page.count('data-box="hit-') == 1
        assert page.count('data-for="hit-') == 2
        assert 'href="?text=hello&amp;page=2"' in page

    def test_one_that_the_file_lacks_says_so(self, web: TestClient) -> None:
        answer = web.get("/photos/b/one?page=3")
        assert "no page 3, but 2 in all" in answer.text
        refused = web.get("/api/images/b/one/view?page=3")
        assert (refused.status_code, "no page 3" in refused.text) == (422, True)
        assert web.get("/photos/b/one?page=0").status_code == 422
