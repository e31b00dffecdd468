"""The face gallery: in memory, on SQLite and on PostgreSQL alike."""

import contextlib
import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imaginem.errors import NotFound, PermanentError
from imaginem.ports import EnrolledFace
from imaginem.sql import Database, SqlServiceFaces
from tests.contract.rows import ONE, THREE, TWO, face, match
from tests.stores import Stores, sql_stores


class TestGallery:
    def test_an_erasure_of_a_run_leaves_faces_that_a_later_one_enrolled(
        self, stores: Stores
    ) -> None:
        both, old, new = face(1, 0), face(0, 1), face(1, 1)
        stores.gallery.enrol(ONE, [both, old], run="first")
        stores.gallery.enrol(ONE, [both, old, new], run="later")
        stores.gallery.enrol(TWO, [face(0, 1)], run="first")
        stores.gallery.erase_runs(ONE, ["first", "other"])
        assert len(stores.gallery.faces_of(ONE)) == 3
        stores.gallery.erase_runs(ONE, ["later"])
        assert stores.gallery.faces_of(ONE) == []
        assert len(stores.gallery.faces_of(TWO)) == 1
        stores.gallery.enrol(ONE, [old])
        stores.gallery.erase_runs(ONE, ["whichever"])
        assert stores.gallery.faces_of(ONE) == [], "nobody knows of which run it is"

    def test_enrolling_again_replaces_a_jobs_faces(self, stores: Stores) -> None:
        stays, goes, other = face(1, 0), face(1, 0.1), face(1, 0.2)
        stores.gallery.enrol(ONE, [stays, goes])
        stores.gallery.enrol(TWO, [other])
        stores.gallery.keep_matches([match(stays, other), match(goes, other)])
        stores.gallery.enrol(ONE, [stays])

        assert [owner.face_id for owner in stores.gallery.faces_of(ONE)] == [stays.face_id]
        both = [(owner.face_id, owner.job_id) for owner in stores.gallery.faces_of(ONE, TWO, THREE)]
        assert sorted(both) == sorted([(stays.face_id, ONE[1]), (other.face_id, TWO[1])])
        assert stores.gallery.faces_of() == []
        assert [m.matched_face_id for m in stores.gallery.matches_of([other.face_id])] == [
            stays.face_id
        ]
        found = stores.face_index.similar(TWO, other.face_id, min_similarity=0, limit=10)
        assert [alike.face_id for alike in found] == [stays.face_id]
        with pytest.raises(NotFound):
            stores.face_index.similar(ONE, goes.face_id, min_similarity=0, limit=1)

    def test_another_jobs_face_cannot_be_taken_over(self, stores: Stores) -> None:
        mine = face(1, 0)
        stores.gallery.enrol(ONE, [mine])
        with pytest.raises(PermanentError, match="belongs to another job"):
            stores.gallery.enrol(TWO, [mine])

    def test_one_face_twice_is_refused(self, stores: Stores) -> None:
        mine = face(1, 0)
        with pytest.raises(PermanentError, match="same face_id"):
            stores.gallery.enrol(ONE, [mine, mine])

    def test_matches_show_from_both_sides(self, stores: Stores) -> None:
        one, other = face(1, 0), face(1, 0.1)
        stores.gallery.enrol(ONE, [one])
        stores.gallery.enrol(TWO, [other])
        stores.gallery.keep_matches([match(one, other, 0.7)])
        stores.gallery.keep_matches([match(other, one, 0.8)])

        (from_one,) = stores.gallery.matches_of([one.face_id])
        (from_other,) = stores.gallery.matches_of([other.face_id])
        assert (from_one.matched_face_id, from_one.confidence) == (other.face_id, 0.8)
        assert (from_other.matched_face_id, from_other.confidence) == (one.face_id, 0.8)

    def test_of_a_pair_that_is_given_from_both_sides_the_last_counts(self, stores: Stores) -> None:
        one, other = face(1, 0), face(1, 0.1)
        stores.gallery.enrol(ONE, [one])
        stores.gallery.enrol(TWO, [other])
        stores.gallery.keep_matches([match(one, other, 0.7), match(other, one, 0.8)])
        found = stores.gallery.matches_of([one.face_id, other.face_id])
        assert [each.confidence for each in found] == [0.8, 0.8]

    def test_a_match_with_a_face_that_is_gone_is_left_out(self, stores: Stores) -> None:
        one = face(1, 0)
        stores.gallery.enrol(ONE, [one])
        stores.gallery.keep_matches([match(one, face(1, 0))])
        assert stores.gallery.matches_of([one.face_id]) == []

    def test_owners_and_qualities_are_looked_up(self, stores: Stores) -> None:
        one = face(1, 0)
        stores.gallery.enrol(ONE, [one])
        unknown = uuid.uuid4()

        owner = stores.gallery.owners([one.face_id, unknown])[one.face_id]
        assert ((owner.batch_id, owner.job_id), owner.rectangle) == (ONE, (1, 2, 3, 4))
        assert stores.gallery.qualities([one.face_id, unknown]) == {one.face_id: pytest.approx(0.8)}

    def test_a_job_without_faces_is_no_error(self, stores: Stores) -> None:
        stores.gallery.enrol(ONE, [])
        stores.gallery.keep_matches([])
        assert stores.gallery.faces_of(ONE) == []
        assert stores.gallery.matches_of([]) == []

    def test_recent_faces_come_first_and_other_groups_never(self, stores: Stores) -> None:
        first, second = face(1, 0), face(1, 0.1)
        stores.gallery.enrol(ONE, [first])
        stores.gallery.enrol(TWO, [second])
        one, other = first.face_id, second.face_id
        assert [each.face_id for each in stores.gallery.recent_faces(None, 5)] == [other, one]
        stores.batches.open_batch("b", "red")
        assert stores.gallery.recent_faces(frozenset(), 5) == []

    def test_faces_of_other_models_are_known_to_who_may_see_them(self, stores: Stores) -> None:
        stores.gallery.enrol(ONE, [face(1, 0, model="m")])
        assert not stores.gallery.has_other_models("m", None)
        for model in ("a", "z"):  # before and after it in the index
            assert stores.gallery.has_other_models(model, None)
            assert stores.gallery.has_other_models(model, frozenset())
        stores.batches.open_batch("b", "red")
        assert not stores.gallery.has_other_models("a", frozenset())
        assert stores.gallery.has_other_models("a", frozenset({"red"}))


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    databases = [Database("", tmp_path) for _ in range(4)]
    instances = [sql_stores(database) for database in databases]

    def enrol(number: int) -> None:
        instances[number % 4].gallery.enrol(("b", str(number)), [face(1, number)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enrol, range(40)))
    probe = face(1, 0)
    instances[0].gallery.enrol(("b", "probe"), [probe])
    found = instances[1].face_index.similar(
        ("b", "probe"), probe.face_id, min_similarity=-1, limit=100
    )
    assert len(found) == 40
    for database in databases:
        database.close()


