"""Photos that may not come back, and which jobs have a photo: on every backend alike."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import event

from imaginem.ports import EnrolledFace, JobResult
from imaginem.sql import Database, SqlBarredPhotos
from tests.stores import Stores

ONE, OTHER = "a" * 64, "b" * 64


def marks(stores: Stores, batch_id: str) -> list[str]:
    return sorted(each.mark for each in stores.barred.of_batch(batch_id))


class TestBars:
    def test_a_bar_holds_in_the_batches_of_its_group_and_nowhere_else(self, stores: Stores) -> None:
        for batch, group in (("r", "Red"), ("s", "red"), ("open", "")):
            stores.batches.open_batch(batch, group)
        assert stores.barred.bar("red", ONE, "Ann")
        assert stores.barred.bar("", OTHER, "Ann")
        assert (marks(stores, "s"), marks(stores, "r")) == ([ONE], [])
        assert marks(stores, "open") == marks(stores, "nobody opened it") == [OTHER]

    def test_one_query_tells_that_nothing_is_barred_anywhere(self, tmp_path: Path) -> None:
        database, asked = Database("", tmp_path), []
        barred = SqlBarredPhotos(database)
        assert barred.of_batch("b") == []  # makes the tables
        event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        assert barred.of_batch("b") == []
        assert len([each for each in asked if each.startswith("SELECT")]) == 1
        database.close()

    def test_it_holds_for_the_id_of_a_batch_that_was_erased(self, stores: Stores) -> None:
        stores.batches.open_batch("r", "red")
        stores.barred.bar("red", ONE, "Ann")
        stores.batches.forget_batch("r")
        assert marks(stores, "r") == [ONE]

    def test_who_barred_it_first_and_when_stays_noted(self, stores: Stores) -> None:
        assert stores.barred.bar("red", ONE, "A" * 300)
        assert not stores.barred.bar("red", ONE, "Bob")
        (bar,) = stores.barred.all()
        assert (bar.group, bar.mark, bar.who[:3]) == ("red", ONE, "AAA")
        assert datetime.now(UTC) - bar.at < timedelta(minutes=1)

    def test_bars_of_a_backup_are_added_and_others_stay(self, stores: Stores) -> None:
        stores.barred.bar("red", ONE, "Ann")
        (there,) = stores.barred.all()
        missing = replace(there, mark=OTHER, group="", who="Bob")
        stores.barred.restore([replace(there, who="Eve"), missing, missing])
        assert sorted(stores.barred.all(), key=lambda bar: bar.mark) == sorted(
            [there, missing], key=lambda bar: bar.mark
        )

    def test_it_can_be_lifted_once(self, stores: Stores) -> None:
        stores.barred.bar("red", ONE, "Ann")
        stores.barred.bar("red", OTHER, "Ann")
        assert stores.barred.lift(ONE)
        assert not stores.barred.lift(ONE)
        assert [bar.mark for bar in stores.barred.all()] == [OTHER]


class TestKnownPhotos:
    def test_jobs_are_known_by_what_was_sent_and_by_the_faces_that_were_found(
        self, stores: Stores
    ) -> None:
        stores.submissions.submitted(("b", "sent"), "run", photo=ONE)
        stores.submissions.submitted(("b", "other"), "run", photo=OTHER)
        stores.submissions.claim(("c", "claimed"), ONE)
        face = EnrolledFace(uuid.uuid4(), "m", b"\0" * 16, 0.9, (1, 2, 3, 4), ONE)
        stores.gallery.enrol(("c", "shown"), [face])
        known = stores.known_photos.jobs_with(ONE)
        assert known == {("b", "sent"), ("c", "claimed"), ("c", "shown")}
        assert stores.known_photos.jobs_with("c" * 64) == set()

    def test_addresses_are_told_by_batch_as_far_as_there_are_any(self, stores: Stores) -> None:
        for batch, job, url in (("b", "one", "https://x/1"), ("b", "none", ""), ("c", "two", "u")):
            stores.results.save(JobResult(batch, job, ["ocr"], "", None, {}, photo_url=url))
        assert stores.known_photos.addresses("b") == {"one": "https://x/1"}
