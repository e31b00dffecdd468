"""Migrations on SQLite and PostgreSQL; T-SQL checked by two parsers; the real ODBC driver's errors.

No SQL Server can run here: what is proven of Azure SQL is that its dialect's statements are
T-SQL and that the driver's errors become clear messages.
"""

import base64
import itertools
import json
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import sqlfluff.core
import sqlglot
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.dialects import mssql
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import ReleaseSavepointClause

from imaginem.errors import ConfigurationError, ImaginemError, PermanentError, RetryableError
from imaginem.outputs import FaceMatch
from imaginem.ports import EnrolledFace, JobResult, PhotoFilter
from imaginem.sql import Database, SqlResults, SqlServiceFaces
from imaginem.sql.address import identity_of, odbc_string, packed, sqlalchemy_url, wants_token
from imaginem.sql.grant import grant_script
from imaginem.sql.migrate import APPLICATION_LOCK, _config, script, upgrade
from imaginem.sql.migrations import HEAD
from imaginem.sql.nearest import nearest_query
from imaginem.sql.schema import Base
from tests.postgres import Postgres
from tests.stores import Stores, sql_stores

AZURE = "Server=tcp:x.database.windows.net,1433;Database=imaginem"


class TestMigrations:
    @pytest.fixture(params=["sqlite", "postgresql"])
    def address(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path / 'new.db'}"
        server: Postgres = request.getfixturevalue("postgres")
        return server.database()

    def test_they_lead_to_the_tables_that_the_code_knows(self, address: str) -> None:
        engine = create_engine(address)
        upgrade(engine)
        upgrade(engine)  # again is no error
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
            assert context.get_current_revision() == HEAD
        engine.dispose()

    def test_the_app_knows_the_newest_revision(self) -> None:
        assert ScriptDirectory.from_config(_config()).get_current_head() == HEAD

    def test_a_server_without_the_tables_is_refused_not_changed(
        self, postgres: Postgres, tmp_path: Path
    ) -> None:
        database = Database(postgres.database(), tmp_path)
        with pytest.raises(RetryableError, match="imaginem db upgrade"):
            SqlResults(database).read(("a", "b"))
        engine = database.connect()
        with engine.connect() as connection:
            assert inspect(connection).get_table_names() == []
        engine.dispose()

    def test_a_file_of_an_early_version_is_told(self, tmp_path: Path) -> None:
        engine = create_engine(f"sqlite:///{tmp_path / 'imaginem.db'}")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE pipeline_output (id TEXT)")
        engine.dispose()
        with pytest.raises(ConfigurationError, match="move it away"):
            SqlResults(Database("", tmp_path)).read(("a", "b"))


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

    database = Database("", tmp_path_factory.mktemp("statements"))
    event.listen(database.engine, "before_execute", keep)
    use_everything(database)
    database.close()
    query = nearest_query(("b", "one"), "m", b"\0" * 2048, 20)
    found[str(query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))] = None
    found[APPLICATION_LOCK] = None
    found |= dict.fromkeys(grant_script("id-imaginem", uuid.uuid4()).splitlines())
    found |= dict.fromkeys(
        batch.strip() for batch in re.split(r"^GO$", script("mssql"), flags=re.MULTILINE)
    )
    return [statement for statement in found if statement]


def use_everything(database: Database) -> None:
    """Call every method of the adapters, on rows that exist and on rows that don't."""
    stores = sql_stores(database)
    results, gallery = stores.results, stores.gallery
    known = SqlServiceFaces(database, "https://face.test")
    tags = {"generalclassification": {"tags": [{"name": "cat", "confidence": 0.9}]}}
    for _ in range(2):
        results.save(JobResult("b", "one", ("ocr",), "https://x.test/a", None, tags))
    results.read(("b", "one"))
    list(results.batch("b"))

    faces = [
        EnrolledFace(uuid.uuid4(), "m", bytes([0, 0, 128, 63]) * 4, 0.9, (1, 2, 3, 4), "sha")
        for _ in range(2)
    ]
    for number, face in enumerate(faces):
        gallery.enrol(("b", str(number)), [face])
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
    gallery.enrol(("b", "0"), [])
    gallery.enrol(("b", "1"), [])
    assert known.removals("faces-1", 10) == ["persisted"]
    known.removed("faces-1", ["persisted"])
    known.drop_list("faces-1")
    assert known.lists() == []


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
            r"SELECT TOP 20 .*vector_distance\('cosine', face\.embedding, "
            r"CAST\(.* AS VECTOR\(512\)\)",
            everything,
        )

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


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            f"{AZURE};Driver={{ODBC Driver 18 for SQL Server}}",
            "Data Source=tcp:x.database.windows.net,1433;Initial Catalog=imaginem;"
            "Encrypt=True;MultipleActiveResultSets=False;Persist Security Info=False;"
            'Authentication="Active Directory Default";'
            "Driver=ODBC Driver 18 for SQL Server",
        ],
    )
    def test_what_the_portal_shows_is_understood(self, address: str) -> None:
        made = odbc_string(address)

        assert "server=tcp:x.database.windows.net,1433" in made
        assert "database=imaginem" in made
        assert "encrypt=yes" in made
        assert "multiple" not in made
        assert "authentication" not in made
        assert wants_token(sqlalchemy_url(address))

    def test_a_user_in_it_logs_in_with_a_password(self) -> None:
        address = f"{AZURE};User ID=me;Password={{p;w}};Driver=x"

        assert "uid=me;pwd={p;w}" in odbc_string(address)
        assert not wants_token(sqlalchemy_url(address))
        assert not wants_token(sqlalchemy_url("postgresql+psycopg://me@host/db"))

    @pytest.mark.parametrize(
        ("login", "made"),
        [
            ("Authentication=Active Directory Password", "authentication=ActiveDirectoryPassword"),
            (
                "Authentication='Active Directory Service Principal'",
                "authentication=ActiveDirectoryServicePrincipal",
            ),
            ("Authentication=ActiveDirectoryPassword", "authentication=ActiveDirectoryPassword"),
            ("Authentication=Sql Password", "authentication=SqlPassword"),
            ("Integrated Security=SSPI", "trusted_connection=yes"),
        ],
    )
    def test_other_ways_to_log_in_are_the_drivers(self, login: str, made: str) -> None:
        address = f"{AZURE};{login};Driver=x"
        assert made in odbc_string(address)
        assert not wants_token(sqlalchemy_url(address))
        assert identity_of(address) == ""

    @pytest.mark.parametrize(
        "login",
        [
            "Authentication=Active Directory Managed Identity;User Id=1234",
            "Authentication=ActiveDirectoryMsi;UID={1234}",
            "User Id=1234;Authentication=ActiveDirectoryDefault;Trusted_Connection=no",
        ],
    )
    def test_an_identity_that_is_named_logs_in_with_its_token(self, login: str) -> None:
        address = f"{AZURE};{login};Driver=x"
        as_odbc = f"mssql+pyodbc:///?odbc_connect={quote_plus(address)}"
        for each in (address, as_odbc):
            assert wants_token(sqlalchemy_url(each))
            assert identity_of(each) == "1234"
        assert "uid" not in odbc_string(address)
        assert "trusted" not in odbc_string(address)

    def test_what_is_missing_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="names no database"):
            odbc_string("Server=x")

    def test_a_token_is_packed_as_the_driver_wants_it(self) -> None:
        assert packed("ab") == b"\x04\0\0\0a\0b\0"


