"""A disk without room, a database that is locked: everybody is told, and jobs wait."""

import contextlib
import errno
import shutil
import sqlite3
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from imaginem import JobContext
from imaginem.cli.shared import exit_on_error
from imaginem.errors import (
    Busy,
    ConfigurationError,
    DiskFull,
    RetryableError,
    StorageUnavailable,
    disk_full,
    free_bytes,
    is_full,
)
from imaginem.sql import SqlSubmissions
from imaginem.sql.database import Database
from imaginem.sql.faults import meaning
from imaginem.storage import AzureBlobs, AzureQueues
from imaginem.storage.account import Account, emulator_connection_string
from imaginem.testing import MemoryServices, photo_bytes
from tests.dashboard import client, web_services
from tests.workbench import Bench, Found


def no_room(path: str | None = None) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", path)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every disk is full."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))


class TestErrors:
    def test_it_names_the_folder_and_what_is_free(self, tmp_path: Path, full: None) -> None:
        told = str(DiskFull("a photo", tmp_path / "not" / "there"))
        assert told.startswith(f"a photo: the disk of {tmp_path}/not/there is full (1.0 MB free)")
        assert is_full(tmp_path)

    def test_a_disk_with_room_is_not_full(self, tmp_path: Path) -> None:
        assert (free_bytes(tmp_path) or 0) > 4 * 2**20
        assert not is_full(tmp_path)

    def test_only_an_error_without_room_is_one(self) -> None:
        told = disk_full(no_room("/no/such/folder/photo.png"))
        assert told is not None
        assert "photo.png: the disk of /no/such/folder" in str(told)
        assert disk_full(OSError(errno.EACCES, "Permission denied")) is None


class TestDatabase:
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        database = Database("", tmp_path)
        yield database
        database.close()

    def test_a_full_disk_is_told_and_what_was_kept_stays(
        self, database: Database, tmp_path: Path
    ) -> None:
        submissions = SqlSubmissions(database)
        submissions.submitted(("b", "one"), "run")

        def stop_growing(connection: Any) -> None:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

        event.listen(database.engine, "begin", stop_growing)
        with pytest.raises(DiskFull, match=f"the results database: the disk of {tmp_path}"):
            submissions.submitted(("b", "two"), "run", "x" * 1_000_000)
        assert list(submissions.submissions("b")) == ["one"]

    def test_a_full_disk_does_not_keep_a_new_database_waiting(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried = []

        class Full(sqlite3.Connection):
            def cursor(self, *_: Any) -> Any:
                return FullCursor(self)

        class FullCursor(sqlite3.Cursor):
            def execute(self, statement: str, *values: Any) -> Any:
                if "journal_mode=WAL" in statement:
                    tried.append(statement)
                    raise _error("SQLITE_FULL", "database or disk is full")
                return super().execute(statement, *values)

        connect = sqlite3.connect
        monkeypatch.setattr(
            "sqlalchemy.dialects.sqlite.pysqlite.SQLiteDialect_pysqlite.connect",
            lambda _, *given, **named: connect(*given, **named, factory=Full),
        )
        with pytest.raises(DiskFull):
            SqlSubmissions(database).submissions("b")
        assert len(tried) == 1

    def test_a_locked_file_is_tried_again(self, tmp_path: Path) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as first:
            first.execute("BEGIN EXCLUSIVE")
            with contextlib.closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as second:
                told = _told(lambda: second.execute("BEGIN IMMEDIATE"), tmp_path)
        assert type(told) is RetryableError
        assert told.retry_after
        assert f"database in {tmp_path} is locked: another program" in str(told)

    def test_a_file_that_can_not_be_written_is_told(self, tmp_path: Path) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as made:
            made.execute("CREATE TABLE t (x)")
        address = f"file:{tmp_path / 'x.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as read_only:
            told = _told(lambda: read_only.execute("INSERT INTO t VALUES (1)"), tmp_path)
        assert f"IMAGINEM_HOME {tmp_path} can't be used" in str(told)
        assert "readonly" in str(told)
        told = _told(lambda: sqlite3.connect(tmp_path / "none" / "x.db"), tmp_path)
        assert "unable to open" in str(told)

    @pytest.mark.usefixtures("full")
    def test_a_failed_write_on_a_full_disk_is_one(self, tmp_path: Path) -> None:
        wrapped = OperationalError("", None, _error("SQLITE_IOERR_WRITE", "disk I/O error"))
        assert isinstance(meaning(wrapped, tmp_path), DiskFull)

    def test_a_home_that_can_not_be_made_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigurationError, match="can't be written"):
            Database("", tmp_path / "file" / "home").connect()