def test_matching_erasing_and_adding_at_once_stops_nobody(database: Database) -> None:
    """On PostgreSQL a wrong order of locks would show as deadlocks."""
    stores = sql_stores(database)
    people, known = stores.gallery, SqlServiceFaces(database, "account")
    faces = [face(1, number) for number in range(20)]
    for number, each in enumerate(faces):
        people.enrol(("b", str(number)), [each])
    known.add_list("list", 1)
    chance = random.Random(7)
    one_delivery = [threading.Lock() for _ in faces]

    def work(kind: int, number: int, others: list[EnrolledFace]) -> None:
        mine = faces[number]
        if kind < 2:
            people.keep_matches([match(mine, other) for other in others if other is not mine])
        elif kind == 2:
            with one_delivery[number]:  # of two deliveries of a job one is tried again, rightly
                people.enrol(("b", str(number)), [])
                people.enrol(("b", str(number)), [mine])
        elif kind == 3:
            with contextlib.suppress(NotFound):  # one of them is erased at this moment
                other = next(each for each in others if each is not mine)
                stores.reviews.review((mine.face_id, other.face_id), "confirmed", "Ann")
        elif addition := known.adding(mine.face_id, "list"):
            known.added(addition, mine.face_id, "list", uuid.uuid4().hex)

    with ThreadPoolExecutor(6) as pool:
        jobs = [
            pool.submit(work, chance.randrange(5), chance.randrange(20), chance.sample(faces, 8))
            for _ in range(150)
        ]
    for job in jobs:
        job.result()
    people.enrol(("b", "0"), [])
    gone = faces[0].face_id
    assert gone not in {
        found.matched_face_id for found in people.matches_of([each.face_id for each in faces])
    }
    assert people.matches_of([gone]) == []
    assert stores.reviews.decisions([gone]) == {}