class TestRealDriver:
    """Microsoft's ODBC driver, loaded by pyodbc, talking to servers that are none."""

    @pytest.fixture
    def driver(self) -> str:
        import mssql_python_odbc

        found = sorted(
            Path(mssql_python_odbc.get_libs_dir()).glob("linux/*/x86_64/lib/libmsodbcsql-18*")
        )
        debian = [path for path in found if "debian" in str(path)]
        assert debian, "mssql-python-odbc holds no driver for this machine"
        return str(debian[0])

    @pytest.fixture
    def listener(self) -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
        servers: list[socket.socket] = []

        def listen(behave: Callable[[socket.socket], None]) -> int:
            server = socket.create_server(("127.0.0.1", 0))
            servers.append(server)

            def run() -> None:
                while True:
                    try:
                        client, _ = server.accept()
                    except OSError:
                        return
                    with client:
                        behave(client)

            threading.Thread(target=run, daemon=True).start()
            return int(server.getsockname()[1])

        yield listen
        for server in servers:
            server.close()

    def failure(self, tmp_path: Path, address: str, token: str = "") -> ImaginemError:
        database = Database(address, tmp_path, lambda client_id: token)
        with pytest.raises(ImaginemError) as told, database.session(reading=True):
            pass
        assert "hunter2" not in str(told.value)
        return told.value

    def test_a_server_that_talks_nonsense_or_hangs_up_may_be_back_later(
        self, driver: str, tmp_path: Path, listener: Any
    ) -> None:
        def nonsense(client: socket.socket) -> None:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 200)

        def hang_up(client: socket.socket) -> None:
            client.recv(4096)

        for behave in (nonsense, hang_up):
            where = f"Server=tcp:127.0.0.1,{listener(behave)};Database=d;UID=u;PWD=hunter2"
            told = self.failure(tmp_path, f"Driver={driver};{where}")
            assert isinstance(told, RetryableError)
            assert "the results database is not available" in str(told)

    def test_a_server_that_does_not_listen_is_told_within_the_login_timeout(
        self, driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imaginem.sql.database._LOGIN_SECONDS", 1)
        monkeypatch.setattr("imaginem.sql.database._CONNECT_TRIES", 1)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        told = self.failure(
            tmp_path, f"Driver={driver};Server=tcp:127.0.0.1,{port};Database=d;UID=u;PWD=hunter2"
        )
        assert isinstance(told, RetryableError)
        assert "timeout" in str(told).lower()
        assert told.retry_after

    def test_a_driver_that_is_not_there_is_the_operators_to_mend(self, tmp_path: Path) -> None:
        told = self.failure(tmp_path, "Driver=/no/such.so;Server=x;Database=d;UID=u;PWD=hunter2")
        assert isinstance(told, ConfigurationError)
        assert "install msodbcsql18" in str(told)

    def test_a_token_is_never_sent_in_the_clear(self, driver: str, tmp_path: Path) -> None:
        told = self.failure(
            tmp_path, f"Driver={driver};Server=x;Database=d;Encrypt=no", token="hunter2"
        )
        assert isinstance(told, ConfigurationError)
        assert "remove Encrypt" in str(told)


def test_ids_that_azure_sql_could_not_keep_apart_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database("", tmp_path)
    monkeypatch.setattr(database.engine.dialect, "name", "mssql")
    database.check_key(("b" * 400, "j" * 450))
    with pytest.raises(PermanentError, match="851 characters"):
        database.check_key(("b" * 400, "j" * 451))
    with pytest.raises(PermanentError, match="ends with a space"):
        database.check_key(("b", "job "))
    database.close()
