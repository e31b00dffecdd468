"""A search tells which photos it could not find yet, and that it was no search."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import quote_plus

import pytest

from imaginem.errors import InvalidMessage, StorageUnavailable
from imaginem.pipeline.steps import default_registry
from imaginem.ports import JobKey, PhotoFilter
from imaginem.testing import MemoryServices, photo_bytes, run_all
from imaginem.usecases import unsearched as module
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.intake import Upload, receive_photo
from imaginem.usecases.searching import NO_WORD, find_photos
from imaginem.usecases.unsearched import unsearched
from tests.dashboard import PIPELINE, client, keep, principal, web_services


def send(services: MemoryServices, batch: str, count: int = 1, group: str = "") -> None:
    for number in range(count):
        upload = Upload(batch, photo_bytes, "a.png", PIPELINE, f"job{number}", group=group)
        receive_photo(services, default_registry, upload, EVERYTHING)


HEBREW = "text in Hebrew, not readable here"


def unread(services: MemoryServices, key: JobKey, *lines: str) -> None:
    listed = [{"text": "", "unreadable": line} for line in lines]
    keep(services, key, {"ocr": {"full_text": "", "lines": listed}})


def told(services: MemoryServices, batch: str = "", *, found: bool = False) -> list[str]:
    wanted = PhotoFilter(text="Vincent", batch=batch)
    return [photos.sentence for photos in unsearched(services, wanted, found=found)]


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


class TestUnsearched:
    def test_photos_that_wait_for_their_first_step_are_counted(
        self, services: MemoryServices
    ) -> None:
        send(services, "names", 6)
        sentence = "Still being looked at: 6 of 6 photos in batch names."
        assert told(services, "names") == told(services, "names", found=True) == [sentence]
        assert told(services) == [sentence]
        assert told(services, "other") == []

    def test_photos_that_have_ended_are_not(self, services: MemoryServices) -> None:
        send(services, "names", 2)
        run_all(services, default_registry)
        assert told(services) == []
        send(services, "names", 3)
        assert told(services, "names") == ["Still being looked at: 1 of 3 photos in batch names."]

    def test_several_batches_are_told_together(self, services: MemoryServices) -> None:
        send(services, "a", 2)
        send(services, "b")
        assert told(services) == ["Still being looked at: 3 of 3 photos in 2 batches."]

    def test_those_of_other_groups_are_not_told(self, services: MemoryServices) -> None:
        send(services, "red", 1, group="red-group")
        for batch in ("", "red"):
            wanted = PhotoFilter(text="x", batch=batch, groups=frozenset({"blue-group"}))
            assert unsearched(services, wanted, found=False) == []
            theirs = replace(wanted, groups=frozenset({"red-group"}))
            assert len(unsearched(services, theirs, found=False)) == 1

    def test_large_batches_are_named_without_a_count(
        self, services: MemoryServices, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_MOST_IN_BATCH", 1)
        monkeypatch.setattr(module, "_MOST_PHOTOS", 1)
        send(services, "a", 2)
        send(services, "b", 1)
        assert told(services, "a") == ["Photos in batch a may still be being looked at."]
        assert told(services) == [
            "Still being looked at: 1 of 1 photos in batch b.",
            "Photos in batch a may still be being looked at.",
        ]

    def test_photos_of_the_batch_of_which_nobody_will_know_more_are_told(
        self, services: MemoryServices
    ) -> None:
        send(services, "names", 2)
        run_all(services, default_registry)
        keep(services, ("names", "failed"), {}, unsuccessful=("ocr",))
        services.submissions.submitted(("names", "lost"), "run")
        services.submissions.submitted(("names", "gone"), "run")
        services.open_batches.forget("names")
        assert told(services, "names", found=True) == []
        first, second = unsearched(services, PhotoFilter(text="x", batch="names"), found=False)
        assert first.sentence == (
            "Not searched, since they have no result: at least 1 of the photos that were sent to "
            "batch names."
        )
        assert second.sentence.startswith("Photos of batch names with a step that failed or was")
        assert not (first.may_be_found_later or second.may_be_found_later)

    def test_without_an_answer_of_storage_it_is_told_that_nobody_knows(
        self, services: MemoryServices, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def noted() -> list[str]:
            raise StorageUnavailable("gone")

        monkeypatch.setattr(services.open_batches, "noted", noted)
        assert told(services) == [
            "Whether photos are still being looked at can't be told just now."
        ]

    def test_text_that_can_not_be_read_is_told_beside_every_search_for_text(
        self, services: MemoryServices
    ) -> None:
        unread(services, ("b", "one"), HEBREW, HEBREW)
        unread(services, ("b", "two"), HEBREW, "text, not readable here")
        unread(services, ("c", "one"), HEBREW)
        assert (
            told(services)
            == told(services, found=True)
            == [f"Not searched: {HEBREW} (3 photos); text, not readable here (1 photo)."]
        )
        assert told(services, "c") == [f"Not searched: {HEBREW} (at least 1 photo)."]
        assert told(services, "d") == []
        assert unsearched(services, PhotoFilter(tag="cat"), found=False) == []
        (left,) = unsearched(services, PhotoFilter(text="x"), found=False)
        assert not left.may_be_found_later


class TestOnPagesAndInTheApi:
    def test_photos_with_text_that_can_not_be_read_are_one_press_away(
        self, services: MemoryServices
    ) -> None:
        unread(services, ("b", "one"), HEBREW)
        keep(services, ("b", "two"), {"ocr": {"full_text": "Maria"}})
        web = client(services)
        page = web.get("/photos?text=Maria&batch=b").text
        assert f"Not searched: <bdi>{HEBREW} (at least 1 photo)</bdi>." in page
        (link,) = re.findall(r'<a href="/(photos\?[^"]*unreadable=[^"]*)"', page)
        assert link == f"photos?batch=b&amp;unreadable={quote_plus(HEBREW)}"
        listed = web.get(f"/{unescape(link)}").text
        assert re.findall(r'href="/photos/b/(\w+)', listed) == ["one"]
        assert "Not searched" not in listed
        assert f'value="{HEBREW}"' in web.get("/photos/facets").text
        answer = web.get("/api/images?text=Maria").json()
        assert answer["not_searched"] == [f"Not searched: {HEBREW} (1 photo)."]
        found = web.get("/api/images", params={"unreadable": HEBREW}).json()["images"]
        assert [photo["job_id"] for photo in found] == ["one"]
        counted = web.get("/api/tags?kind=unreadable").json()
        assert counted == [{"name": HEBREW, "count": 1}]

    def test_a_search_while_photos_are_at_work_says_so(self, services: MemoryServices) -> None:
        send(services, "names", 6)
        web = client(services)
        page = web.get("/photos?text=Vincent&batch=names").text
        assert "No photo fits so far." in page
        assert "Still being looked at: 6 of 6 photos in batch <bdi>names</bdi>." in page
        assert "That is all." not in page
        answer = web.get("/api/images?text=Vincent&batch=names").json()
        assert answer["not_searched"] == ["Still being looked at: 6 of 6 photos in batch names."]

    def test_so_does_a_search_for_faces(self, services: MemoryServices) -> None:
        send(services, "names", 6)
        web, photo = client(services), {"file": ("a.png", photo_bytes(), "image/png")}
        page = web.post("/faces/search", files=photo).text
        assert "Still being looked at: 6 of 6 photos in batch <bdi>names</bdi>." in page
        answer = web.post("/api/faces/search", files=photo).json()
        assert answer["not_searched"] == ["Still being looked at: 6 of 6 photos in batch names."]

    def test_nothing_is_said_once_all_have_ended(self, services: MemoryServices) -> None:
        send(services, "names")
        run_all(services, default_registry)
        web = client(services)
        page = web.get("/photos?text=Vincent").text
        assert "No photo fits." in page
        assert "being looked at" not in page
        assert web.get("/api/images?text=Vincent").json()["not_searched"] == []

    def test_what_is_at_work_for_others_is_not_told(self, services: MemoryServices) -> None:
        send(services, "red", 1, group="red-group")
        web = client(services, "platform", **principal("viewer"))
        for address in ("/photos?text=x", "/photos?batch=red", "/api/images?batch=red"):
            answer = web.get(address)
            assert answer.status_code == 200
            assert "being looked at" not in answer.text

    @pytest.mark.parametrize("text", ["!?", "😀", '"'])
    def test_a_text_without_any_word_is_no_search(
        self, services: MemoryServices, text: str
    ) -> None:
        keep(services, ("b", "one"), {"ocr": {"full_text": "Maria"}})
        web, asked = client(services), {"text": text}
        page = web.get("/photos", params=asked)
        assert page.status_code == 200
        assert NO_WORD in page.text.replace("There", "there")
        assert "No photo fits" not in page.text
        assert web.get("/photos/facets", params=asked).status_code == 200
        for address in ("/api/images", "/api/tags"):
            answer = web.get(address, params=asked)
            assert answer.status_code == 422
            assert NO_WORD in answer.json()["detail"]
        with pytest.raises(InvalidMessage, match="no word"):
            find_photos(services, PhotoFilter(text=text))
        assert f'"{text}"' not in web.get("/photos/b/one", params=asked).text.replace("&#34;", '"')
