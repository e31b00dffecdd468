"""Batches and what was sent in them: in memory, on SQLite and on PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from imaginem.errors import InvalidMessage, PermanentError
from imaginem.ports import Submission
from imaginem.sql import Database
from imaginem.sql.schema import Base
from tests.contract.rows import save
from tests.stores import Stores, sql_stores

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def everything(database: Database) -> str:
    """Return every row of every table."""
    with database.session(reading=True) as session:
        return str([session.execute(table.select()).all() for table in Base.metadata.sorted_tables])


class TestBatches:
    def test_a_batch_is_known_by_what_was_sent_and_what_was_done(self, stores: Stores) -> None:
        for job in ("one", "two", "three"):
            stores.submissions.submitted(("b", job), f"run-{job}")
        stores.submissions.submitted(("b", "one"), "run")
        save(stores, ("b", "one"), faces=2)
        save(stores, ("b", "two"), faces=1, problem=True)
        batch = stores.batches.batch("b")

        assert batch is not None
        assert (batch.submitted, batch.done, batch.unsuccessful, batch.faces) == (3, 2, 1, 3)
        sent = stores.submissions.submissions("b")
        assert {name: each.run for name, each in sent.items()} == {
            "one": "run",
            "three": "run-three",
            "two": "run-two",
        }
        stores.submissions.erase(("b", "three"))
        assert stores.submissions.submission(("b", "three")) is None
        assert stores.results.finished("b") == ["one", "two"]
        assert stores.batches.batch("none") is None

    def test_batches_are_listed_newest_first_by_pages_and_groups(self, stores: Stores) -> None:
        for number in range(5):
            stores.batches.open_batch(f"b{number}", "red" if number == 2 else "")
        page = stores.batches.batches(None, limit=3)
        rest = stores.batches.batches(None, page.cursor, limit=3)
        names = [each.batch_id for each in (*page.batches, *rest.batches)]
        assert names == ["b4", "b3", "b2", "b1", "b0"]
        assert rest.cursor == ""
        mine = stores.batches.batches(frozenset({"blue"}))
        assert [each.batch_id for each in mine.batches] == ["b4", "b3", "b1", "b0"]

    def test_a_batch_stays_its_groups(self, stores: Stores) -> None:
        stores.batches.open_batch("b", "red")
        stores.batches.open_batch("b")
        with pytest.raises(PermanentError, match="not this group"):
            stores.batches.open_batch("b", "blue")
        found = stores.batches.batch("b")
        assert found is not None
        assert found.group == "red"

    def test_many_who_open_one_batch_at_once_make_one(self, stores: Stores) -> None:
        with ThreadPoolExecutor(8) as pool:
            for done in [
                pool.submit(stores.submissions.submitted, ("b", f"{n}"), "run") for n in range(40)
            ]:
                done.result()
        found = stores.batches.batch("b")
        assert found is not None
        assert found.submitted == 40

    def test_a_cursor_that_is_not_valid_is_refused(self, stores: Stores) -> None:
        with pytest.raises(InvalidMessage, match="cursor"):
            stores.batches.batches(None, "W10")

    def test_an_erased_batch_keeps_its_group_alone(self, stores: Stores) -> None:
        stores.batches.open_batch("red", "red")
        stores.batches.open_batch("open")
        for name in ("red", "open", "none"):
            stores.batches.forget_batch(name)
        assert stores.batches.batch("red") is None
        assert stores.batches.batches(None).batches == []
        assert stores.batches.groups_of(["red", "open"]) == {"red": "red"}
        assert stores.batches.open_batch("red") == "red"
        assert stores.batches.batch("red") is not None
        assert stores.batches.open_batch("open", "blue") == "blue"
        assert stores.batches.groups_of(["red", "open"]) == {"red": "red", "open": "blue"}

    def test_an_erased_batch_that_is_sent_to_again_is_its_groups(self, stores: Stores) -> None:
        stores.batches.open_batch("red", "red")
        stores.batches.forget_batch("red")
        with pytest.raises(PermanentError, match="choose another id"):
            stores.batches.open_batch("red", "blue")
        stores.submissions.submitted(("red", "late"), "run")
        assert [batch.group for batch in stores.batches.batches(None).batches] == ["red"]
        stores.submissions.erase(("red", "late"))
        stores.batches.forget_batch("red")
        stores.batches.forget_batch("red")
        assert stores.batches.groups_of(["red"]) == {"red": "red"}

    def test_the_id_of_an_erased_batch_is_kept_nowhere(self, sqlite: Database) -> None:
        batches = sql_stores(sqlite).batches
        batches.open_batch("family-name", "red")
        assert "family-name" in everything(sqlite)
        batches.forget_batch("family-name")
        assert "red" in everything(sqlite)
        assert "family-name" not in everything(sqlite)

    def test_what_was_sent_is_kept_as_long_as_its_submission(self, stores: Stores) -> None:
        key, text = ("b", "one"), '{"note": "ü\\u0000"}'
        assert stores.submissions.message(key) == ""
        stores.submissions.submitted(key, "run-1", queue="ocr", message=text)
        sent = stores.submissions.submission(key)
        assert sent is not None
        assert (sent.queue, stores.submissions.message(key)) == ("ocr", text)
        assert stores.submissions.submissions("b")["one"].queue == "ocr"
        stores.submissions.submitted(key, "run-2")
        assert stores.submissions.message(key) == text
        assert stores.submissions.submissions("b")["one"].queue == "ocr"
        stores.submissions.submitted(key, "run-3", queue="other", message="{}")
        assert stores.submissions.message(key) == "{}"
        stores.submissions.erase(key)
        assert stores.submissions.message(key) == ""

    def test_what_a_sender_said_comes_back_as_json(self, stores: Stores) -> None:
        stores.submissions.submitted(("b", "one"), "run", {"size": 5, "name": "ü"})
        sent = stores.submissions.submission(("b", "one"))
        assert sent is not None
        assert sent.parameters == {"size": 5, "name": "ü"}

    def test_an_id_is_claimed_by_one_photo_alone(self, stores: Stores) -> None:
        key = ("b", "one")
        assert stores.submissions.claim(key, "red", {"name": "ü"}) is None
        known = stores.submissions.claim(key, "blue")
        assert known is not None
        assert (known.photo, known.run, known.parameters) == ("red", "", {"name": "ü"})
        assert stores.batches.batch("b") is not None
        stores.submissions.submitted(key, "run")
        sent = stores.submissions.submission(key)
        assert sent is not None
        assert (sent.photo, sent.run) == ("red", "run")
        stores.submissions.submitted(key, "run", None, "")
        assert stores.submissions.submissions("b")["one"].photo == ""
        assert stores.submissions.photos([("b", "one"), ("b", "nosuch")]) == {}

    def test_what_senders_said_is_read_of_some_jobs_at_once(self, stores: Stores) -> None:
        stores.submissions.submitted(("b", "one"), "run", {"original_name": "ü.png"})
        stores.submissions.submitted(("b", "two"), "run")
        stores.submissions.submitted(("c", "one"), "run", ["odd"])
        asked = [("b", "one"), ("b", "two"), ("b", "nosuch")]
        assert stores.submissions.parameters(asked) == {
            ("b", "one"): {"original_name": "ü.png"},
            ("b", "two"): None,
        }
        assert stores.submissions.parameters([]) == {}

    def test_a_claim_is_taken_over_only_as_it_was_read(self, stores: Stores) -> None:
        key = ("b", "one")
        assert stores.submissions.claim(key, "red", over=Submission("", MOMENT)) is not None
        stores.submissions.submitted(key, "run", None, "red")
        read = stores.submissions.submission(key)
        assert read is not None
        assert stores.submissions.claim(key, "blue", over=read) is None
        late = stores.submissions.claim(key, "green", over=read)
        assert late is not None
        assert (late.photo, late.run) == ("blue", "")

    def test_only_what_was_not_sent_is_withdrawn(self, stores: Stores) -> None:
        stores.submissions.claim(("b", "one"), "red")
        stores.submissions.submitted(("b", "two"), "run")
        for name in ("one", "two", "none"):
            stores.submissions.withdraw(("b", name))
        assert list(stores.submissions.submissions("b")) == ["two"]

    def test_of_many_who_claim_an_id_at_once_one_gets_it(self, stores: Stores) -> None:
        with ThreadPoolExecutor(8) as pool:
            claims = [pool.submit(stores.submissions.claim, ("b", "x"), f"{n}") for n in range(24)]
            known = [claim.result() for claim in claims]
        photo = stores.submissions.submissions("b")["x"].photo
        assert stores.submissions.photos([("b", "x"), ("c", "x")]) == {("b", "x"): photo}
        assert known.count(None) == 1
        assert {each.photo for each in known if each} == {photo}
