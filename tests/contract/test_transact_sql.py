"""T-SQL checked by two parsers.

No SQL Server can run here: what is proven of Azure SQL is that its dialect's statements are
T-SQL, and (`test_sql_servers.py`) that the driver's errors become clear messages.
"""

import base64
import itertools
import json
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlfluff.core
import sqlglot
from sqlalchemy import event, make_url
from sqlalchemy.dialects import mssql
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import ReleaseSavepointClause

from imaginem.errors import ConfigurationError
from imaginem.outputs import FaceMatch
from imaginem.ports import (
    COPIES_KEPT,
    EarlierOutput,
    EnrolledFace,
    JobErased,
    JobResult,
    PhotoFilter,
)
from imaginem.ports.own_outputs.conditions import Condition
from imaginem.sql import Database, SqlCatalogue, SqlServiceFaces
from imaginem.sql.grant import grant_script
from imaginem.sql.migrate import APPLICATION_LOCK, script
from imaginem.sql.nearest import APPROXIMATE, HAS_VECTOR_INDEX, nearest_query
from imaginem.sql.text_index import text_index_of
from tests.contract.rows import face
from tests.stores import Stores, keyed, sql_stores


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every statement that the adapters send, as Azure SQL's dialect writes it."""
    dialect: Any = mssql.dialect(deprecate_large_types=True)  # type: ignore[no-untyped-call]
    found: dict[str, None] = {}

    def keep(connection: Any, statement: Any, *_: Any) -> None:
        if isinstance(statement, ReleaseSavepointClause):
            return  # that dialect sends nothing here
        if isinstance(statement, ClauseElement):
            options = {"render_postcompile": True}
            found[str(statement.compile(dialect=dialect, compile_kwargs=options))] = None

    database = Database("", tmp_path_factory.mktemp("statements"), mark=keyed)
    event.listen(database.engine, "before_execute", keep)
    use_everything(database)
    database.close()
    query = nearest_query(("b", "one"), "m", b"\0" * 2048, 20)
    found[str(query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))] = None
    found[APPLICATION_LOCK] = None
    # Neither of the linters knows these two forms; what is around them they read.
    found[
        APPROXIMATE.replace(" WITH APPROXIMATE", "").replace(
            "TABLE = face AS f, COLUMN = embedding, SIMILAR_TO = @mine, METRIC = 'cosine'",
            "face, embedding, @mine, 'cosine'",
        )
    ] = None
    found[HAS_VECTOR_INDEX] = None
    found |= dict.fromkeys(grant_script("id-imaginem", uuid.uuid4()).splitlines())
    found |= dict.fromkeys(
        batch.strip() for batch in re.split(r"^GO$", script("mssql"), flags=re.MULTILINE)
    )
    return [statement for statement in found if statement]


