"""Documents by their text and crowds by their faces; and categories as people read them."""

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient

from imaginem.ports.categories import CATEGORIES, category_named, category_title
from imaginem.ports.searchable import labels_in
from imaginem.ports.seen_words import words_seen
from imaginem.testing import MemoryServices
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.export import as_csv, as_rows
from tests.dashboard import client, keep, web_services

METADATA = {"width": 100, "height": 200, "format": "JPEG"}


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


@pytest.fixture
def local(services: MemoryServices) -> TestClient:
    return client(services)


def outputs(lines: int = 0, height: int = 10, faces: int = 0, **analysis: Any) -> dict[str, Any]:
    """Return outputs with lines of text as wide as the photo, and faces."""
    line = {"text": "word", "polygon": [0, 0, 100, 0, 100, height, 0, height]}
    return {
        "generalclassification": {"metadata": METADATA, **analysis},
        "ocr": {"lines": [line] * lines},
        "facedetection": {"faces": [{}] * faces},
    }


def test_five_lines_over_a_tenth_of_a_photo_are_a_document() -> None:
    assert words_seen(outputs(lines=5, height=4)) == {"document": 0.5}
    assert words_seen(outputs(lines=5, height=40)) == {"document": 1.0}
    assert words_seen(outputs(lines=4, height=20)) == {}
    assert words_seen(outputs(lines=5, height=3)) == {}


def test_text_that_could_not_be_read_makes_a_document_too() -> None:
    seen = outputs(lines=6)
    seen["ocr"]["lines"] = [{**line, "text": ""} for line in seen["ocr"]["lines"]]

    assert "document" in words_seen(seen)


def test_eight_faces_are_a_crowd() -> None:
    assert words_seen(outputs(faces=7)) == {}
    assert words_seen(outputs(faces=8)) == {"crowd": 0.5}
    assert words_seen(outputs(faces=30)) == {"crowd": 1.0}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"ocr": "text", "facedetection": None, "generalclassification": []},
        {"ocr": {"lines": [{"polygon": "x"}, {"polygon": [1]}, {"polygon": ["a", 2]}, 3] * 5}},
        {"generalclassification": {"metadata": {"width": "9", "height": 0}}},
    ],
)
def test_outputs_that_hold_anything_give_no_word(odd: dict[str, Any]) -> None:
    assert words_seen({**outputs(), **odd}) == {}


def test_a_photo_is_found_by_the_surer_of_two_same_words() -> None:
    tags = [{"name": "document", "confidence": 0.3}]

    assert labels_in(outputs(lines=5, height=4, tags=tags)) == {("tag", "document"): 0.5}
    assert labels_in(outputs(tags=tags)) == {("tag", "document"): 0.3}


def test_pages_and_exports_have_these_words_once(
    services: MemoryServices, local: TestClient
) -> None:
    tags = [{"name": "crowd", "confidence": 0.9}]
    keep(services, ("b", "one"), outputs(lines=9, faces=9, tags=tags))

    (row,) = as_rows(services, "b", EVERYTHING)
    assert row["tags"] == ["crowd", "document"]
    page = local.get("/photos/b/one").text
    assert page.count('href="/photos?tag=document"') == 1
    assert page.count('href="/photos?tag=crowd"') == 1


def test_people_read_categories_without_underscores_and_programs_with_them(
    services: MemoryServices, local: TestClient
) -> None:
    categories = [{"name": "people_", "score": 0.9}, {"name": "ours_", "score": 0.5}]
    keep(services, ("b", "one"), outputs(categories=categories))

    page = local.get("/photos/b/one").text
    assert "><bdi>people</bdi> <span>" in page
    assert "><bdi>ours_</bdi> <span>" in page
    assert 'href="/photos?category=people_"' in page
    assert '<option value="people">' in local.get("/photos/facets").text
    assert 'name="category" list="all-categories" value="people"' in (
        local.get("/photos?category=people_").text
    )
    rows = list(as_rows(services, "b", EVERYTHING))
    assert rows[0]["categories"] == ["people_", "ours_"]
    (written,) = csv.DictReader(io.StringIO(as_csv(rows)))
    assert written["categories"] == "people; ours_"
    output = local.get("/api/jobs/b/one").json()["job_output"]["generalclassification"]
    assert output["categories"][0]["name"] == "people_"


@pytest.mark.parametrize("asked", ["people", "people_"])
def test_a_category_is_found_as_people_write_it(
    services: MemoryServices, local: TestClient, asked: str
) -> None:
    keep(services, ("b", "one"), outputs(categories=[{"name": "people_", "score": 0.9}]))

    found = local.get("/api/images", params={"category": asked}).json()
    assert [photo["job_id"] for photo in found["images"]] == ["one"]


def test_each_category_has_a_title_of_its_own() -> None:
    titles = [category_title(name) for name in CATEGORIES]

    assert [category_named(title) for title in titles] == list(CATEGORIES)
    assert not [title for title in titles if "_" in title]


def test_many_pages_with_a_face_are_no_crowd_and_few_lines_on_each_no_document() -> None:
    faces = [{"face_id": str(number), "page": number} for number in range(1, 31)]
    seen = outputs(lines=8, height=40)
    seen["ocr"]["lines"] = [
        {**line, "page": number} for number, line in enumerate(seen["ocr"]["lines"], 1)
    ]

    assert words_seen({**seen, "facedetection": {"faces": faces}}) == {}
