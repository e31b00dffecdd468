"""Names that senders chose turn nothing around on pages."""

import pytest

from imaginem.testing import MemoryServices
from tests.dashboard import client, face, keep, pair, web_services

HOSTILE = "a\u202egpj.<b>exe"
SHOWN = r"<bdi>a\u202egpj.&lt;b&gt;exe</bdi>"
ARABIC = "عائلة"


@pytest.fixture
def services() -> MemoryServices:
    """Keep a photo of such a name, with such tags and text, that looks like one of such an id."""
    services = web_services()
    metadata = {"width": 100, "height": 100, "format": "PNG"}
    tags = [{"name": HOSTILE, "confidence": 0.9}]
    outputs = {
        "generalclassification": {"metadata": metadata, "tags": tags},
        "ocr": {"full_text": "x", "lines": []},
    }
    services.batches.open_batch("b", ARABIC)
    keep(services, ("b", "one"), outputs, name=HOSTILE)
    services.submissions.submitted(("b", "one"), "run", {"original_name": HOSTILE})
    keep(services, ("b", HOSTILE))
    pair(services, face(services, ("b", "one")), face(services, ("b", HOSTILE)))
    return services


@pytest.mark.parametrize(
    ("address", "count"),
    [
        ("/photos", 3),  # names of two photos, a tag
        ("/photos/cards", 3),
        ("/photos/facets", 1),
        ("/photos/b/one", 3),  # the name, a tag, a match
        ("/batches/b", 1),
    ],
)
def test_names_and_tags_are_apart_and_show_what_would_turn_them(
    services: MemoryServices, address: str, count: int
) -> None:
    page = client(services).get(address)
    assert page.status_code == 200
    assert page.text.count(SHOWN) >= count
    if address != "/photos/facets":  # its list has the tags as they are searched for
        assert "\u202e" not in page.text


def test_groups_and_names_in_sentences_are_apart(services: MemoryServices) -> None:
    web = client(services)
    assert f"<bdi>{ARABIC}</bdi>" in web.get("/batches").text
    assert "Batch <bdi>b</bdi>" in web.get("/photos/b/one").text
    assert "<title>a\\u202egpj.&lt;b&gt;exe" in web.get("/photos/b/one").text


def test_what_is_sent_back_stays_as_it_is(services: MemoryServices) -> None:
    told = client(services).get("/api/images").json()["images"]
    assert {photo["name"] for photo in told} == {HOSTILE}