def use_everything(database: Database) -> None:
    """Call every method of the adapters, on rows that exist and on rows that don't."""
    catalogue = SqlCatalogue(database, text_index_of("mssql"))
    stores = replace(sql_stores(database), catalogue=catalogue)
    results, gallery = stores.results, stores.gallery
    known = SqlServiceFaces(database, "https://face.test")
    tags = {"generalclassification": {"tags": [{"name": "cat", "confidence": 0.9}]}}
    for _ in range(2):
        results.save(JobResult("b", "one", ("ocr",), "https://x.test/a", None, tags))
    results.read(("b", "one"))
    for day in range(1, 6):
        moment = datetime(2026, 5, day, tzinfo=UTC)
        stores.earlier_outputs.keep(EarlierOutput("b", "one", moment, tags, "ocr"))
    stores.earlier_outputs.of_job(("b", "one"))
    stores.earlier_outputs.erase(("b", "one"))
    stores.earlier_outputs.erase_batch("b", ["one"])
    list(results.batch("b"))
    for _ in range(2):
        stores.barred.bar("", "a" * 64, "Ann")
    stores.barred.of_batch("b")
    stores.barred.all()
    stores.barred.lift("a" * 64)
    stores.known_photos.jobs_with("a" * 64)
    stores.known_photos.addresses("b")

    faces = [
        EnrolledFace(uuid.uuid4(), "m", bytes([0, 0, 128, 63]) * 4, 0.9, (1, 2, 3, 4), "sha")
        for _ in range(2)
    ]
    for number, each in enumerate(faces):
        gallery.enrol(("b", str(number)), [each])
    gallery.erase_runs(("c", "1"), ["run"])
    ids = [face.face_id for face in faces]
    stores.face_index.similar(("b", "0"), ids[0], min_similarity=0, limit=10)
    gallery.qualities(ids)
    pair = FaceMatch(face_id=ids[0], matched_face_id=ids[1], confidence=0.9, band="match")
    for _ in range(2):
        gallery.keep_matches([pair])
    gallery.matches_of(ids)
    gallery.owners(ids)
    gallery.faces_of(("b", "0"))

    now = datetime.now(UTC)
    for _ in range(2):
        known.note({ids[0]: ("fresh", now + timedelta(hours=1))})
    known.add_list("faces-1", 1)
    known.mark("faces-1", full=False, changed=False, searchable=False)
    addition, refused = known.adding(ids[0], "faces-1"), known.adding(ids[1], "faces-1")
    assert addition
    assert refused
    assert known.under_way("faces-1", now - timedelta(hours=1)) == set(ids)
    known.added(addition, ids[0], "faces-1", "persisted")
    assert known.cut_short("faces-1", now + timedelta(hours=1))
    known.not_added(refused)
    known.swept("faces-1", now + timedelta(hours=1))
    assert not known.cut_short("faces-1", now + timedelta(hours=1))
    assert not known.lists()[0].empty
    known.read(ids)
    known.fresh(now)
    known.owners("faces-1", ["persisted"])
    known.lists()
    known.cover("faces-1", "training")
    known.begin_training("faces-1", "training")
    known.end_training("faces-1", "training", succeeded=False)
    known.begin_training("faces-1", "training")
    known.end_training("faces-1", "training", succeeded=True)
    known.stranded()
    known.lapsed(["fresh"])
    use_dashboard(stores, ids)
    use_after_an_erasure(stores)
    gallery.enrol(("b", "0"), [])
    gallery.enrol(("b", "1"), [])
    assert known.removals("faces-1", 10) == ["persisted"]
    known.removed("faces-1", ["persisted"])
    known.drop_list("faces-1")
    assert known.lists() == []


def use_after_an_erasure(stores: Stores) -> None:
    """Write for a run before anything was erased, and afterwards."""
    stores.gallery.enrol(("b", "2"), [], run="run")
    stores.erased_runs.lay("b", {"2": {"run"}})
    for _ in range(2):
        with pytest.raises(JobErased):
            stores.gallery.enrol(("b", "2"), [], run="run")


def use_dashboard(stores: Stores, ids: list[uuid.UUID]) -> None:
    """Call what the dashboard calls, with and without what is optional."""
    everything = PhotoFilter(
        "cat",
        "people_",
        "cup",
        "text",
        True,
        datetime.now(UTC),
        datetime.now(UTC),
        "b",
        frozenset("g"),
        (
            Condition("s.f", ">=", 1.0),
            Condition("s.f", "=", text="cat"),
            Condition("s.f", "!=", text="cat"),
            Condition("s.f", "!=", 1.0, before=2.0),
        ),
    )
    first = PhotoFilter(groups=frozenset())
    for wanted in (everything, PhotoFilter(faces=False), first):
        for kind in ("tag", "object"):
            stores.catalogue.labels(wanted, kind)
        stores.catalogue.photos(wanted, "", 1)
    for _ in range(2):
        stores.submissions.submitted(("b", "one"), "run")
    for groups in (None, frozenset({"g"})):
        page = stores.batches.batches(groups, limit=1)
        stores.batches.batches(groups, page.cursor or _CURSOR, limit=1)
        stores.gallery.recent_faces(groups, 1)
        stores.gallery.has_other_models("m", groups)
    stores.catalogue.photos(PhotoFilter(), _CURSOR, 1)
    stores.batches.open_batch("b")
    stores.batches.batch("b")
    stores.submissions.submissions("b")
    stores.submissions.submission(("b", "one"))
    stores.submissions.withdraw(("b", "one"))
    stores.results.finished("b")
    stores.batches.groups_of(["b"])
    for decision in ("confirmed", "rejected", ""):
        stores.reviews.review((ids[0], ids[1]), decision, "Ann")
    stores.reviews.decisions(ids)
    for store in (stores.submissions, stores.results, stores.gallery):
        store.erase(("b", "one"))
        store.erase_batch("b", ["one"])
    stores.batches.forget_batch("b")


