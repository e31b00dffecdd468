"""Photos by what was found in them: in memory, on SQLite and on PostgreSQL alike."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imaginem.errors import InvalidMessage
from imaginem.ports import JobResult, PhotoFilter
from imaginem.sql import Database
from tests.contract.revisions import add_result, add_tag, at_revision
from tests.contract.rows import save
from tests.stores import Stores, sql_stores


def ids(stores: Stores, **wanted: object) -> list[str]:
    return sorted(photo.id for photo in stores.catalogue.photos(PhotoFilter(**wanted)).photos)  # type: ignore[arg-type]


class TestPhotos:
    @pytest.fixture(autouse=True)
    def _photos(self, stores: Stores) -> None:
        save(stores, ("b", "one"), tags=["cat", "dog"], text="Hello ÄPFEL 50% off_x", faces=2)
        save(stores, ("b", "two"), tags=["cat"], people=True, problem=True)
        save(stores, ("c", "three"), tags=["Cat"], cup=True)

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, ["one", "three", "two"]),
            ({"tag": "cat"}, ["one", "two"]),
            ({"tag": "Cat"}, ["three"]),
            ({"category": "people_"}, ["two"]),
            ({"object": "cup"}, ["three"]),
            ({"text": "hello"}, ["one"]),
            ({"text": "äpfel"}, ["one"]),
            ({"text": "50% OFF_"}, ["one"]),
            ({"text": "%"}, []),
            ({"text": "50x"}, []),
            ({"text": "'; DROP TABLE face; --"}, []),
            ({"faces": True}, ["one"]),
            ({"faces": False}, ["three", "two"]),
            ({"batch": "b"}, ["one", "two"]),
            ({"tag": "cat", "faces": True, "batch": "b"}, ["one"]),
            ({"since": datetime.now(UTC) - timedelta(hours=1)}, ["one", "three", "two"]),
            ({"since": datetime.now(UTC) + timedelta(hours=1)}, []),
            ({"until": datetime.now(UTC) - timedelta(hours=1)}, []),
        ],
    )
    def test_every_condition_must_hold(
        self, stores: Stores, wanted: dict[str, object], found: list[str]
    ) -> None:
        assert ids(stores, **wanted) == found

    def test_where_nobody_looked_for_faces_none_is_not_said_to_be_without(
        self, stores: Stores
    ) -> None:
        tagged = {"generalclassification": {"tags": [{"name": "cat", "confidence": 0.9}]}}
        for name, pipeline, unsuccessful in (
            ("failed", ("facedetection", "ocr"), ("ocr", "facedetection")),
            ("left out", ("my-facedetection", "ocr"), ()),
        ):
            result = JobResult("b", name, pipeline, "https://x.test/a", {}, tagged)
            stores.results.save(replace(result, unsuccessful=unsuccessful))
        assert ids(stores, faces=False) == ["three", "two"]
        assert ids(stores, faces=True) == ["one"]
        assert stores.catalogue.labels(PhotoFilter(faces=False), "tag") == [("Cat", 1), ("cat", 1)]
        assert len(ids(stores)) == 5

    def test_a_photo_tells_its_name_tags_and_problems(self, stores: Stores) -> None:
        (two,) = stores.catalogue.photos(PhotoFilter(tag="cat", faces=False)).photos
        assert (two.name, list(two.tags), list(two.unsuccessful)) == ("A.jpg", ["cat"], ["ocr"])

    @pytest.mark.parametrize("few", [0, 2, 9])
    def test_common_and_rare_labels_are_found_alike(
        self, stores: Stores, monkeypatch: pytest.MonkeyPatch, few: int
    ) -> None:
        monkeypatch.setattr("imaginem.sql.catalogue._FEW", few)
        assert ids(stores, tag="cat") == ["one", "two"]
        assert ids(stores, tag="dog", text="hello") == ["one"]
        assert ids(stores, tag="cat", category="people_") == ["two"]
        assert ids(stores, tag="cat", faces=True) == ["one"]
        assert ids(stores, tag="cat", batch="b") == ["one", "two"]
        assert ids(stores, tag="Cat", batch="b") == ids(stores, tag="bird") == []
        assert stores.catalogue.labels(PhotoFilter(tag="cat", category="people_"), "tag") == [
            ("cat", 1)
        ]
        for wanted in (PhotoFilter(tag="dog", batch="b"), PhotoFilter(tag="dog", faces=True)):
            assert stores.catalogue.labels(wanted, "tag") == [("cat", 1), ("dog", 1)]
        assert stores.catalogue.labels(PhotoFilter(tag="dog", batch="c"), "tag") == []

    def test_a_labels_photos_lie_in_the_time_that_is_asked_for(self, stores: Stores) -> None:
        (one, _) = reversed(stores.catalogue.photos(PhotoFilter(tag="cat")).photos)
        after = one.timestamp + timedelta(microseconds=1)
        assert ids(stores, tag="cat", since=after) == ["two"]
        assert ids(stores, tag="cat", until=after) == ["one"]
        assert ids(stores, tag="cat", since=one.timestamp, until=after) == ["one"]
        assert stores.catalogue.labels(PhotoFilter(tag="cat", since=after), "tag") == [("cat", 1)]

    def test_a_photo_that_is_run_again_moves_to_the_front_of_its_label(
        self, stores: Stores
    ) -> None:
        def listed() -> list[str]:
            return [photo.id for photo in stores.catalogue.photos(PhotoFilter(tag="cat")).photos]

        assert listed() == ["two", "one"]
        save(stores, ("b", "one"), tags=["cat"])
        assert listed() == ["one", "two"]
        stores.results.drop_faces(("b", "two"), [uuid.uuid4()])
        assert listed() == ["one", "two"]

    def test_labels_are_counted_within_the_filter(self, stores: Stores) -> None:
        assert stores.catalogue.labels(PhotoFilter(), "tag") == [("cat", 2), ("Cat", 1), ("dog", 1)]
        assert stores.catalogue.labels(PhotoFilter(faces=True), "tag") == [("cat", 1), ("dog", 1)]
        assert stores.catalogue.labels(PhotoFilter(tag="dog"), "tag") == [("cat", 1), ("dog", 1)]
        assert stores.catalogue.labels(PhotoFilter(), "object") == [("cup", 1)]
        assert stores.catalogue.labels(PhotoFilter(), "tag", limit=1) == [("cat", 2)]

    def test_text_that_can_not_be_read_is_counted_and_found(self, stores: Stores) -> None:
        hebrew, unknown = "text in Hebrew, not readable here", "text, not readable here"
        save(stores, ("b", "four"), text="hello", unreadable=[hebrew, hebrew, unknown])
        save(stores, ("c", "five"), tags=["cat"], unreadable=[hebrew])
        labels = stores.catalogue.labels
        assert labels(PhotoFilter(), "unreadable") == [(hebrew, 2), (unknown, 1)]
        assert labels(PhotoFilter(tag="cat"), "unreadable") == [(hebrew, 1)]
        assert labels(PhotoFilter(batch="b", text="hello"), "unreadable") == [
            (hebrew, 1),
            (unknown, 1),
        ]
        assert ids(stores, unreadable=hebrew) == ["five", "four"]
        assert ids(stores, unreadable=hebrew, tag="cat") == ["five"]
        assert ids(stores, unreadable=hebrew, text="hello") == ["four"]
        assert ids(stores, unreadable="hebrew") == []
        assert labels(PhotoFilter(unreadable=hebrew), "tag") == [("cat", 1)]
        save(stores, ("b", "four"), text="hello")  # looked at again, and read
        assert ids(stores, unreadable=hebrew) == ["five"]

    @pytest.mark.parametrize("wanted", [PhotoFilter(batch="many"), PhotoFilter(tag="bird")])
    def test_a_cursor_leads_through_all_of_them_once(
        self, stores: Stores, wanted: PhotoFilter
    ) -> None:
        for number in range(25):
            save(stores, ("many", f"{number:02}"), tags=["bird"])
        seen: list[str] = []
        cursor = ""
        while True:
            page = stores.catalogue.photos(wanted, cursor, 10)
            seen += [photo.id for photo in page.photos]
            cursor = page.cursor
            if not cursor:
                break
        assert seen == [f"{number:02}" for number in reversed(range(25))]

    @pytest.mark.parametrize("cursor", ["x", "%%%", "WzEsMl0", "W10", "é", "bnVsbA"])
    def test_a_cursor_that_is_none_is_told(self, stores: Stores, cursor: str) -> None:
        with pytest.raises(InvalidMessage, match="cursor"):
            stores.catalogue.photos(PhotoFilter(), cursor)

    def test_other_groups_photos_are_left_out(self, stores: Stores) -> None:
        stores.batches.open_batch("red", "red")
        save(stores, ("red", "hidden"), tags=["secret"])
        assert "hidden" in ids(stores)
        assert "hidden" in ids(stores, groups=frozenset({"red"}))
        for groups in (frozenset[str](), frozenset({"blue"})):
            assert ids(stores, groups=groups) == ["one", "three", "two"]
            assert ("secret", 1) not in stores.catalogue.labels(PhotoFilter(groups=groups), "tag")


def test_what_was_there_before_the_dashboard_is_found(address: str, tmp_path: Path) -> None:
    with at_revision(address, "first_tables") as connection:
        for number, unfinished in enumerate(("", "ocr")):
            key, at = ("old", f"{number}"), f"2026-01-0{number + 1} 00:00:00"
            job = add_result(connection, key, at, "HELLO", unfinished)
            add_tag(connection, job, "cat")
    database = Database(address, tmp_path)
    stores = sql_stores(database)
    found = stores.batches.batch("old")
    assert found is not None
    assert (found.done, found.unsuccessful, found.group) == (2, 1, "")
    assert ids(stores, text="hello") == ["0", "1"]
    cats = stores.catalogue.photos(PhotoFilter(tag="cat")).photos
    assert [(photo.id, photo.timestamp.day) for photo in cats] == [("1", 2), ("0", 1)]
    database.close()
