"""Results and face gallery: the in-memory twins and SQL behave alike."""

import random
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from imaginem.errors import ConfigurationError, NotFound, PermanentError
from imaginem.outputs import FaceMatch
from imaginem.ports import EnrolledFace, FaceGallery, JobKey, JobResult, Results
from imaginem.sql import Database, SqlGallery, SqlResults, SqlServiceFaces
from imaginem.sql.output import labels
from imaginem.testing import MemoryGallery, MemoryResults
from tests.postgres import Postgres

BACKENDS = ("memory", "sqlite", "postgresql")
ONE, TWO, THREE = ("b", "one"), ("b", "two"), ("c", "one")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    made = Database("", tmp_path)
    yield made
    made.close()


@pytest.fixture
def postgresql(postgres: Postgres, migrated: str, tmp_path: Path) -> Iterator[Database]:
    made = Database(postgres.database(migrated), tmp_path)
    yield made
    made.close()


@pytest.fixture(params=BACKENDS[1:])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=BACKENDS)
def results(request: pytest.FixtureRequest) -> Results:
    if request.param == "memory":
        return MemoryResults()
    return SqlResults(request.getfixturevalue(request.param))


@pytest.fixture(params=BACKENDS)
def gallery(request: pytest.FixtureRequest) -> FaceGallery:
    if request.param == "memory":
        return MemoryGallery()
    return SqlGallery(request.getfixturevalue(request.param))


def result(key: JobKey, **output: object) -> JobResult:
    return JobResult(
        batch_id=key[0],
        id=key[1],
        processing_pipeline=("ocr", "pipelineoutput"),
        image_url="https://x.test/a",
        image_parameters={"size": 5, "name": "ü"},
        job_output=output,
        unsuccessful=("ocr",),
    )


class TestResults:
    def test_a_result_is_kept_and_replaced(self, results: Results) -> None:
        results.save(result(ONE, ocr={"full_text": "old"}))
        results.save(result(ONE, ocr={"full_text": "new"}))
        kept = results.read(ONE)

        assert kept is not None
        assert kept.job_output == {"ocr": {"full_text": "new"}}
        assert tuple(kept.processing_pipeline) == ("ocr", "pipelineoutput")
        assert kept.image_parameters == {"size": 5, "name": "ü"}
        assert tuple(kept.unsuccessful) == ("ocr",)
        assert kept.timestamp is not None
        assert kept.timestamp.tzinfo is not None

    def test_two_batches_may_use_the_same_job_id(self, results: Results) -> None:
        results.save(result(ONE, a=1))
        results.save(result(THREE, a=2))

        assert [kept.job_output for kept in results.batch("b")] == [{"a": 1}]
        assert [kept.job_output for kept in results.batch("c")] == [{"a": 2}]

    def test_a_batch_is_read_in_order(self, results: Results) -> None:
        for name in ("c", "a", "b"):
            results.save(result(("x", name)))
        assert [kept.id for kept in results.batch("x")] == ["a", "b", "c"]
        assert results.read(("x", "none")) is None

    def test_outputs_of_any_shape_are_kept(self, results: Results) -> None:
        results.save(result(("x", "1"), ocr=5))
        shapes: list[object] = [7, {}, {"name": "a", "confidence": "high"}, {"name": 5}]
        results.save(result(("x", "2"), generalclassification={"tags": shapes, "objects": 5}))
        assert len(list(results.batch("x"))) == 2


def test_labels_are_each_kinds_best() -> None:
    found = labels(
        {
            "generalclassification": {
                "tags": [{"name": "cat", "confidence": 0.4}, {"name": "cat", "confidence": 0.9}],
                "categories": [{"name": "animal_cat", "score": 0.8}],
                "objects": [{"object": "cat", "confidence": 0.5}],
            }
        }
    )
    assert found == {
        ("tag", "cat"): 0.9,
        ("category", "animal_cat"): 0.8,
        ("object", "cat"): 0.5,
    }


def face(*direction: float, model: str = "m", face_id: uuid.UUID | None = None) -> EnrolledFace:
    vector = np.array(direction, np.float32)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return EnrolledFace(face_id or uuid.uuid4(), model, unit.tobytes(), 0.8, (1, 2, 3, 4), "sha")


def match(one: EnrolledFace, other: EnrolledFace, confidence: float = 0.9) -> FaceMatch:
    return FaceMatch(
        face_id=one.face_id, matched_face_id=other.face_id, confidence=confidence, band="match"
    )