_CURSOR = base64.urlsafe_b64encode(
    json.dumps([datetime.now(UTC).isoformat(), uuid.uuid4().hex]).encode()
).decode()
_FOREIGN = re.compile(
    r"(?i)\b(LIMIT\s+\d|RETURNING|ILIKE|BYTEA|SERIAL|AUTOINCREMENT|NTEXT|IMAGE|ON CONFLICT)\b"
    r"|(?<!SCHEMA)::\w+"
)


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Each statement as pyodbc sends it, and as mssql-python does."""
    import mssql_python
    from mssql_python.parameter_helper import detect_and_convert_parameters

    by_default: Any = make_url("mssql+pyodbc://").get_dialect()
    offered: Any = make_url("mssql+mssqlpython://").get_dialect()
    ours = by_default(paramstyle="qmark")
    theirs = offered(dbapi=mssql_python, paramstyle=mssql_python.paramstyle)
    found: list[tuple[str, str]] = []

    def keep(connection: Any, statement: Any, *_: Any) -> None:
        if not isinstance(statement, ClauseElement) or isinstance(
            statement, ReleaseSavepointClause
        ):
            return
        options = {"render_postcompile": True}
        made = statement.compile(dialect=theirs, compile_kwargs=options)
        sent, _values = detect_and_convert_parameters(str(made), made.params)
        found.append((str(statement.compile(dialect=ours, compile_kwargs=options)), sent))

    database = Database("", tmp_path_factory.mktemp("both"), mark=keyed)
    event.listen(database.engine, "before_execute", keep)
    use_everything(database)
    database.close()
    keep(None, nearest_query(("b", "one"), "m", b"\0" * 2048, 20))
    return found


class TestTransactSql:
    def test_every_statement_is_t_sql(self, statements: list[str]) -> None:
        linter = sqlfluff.core.Linter(
            config=sqlfluff.core.FluffConfig(overrides={"dialect": "tsql", "templater": "raw"})
        )
        assert len(statements) > 70
        for statement in statements:
            print(f"{statement}\n")
            sent = _as_sent(statement)
            wrong = [found.desc() for found in linter.parse_string(sent + "\n").violations]
            if not sent.startswith("SAVE TRANSACTION"):  # T-SQL that sqlglot does not know
                sqlglot.parse(sent, read="tsql", error_level=sqlglot.ErrorLevel.RAISE)
            assert (wrong, _FOREIGN.findall(sent)) == ([], []), statement

    def test_mssql_python_sends_what_pyodbc_sends(self, both_ways: list[tuple[str, str]]) -> None:
        assert len({sent for _, sent in both_ways}) > 60
        assert sum("?" in sent for _, sent in both_ways) > 50
        for by_pyodbc, sent in both_ways:
            assert sent == by_pyodbc

    def test_the_parsers_do_find_what_is_wrong(self) -> None:
        with pytest.raises(sqlglot.errors.ParseError):
            sqlglot.parse("SELEC x FORM", read="tsql", error_level=sqlglot.ErrorLevel.RAISE)
        assert _FOREIGN.search("INSERT INTO t VALUES (1) RETURNING id")

    def test_ids_are_compared_exactly_and_fit_their_index(self, statements: list[str]) -> None:
        (table,) = [s for s in statements if "CREATE TABLE pipeline_output" in s]

        assert table.count("NVARCHAR(512) COLLATE Latin1_General_100_BIN2") == 2
        assert "PRIMARY KEY NONCLUSTERED (batch_id, id)" in table

    def test_embeddings_are_vectors_compared_by_the_server(self, statements: list[str]) -> None:
        everything = "\n".join(statements)

        assert "embedding VECTOR(512)" in everything
        assert re.search(
            r"vector_distance\('cosine', face\.embedding, CAST\(.* AS VECTOR\(512\)\)", everything
        )
        # The server keeps the best of each group, so that those of one crowd out no others.
        assert "dense_rank() OVER (PARTITION BY copies.group_name ORDER BY" in everything
        assert re.search(r"WHERE ranked\.place <= ", everything)

    def test_whoever_looks_for_an_erased_run_locks_its_place(self, statements: list[str]) -> None:
        looks = [s for s in statements if "FROM erased_run" in s and s.startswith("SELECT")]
        where = [s.partition(" WHERE ")[2].partition(" IN ")[0].strip() for s in looks]

        assert len(looks) == 3, "any mark; marks that are laid; the run's own mark"
        assert sum("WITH (HOLDLOCK)" in look for look in looks) == 2, "shared by those who write"
        assert sum("WITH (UPDLOCK, HOLDLOCK)" in look for look in looks) == 1, "by who erases"
        assert "" in where, "without a mark the whole table is held"

    def test_an_identitys_user_is_made_from_its_number(self) -> None:
        made = grant_script("id-app", uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00"))

        assert "SID = 0x443322116655887799AABBCCDDEEFF00, TYPE = E" in made
        assert "db_owner" not in made
        with pytest.raises(ConfigurationError, match="no name of a managed identity"):
            grant_script("x]; DROP TABLE face --", uuid.uuid4())


def _as_sent(statement: str) -> str:
    """Return a statement with its parameters as the driver sends them."""
    number = itertools.count(1)
    numbered = re.sub(r"\?", lambda _: f"@P{next(number)}", statement)
    return re.sub(r"(?<![:\w]):\w+", lambda _: f"@P{next(number)}", numbered)


def test_the_query_for_the_nearest_counts_a_photo_once(tmp_path: Path) -> None:
    """SQLite runs it: it has window functions, and is given the server's distance."""
    database = Database("", tmp_path)

    def distance(_: str, one: bytes, other: bytes) -> float:
        return 1 - float(np.frombuffer(one, np.float32) @ np.frombuffer(other, np.float32))

    def give(connection: Any, _: Any) -> None:
        connection.create_function("vector_distance", 3, distance)

    event.listen(database.engine, "connect", give)
    database.engine.dispose()  # connections that were made before do not have it
    stores = sql_stores(database)
    stores.batches.open_batch("red", "red")
    copies = [face(1, 0.01, photo="sent often") for _ in range(COPIES_KEPT + 3)]
    for number, copy in enumerate(copies):
        stores.gallery.enrol(("many", str(number)), [copy])
    others = [face(1, 0.1 + number / 100) for number in range(3)]
    unknown = [replace(face(1, 0.05), photo_sha256="") for _ in range(2)]
    scan = [
        replace(face(1, 0.02, photo="scan"), rectangle=(1, 2, 3, number)) for number in range(9)
    ]
    hidden = [face(1, 0.5 + number / 100) for number in range(5)]
    stores.gallery.enrol(("few", "one"), [*others, *unknown])
    stores.gallery.enrol(("few", "scan"), scan)
    stores.gallery.enrol(("red", "one"), hidden)
    query = nearest_query(("few", "mine"), "m", face(1, 0).embedding, 5)
    with database.session(reading=True) as session:
        found = [row[0] for row in session.execute(query)]
    database.close()
    kept = len({copy.face_id for copy in copies}.intersection(found))
    assert kept == COPIES_KEPT
    assert set(found[kept : kept + 9]) == {each.face_id for each in scan}
    assert set(found[kept + 9 : kept + 11]) == {each.face_id for each in unknown}
    assert found[kept + 11 :] == [others[0].face_id, *(each.face_id for each in hidden)]