def _error(name: str, text: str) -> sqlite3.OperationalError:
    problem = sqlite3.OperationalError(text)
    problem.sqlite_errorname = name
    return problem


def _told(attempt: Any, home: Path) -> Exception:
    with pytest.raises(sqlite3.Error) as problem:
        attempt()
    return meaning(OperationalError("", None, problem.value), home)


class _Failing(BaseHTTPRequestHandler):
    """Answers as Azurite does when it can't write: with 500 and nothing else."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT

    def log_message(self, *_: Any) -> None:
        pass


class TestEmulator:
    @pytest.fixture
    def port(self) -> Iterator[int]:
        server = HTTPServer(("127.0.0.1", 0), _Failing)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        server.server_close()
        thread.join()

    @pytest.mark.usefixtures("full")
    def test_its_500_on_a_full_disk_is_told_at_once(self, port: int, tmp_path: Path) -> None:
        account = Account(emulator_connection_string(port, port, port), folder=tmp_path)
        told = f"the storage emulator: the disk of {tmp_path}"
        with pytest.raises(DiskFull, match=told):
            AzureBlobs(account).put("photos", "a", b"x", "image/png")
        with pytest.raises(DiskFull, match=told):
            AzureQueues(account).send("ocr", "x")


class TestSteps:
    def test_a_step_waits_for_room_and_loses_no_try(self) -> None:
        bench = Bench(max_attempts=1)
        tries = iter([no_room("/tmp/x"), no_room(), None])

        def work(job: JobContext) -> Found:
            problem = next(tries)
            if problem is not None:
                raise problem
            return Found(what="done")

        bench.first_does = work
        bench.drop()
        bench.run()
        assert next(tries, "all were used") == "all were used"
        assert bench.row.job_state == "succeeded"
        assert bench.services.poison.list() == []

    def test_it_is_both_busy_and_storage_that_is_away(self, tmp_path: Path) -> None:
        problem = DiskFull("x", tmp_path)
        assert isinstance(problem, Busy)
        assert isinstance(problem, StorageUnavailable)


class TestPeople:
    @pytest.fixture
    def services(self) -> MemoryServices:
        return web_services()

    def fail(self, services: MemoryServices, problem: Exception) -> TestClient:
        def put(*_: object, **__: object) -> str:
            raise problem

        services.blobs.put = put  # type: ignore[method-assign]
        return client(services)

    def send(self, api: TestClient, **headers: str) -> Any:
        files = {"file": ("a.png", photo_bytes(), "image/png")}
        return api.post("/api/batches/b/images", files=files, headers=headers)

    @pytest.mark.parametrize("problem", [DiskFull("a photo", Path("/data")), no_room("/data/x")])
    def test_the_api_answers_507(self, services: MemoryServices, problem: Exception) -> None:
        answer = self.send(self.fail(services, problem))
        assert answer.status_code == 507
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title"] == "Insufficient Storage"
        assert "the disk of /data is full" in answer.json()["detail"]
        assert services.submissions.submissions("b") == {}

    def test_so_it_does_when_the_upload_itself_finds_no_room(
        self, services: MemoryServices, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Spool:
            def __init__(self, *_: Any, **__: Any) -> None:
                raise no_room()

        monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", Spool)
        answer = self.send(client(services))
        assert answer.status_code == 507
        assert "is full" in answer.json()["detail"]

    def test_a_browser_gets_a_page(self, services: MemoryServices) -> None:
        def full(*_: object) -> None:
            raise DiskFull("the results database", Path("/data"))

        services.batches.batches = full  # type: ignore[method-assign,assignment]
        page = client(services).get("/batches", headers={"Accept": "text/html"})
        assert page.status_code == 507
        assert "the disk of /data is full" in page.text

    @pytest.mark.parametrize(
        ("problem", "code", "told"),
        [
            (DiskFull("a photo", Path("/data")), 4, "a photo: the disk of /data is full"),
            (no_room("/data/x.db"), 4, "x.db: the disk of /data is full"),
            (OSError(errno.EROFS, "Read-only file system", "/data/x"), 3, "/data/x: Read-only"),
        ],
    )
    def test_the_command_line_says_it_in_one_line(
        self, capsys: pytest.CaptureFixture[str], problem: Exception, code: int, told: str
    ) -> None:
        with pytest.raises(typer.Exit) as ended, exit_on_error():
            raise problem
        assert ended.value.exit_code == code
        shown = capsys.readouterr().err
        assert told in shown
        assert len(shown.strip().splitlines()) == 1