class TestGallery:
    def test_faces_of_other_jobs_are_found_best_first(self, gallery: FaceGallery) -> None:
        mine, near, nearer, far = face(1, 0), face(1, 0.5), face(1, 0.1), face(-1, 0)
        gallery.enrol(ONE, [mine, face(1, 0.01)])
        gallery.enrol(TWO, [near, far])
        gallery.enrol(THREE, [nearer])

        found = gallery.similar(ONE, mine.face_id, min_similarity=0.5, limit=10)
        assert [alike.face_id for alike in found] == [nearer.face_id, near.face_id]
        assert found[0].similarity == pytest.approx(1 / np.sqrt(1.01), abs=1e-5)
        assert found[0].quality == pytest.approx(0.8)
        assert len(gallery.similar(ONE, mine.face_id, min_similarity=0.5, limit=1)) == 1

    def test_faces_of_different_models_never_mix(self, gallery: FaceGallery) -> None:
        mine, other = face(1, 0), face(1, 0, model="another")
        gallery.enrol(ONE, [mine])
        gallery.enrol(TWO, [other])

        assert gallery.similar(ONE, mine.face_id, min_similarity=0, limit=10) == []

    def test_enrolling_again_replaces_a_jobs_faces(self, gallery: FaceGallery) -> None:
        stays, goes, other = face(1, 0), face(1, 0.1), face(1, 0.2)
        gallery.enrol(ONE, [stays, goes])
        gallery.enrol(TWO, [other])
        gallery.keep_matches([match(stays, other), match(goes, other)])
        gallery.enrol(ONE, [stays])

        assert [owner.face_id for owner in gallery.faces_of(ONE)] == [stays.face_id]
        both = [(owner.face_id, owner.job_id) for owner in gallery.faces_of(ONE, TWO, THREE)]
        assert sorted(both) == sorted([(stays.face_id, ONE[1]), (other.face_id, TWO[1])])
        assert gallery.faces_of() == []
        assert [m.matched_face_id for m in gallery.matches_of([other.face_id])] == [stays.face_id]
        found = gallery.similar(TWO, other.face_id, min_similarity=0, limit=10)
        assert [alike.face_id for alike in found] == [stays.face_id]
        with pytest.raises(NotFound):
            gallery.similar(ONE, goes.face_id, min_similarity=0, limit=1)

    def test_a_search_sees_what_was_enrolled_and_removed_since(self, gallery: FaceGallery) -> None:
        mine = face(1, 0)
        gallery.enrol(ONE, [mine])
        for _ in range(3):
            other = face(1, 0.1)
            gallery.enrol(TWO, [other])
            found = gallery.similar(ONE, mine.face_id, min_similarity=0, limit=10)
            assert [alike.face_id for alike in found] == [other.face_id]

    def test_a_changed_embedding_counts(self, gallery: FaceGallery) -> None:
        mine, known = face(1, 0), uuid.uuid4()
        gallery.enrol(ONE, [mine])
        gallery.enrol(TWO, [face(1, 0, face_id=known)])
        assert gallery.similar(ONE, mine.face_id, min_similarity=0.9, limit=10)
        gallery.enrol(TWO, [face(0, 1, face_id=known)])
        assert gallery.similar(ONE, mine.face_id, min_similarity=0.9, limit=10) == []

    def test_another_jobs_face_cannot_be_taken_over(self, gallery: FaceGallery) -> None:
        mine = face(1, 0)
        gallery.enrol(ONE, [mine])
        with pytest.raises(PermanentError, match="belongs to another job"):
            gallery.enrol(TWO, [mine])

    def test_one_face_twice_is_refused(self, gallery: FaceGallery) -> None:
        mine = face(1, 0)
        with pytest.raises(PermanentError, match="same face_id"):
            gallery.enrol(ONE, [mine, mine])

    def test_matches_show_from_both_sides(self, gallery: FaceGallery) -> None:
        one, other = face(1, 0), face(1, 0.1)
        gallery.enrol(ONE, [one])
        gallery.enrol(TWO, [other])
        gallery.keep_matches([match(one, other, 0.7)])
        gallery.keep_matches([match(other, one, 0.8)])

        (from_one,) = gallery.matches_of([one.face_id])
        (from_other,) = gallery.matches_of([other.face_id])
        assert (from_one.matched_face_id, from_one.confidence) == (other.face_id, 0.8)
        assert (from_other.matched_face_id, from_other.confidence) == (one.face_id, 0.8)

    def test_a_match_with_a_face_that_is_gone_is_left_out(self, gallery: FaceGallery) -> None:
        one = face(1, 0)
        gallery.enrol(ONE, [one])
        gallery.keep_matches([match(one, face(1, 0))])
        assert gallery.matches_of([one.face_id]) == []

    def test_owners_and_qualities_are_looked_up(self, gallery: FaceGallery) -> None:
        one = face(1, 0)
        gallery.enrol(ONE, [one])
        unknown = uuid.uuid4()

        owner = gallery.owners([one.face_id, unknown])[one.face_id]
        assert ((owner.batch_id, owner.job_id), owner.rectangle) == (ONE, (1, 2, 3, 4))
        assert gallery.qualities([one.face_id, unknown]) == {one.face_id: pytest.approx(0.8)}

    def test_a_job_without_faces_is_no_error(self, gallery: FaceGallery) -> None:
        gallery.enrol(ONE, [])
        gallery.keep_matches([])
        assert gallery.faces_of(ONE) == []
        assert gallery.matches_of([]) == []


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    for number in range(10):
        databases = [Database("", tmp_path / str(number)) for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            read = list(pool.map(lambda each: SqlResults(each).read(("a", "b")), databases))
        assert read == [None] * 6
        for database in databases:
            database.close()


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    databases = [Database("", tmp_path) for _ in range(4)]
    galleries = [SqlGallery(database) for database in databases]

    def enrol(number: int) -> None:
        galleries[number % 4].enrol(("b", str(number)), [face(1, number)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enrol, range(40)))
    probe = face(1, 0)
    galleries[0].enrol(("b", "probe"), [probe])
    found = galleries[1].similar(("b", "probe"), probe.face_id, min_similarity=-1, limit=100)
    assert len(found) == 40
    for database in databases:
        database.close()


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SQL_CONNECTION_STRING"):
        SqlResults(Database("nonsense", tmp_path)).read(("a", "b"))


def test_matching_erasing_and_adding_at_once_stops_nobody(database: Database) -> None:
    """On PostgreSQL a wrong order of locks would show as deadlocks."""
    people, known = SqlGallery(database), SqlServiceFaces(database, "account")
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
        elif addition := known.adding(mine.face_id, "list"):
            known.added(addition, mine.face_id, "list", uuid.uuid4().hex)

    with ThreadPoolExecutor(6) as pool:
        jobs = [
            pool.submit(work, chance.randrange(4), chance.randrange(20), chance.sample(faces, 8))
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
