"""Photos by what was found in them, batches and verdicts: on SQLite and PostgreSQL alike."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.ports import EnrolledFace, JobKey, JobResult, PhotoFilter
from imaginem.sql import Database, SqlArchive, SqlGallery, SqlResults
from imaginem.sql.migrate import _config, upgrade
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    address = ""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        address = server.database(request.getfixturevalue("migrated"))
    made = Database(address, tmp_path)
    yield made
    made.close()


@pytest.fixture
def archive(database: Database) -> SqlArchive:
    return SqlArchive(database)


def save(database: Database, key: JobKey, **found: object) -> None:
    tags = [{"name": name, "confidence": 0.9} for name in found.get("tags", ())]  # type: ignore[attr-defined]
    outputs = {
        "generalclassification": {
            "tags": tags,
            "categories": [{"name": "people_", "score": 0.5}] if found.get("people") else [],
            "objects": [{"object": "cup", "confidence": 0.7}] if found.get("cup") else [],
        },
        "ocr": {"full_text": found.get("text", "")},
        "facedetection": {"faces": [{}] * int(str(found.get("faces", 0)))},
    }
    unfinished = ("ocr",) if found.get("problem") else ()
    result = JobResult(*key, ("ocr",), "https://x.test/a", {"original_name": "A.jpg"}, outputs)
    SqlResults(database).save(replace(result, unsuccessful=unfinished))


def ids(archive: SqlArchive, **wanted: object) -> list[str]:
    return sorted(photo.id for photo in archive.photos(PhotoFilter(**wanted)).photos)  # type: ignore[arg-type]


class TestPhotos:
    @pytest.fixture(autouse=True)
    def _photos(self, database: Database) -> None:
        save(database, ("b", "one"), tags=["cat", "dog"], text="Hello ÄPFEL 50% off_x", faces=2)
        save(database, ("b", "two"), tags=["cat"], people=True, problem=True)
        save(database, ("c", "three"), tags=["Cat"], cup=True)

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
            ({"text": "%"}, ["one"]),
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
        self, archive: SqlArchive, wanted: dict[str, object], found: list[str]
    ) -> None:
        assert ids(archive, **wanted) == found

    def test_a_photo_tells_its_name_tags_and_problems(self, archive: SqlArchive) -> None:
        (two,) = archive.photos(PhotoFilter(tag="cat", faces=False)).photos
        assert (two.name, list(two.tags), list(two.unsuccessful)) == ("A.jpg", ["cat"], ["ocr"])

    def test_labels_are_counted_within_the_filter(self, archive: SqlArchive) -> None:
        assert archive.labels(PhotoFilter(), "tag") == [("cat", 2), ("Cat", 1), ("dog", 1)]
        assert archive.labels(PhotoFilter(faces=True), "tag") == [("cat", 1), ("dog", 1)]
        assert archive.labels(PhotoFilter(tag="dog"), "tag") == [("cat", 1), ("dog", 1)]
        assert archive.labels(PhotoFilter(), "object") == [("cup", 1)]
        assert archive.labels(PhotoFilter(), "tag", limit=1) == [("cat", 2)]

    def test_a_cursor_leads_through_all_of_them_once(
        self, archive: SqlArchive, database: Database
    ) -> None:
        for number in range(25):
            save(database, ("many", f"{number:02}"))
        seen: list[str] = []
        cursor = ""
        while True:
            page = archive.photos(PhotoFilter(batch="many"), cursor, 10)
            seen += [photo.id for photo in page.photos]
            cursor = page.cursor
            if not cursor:
                break
        assert seen == [f"{number:02}" for number in reversed(range(25))]

    @pytest.mark.parametrize("cursor", ["x", "%%%", "WzEsMl0", "W10", "é", "bnVsbA"])
    def test_a_cursor_that_is_none_is_told(self, archive: SqlArchive, cursor: str) -> None:
        with pytest.raises(InvalidMessage, match="cursor"):
            archive.photos(PhotoFilter(), cursor)

    def test_other_groups_photos_are_left_out(
        self, archive: SqlArchive, database: Database
    ) -> None:
        archive.open_batch("red", "red")
        save(database, ("red", "hidden"), tags=["secret"])
        assert "hidden" in ids(archive)
        assert "hidden" in ids(archive, groups=frozenset({"red"}))
        for groups in (frozenset[str](), frozenset({"blue"})):
            assert ids(archive, groups=groups) == ["one", "three", "two"]
            assert ("secret", 1) not in archive.labels(PhotoFilter(groups=groups), "tag")


class TestBatches:
    def test_a_batch_is_known_by_what_was_sent_and_what_was_done(
        self, archive: SqlArchive, database: Database
    ) -> None:
        for job in ("one", "two", "three"):
            archive.submitted(("b", job), f"run-{job}")
        archive.submitted(("b", "one"), "run")
        save(database, ("b", "one"), faces=2)
        save(database, ("b", "two"), faces=1, problem=True)
        batch = archive.batch("b")

        assert batch is not None
        assert (batch.submitted, batch.done, batch.unsuccessful, batch.faces) == (3, 2, 1, 3)
        sent = archive.submissions("b")
        assert {name: each.run for name, each in sent.items()} == {
            "one": "run",
            "three": "run-three",
            "two": "run-two",
        }
        archive.withdraw(("b", "three"))
        assert archive.submission(("b", "three")) is None
        assert archive.finished("b") == ["one", "two"]
        assert archive.batch("none") is None

    def test_batches_are_listed_newest_first_by_pages_and_groups(self, archive: SqlArchive) -> None:
        for number in range(5):
            archive.open_batch(f"b{number}", "red" if number == 2 else "")
        page = archive.batches(None, limit=3)
        rest = archive.batches(None, page.cursor, limit=3)
        names = [each.batch_id for each in (*page.batches, *rest.batches)]
        assert names == ["b4", "b3", "b2", "b1", "b0"]
        assert rest.cursor == ""
        mine = archive.batches(frozenset({"blue"}))
        assert [each.batch_id for each in mine.batches] == ["b4", "b3", "b1", "b0"]

    def test_a_batch_stays_its_groups(self, archive: SqlArchive) -> None:
        archive.open_batch("b", "red")
        archive.open_batch("b")
        with pytest.raises(PermanentError, match="not this group"):
            archive.open_batch("b", "blue")
        found = archive.batch("b")
        assert found is not None
        assert found.group == "red"

    def test_many_who_open_one_batch_at_once_make_one(self, archive: SqlArchive) -> None:
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(archive.submitted, ("b", f"{n}"), "run") for n in range(40)]:
                done.result()
        found = archive.batch("b")
        assert found is not None
        assert found.submitted == 40

    def test_what_is_forgotten_is_gone(self, archive: SqlArchive, database: Database) -> None:
        archive.submitted(("b", "one"), "run")
        save(database, ("b", "one"), tags=["cat"])
        archive.forget(("b", "one"))
        archive.forget_batch("b")
        assert SqlResults(database).read(("b", "one")) is None
        assert archive.labels(PhotoFilter(), "tag") == []
        assert archive.batch("b") is None


class TestVerdicts:
    def faces(self, database: Database) -> tuple[uuid.UUID, uuid.UUID]:
        made = [
            EnrolledFace(uuid.uuid4(), "m", bytes([0, 0, 128, 63]) * 4, 0.9, (1, 2, 3, 4))
            for _ in range(2)
        ]
        for number, each in enumerate(made):
            SqlGallery(database).enrol(("b", str(number)), [each])
        return made[0].face_id, made[1].face_id

    def test_a_verdict_is_seen_from_both_sides_and_can_be_taken_back(
        self, archive: SqlArchive, database: Database
    ) -> None:
        one, other = self.faces(database)
        archive.judge((one, other), "confirmed", "Ann")
        archive.judge((other, one), "rejected", "Bob")
        for pair in ((one, other), (other, one)):
            said = archive.verdicts([pair[0]])[pair]
            assert (said.verdict, said.who) == ("rejected", "Bob")
            assert datetime.now(UTC) - said.at < timedelta(minutes=1)
        archive.judge((one, other), "", "Ann")
        assert archive.verdicts([one, other]) == {}

    def test_an_erased_face_takes_its_verdicts_along(
        self, archive: SqlArchive, database: Database
    ) -> None:
        one, other = self.faces(database)
        archive.judge((one, other), "confirmed", "Ann")
        SqlGallery(database).enrol(("b", "0"), [])
        assert archive.verdicts([other]) == {}
        with pytest.raises(NotFound):
            archive.judge((one, other), "confirmed", "Ann")

    def test_recent_faces_come_first_and_other_groups_never(
        self, archive: SqlArchive, database: Database
    ) -> None:
        one, other = self.faces(database)
        assert [each.face_id for each in archive.recent_faces(None, 5)] == [other, one]
        archive.open_batch("b", "red")
        assert archive.recent_faces(frozenset(), 5) == []


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_what_was_there_before_the_dashboard_is_found(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    address = f"sqlite:///{tmp_path / 'imaginem.db'}"
    if server == "postgresql":
        address = request.getfixturevalue("postgres").database()
    engine = create_engine(address)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "first_tables")
        for number, unfinished in enumerate(("", "ocr")):
            values = {
                "batch_id": "old",
                "id": f"{number}",
                "job": uuid.UUID(int=number).hex,
                "text": "HELLO",
                "unfinished": unfinished,
                "at": "2026-01-01 00:00:00",
            }
            connection.execute(text(_OLD_ROW), values)
    upgrade(engine)
    engine.dispose()
    database = Database(address, tmp_path)
    archive = SqlArchive(database)
    found = archive.batch("old")
    assert found is not None
    assert (found.done, found.unsuccessful, found.group) == (2, 1, "")
    assert ids(archive, text="hello") == ["0", "1"]
    database.close()


_OLD_ROW = (
    "INSERT INTO pipeline_output (batch_id, id, job, processing_pipeline, image_url, "
    "image_parameters, photo_url, job_output, unfinished, full_text, faces, timestamp) VALUES "
    "(:batch_id, :id, :job, 'ocr', 'u', 'null', '', '{}', :unfinished, :text, 0, :at)"
)
