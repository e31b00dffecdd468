"""Which page of a photo's file is shown, with which boxes."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from imaginem.ports import FoundPhoto
from imaginem.testing import MemoryServices
from imaginem.web.addresses import thumbnail_url
from tests.dashboard import client, keep, principal, web_services


def book() -> bytes:
    """Return a TIFF file of a red page and a blue one."""
    first, second = (Image.new("RGB", (80, 60), color) for color in ("red", "blue"))
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=[second])
    return out.getvalue()


class TestALaterPage:
    """A page of a file is shown with what is on it, and nothing of the others."""

    @pytest.fixture
    def services(self) -> MemoryServices:
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
        return services

    @pytest.fixture
    def web(self, services: MemoryServices) -> TestClient:
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

    def test_a_search_shows_that_page_in_the_small_picture_too(self, web: TestClient) -> None:
        (hit,) = web.get("/api/images?text=maria").json()["images"]
        (first,) = web.get("/api/images").json()["images"]
        assert "&text=maria" in hit["thumbnail"]
        assert "text=" not in first["thumbnail"]
        assert hit["thumbnail"].replace("&", "&amp;") in web.get("/photos?text=maria").text
        pictures = [web.get(each["thumbnail"]) for each in (first, hit)]
        reds = [_color(picture.content)[0] > 200 for picture in pictures]
        assert reds == [True, False]
        assert pictures[0].headers["etag"] != pictures[1].headers["etag"]

    @pytest.mark.parametrize("asked", ["text=hello", "text=nobody", "text=", "page=1&text=maria"])
    def test_the_first_page_is_shown_where_it_has_the_words_or_is_asked_for(
        self, web: TestClient, asked: str
    ) -> None:
        assert _color(web.get(f"/api/images/b/one/thumbnail?{asked}").content)[0] > 200

    def test_pictures_are_kept_by_page_and_not_by_words(
        self, web: TestClient, services: MemoryServices
    ) -> None:
        for words in ("maria", "Maria", "mariah nobody"):
            web.get(f"/api/images/b/one/thumbnail?text={words}")
        assert len(list(services.blobs.list("thumbnails", ""))) == 1
        assert web.get(f"/api/images/b/one/thumbnail?text={'x' * 201}").status_code == 422

    def test_words_find_nothing_out_about_a_photo_of_another_group(
        self, services: MemoryServices
    ) -> None:
        services.batches.open_batch("red", "red-group")
        result = services.results.read(("b", "one"))
        assert result is not None
        services.results.save(replace(result, batch_id="red"))
        stranger = client(services, "platform", **principal("viewer", groups=("blue-group",)))
        for words in ("maria", "nobody"):
            answer = stranger.get(f"/api/images/red/one/thumbnail?text={words}")
            assert answer.status_code == 404


def test_files_of_one_page_have_one_address_whatever_was_searched_for() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    photo = FoundPhoto("b", "one", "IMG_1.JPG", at)
    assert thumbnail_url(photo, "maria") == thumbnail_url(photo)


def _color(picture: bytes) -> tuple[int, ...]:
    color = Image.open(io.BytesIO(picture)).convert("RGB").getpixel((5, 5))
    assert isinstance(color, tuple)
    return color
