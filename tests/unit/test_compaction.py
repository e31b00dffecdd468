"""Nothing that was erased stays in a home's files; a compaction that is killed loses nothing."""

import itertools
import json
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from imaginem.cli.__main__ import app
from imaginem.errors import ConfigurationError, DiskFull
from imaginem.host import Host, HostOptions
from imaginem.host.compacting import Compacting
from imaginem.host.home import HomeLock, is_locked
from imaginem.memory.landing import MemoryLanding
from imaginem.memory.results import MemoryResults
from imaginem.ports import Decision, Deed, JobKey, PoisonEntry, PoisonFilter
from imaginem.sql.database import Database
from imaginem.sql.wiping import empty_log, write_anew
from imaginem.storage import FileRemains
from imaginem.storage.compaction import FolderDisk, compact, settle
from imaginem.testing import MemoryBlobs, MemoryQueues, MemoryServices
from imaginem.usecases.clearing import clear_queue
from imaginem.usecases.erase import erase_batch, erase_job
from imaginem.usecases.health import what_remains
from imaginem.usecases.poison import drop_entry
from imaginem.usecases.poison_many import drop_some
from tests.dashboard import client

ERASED = b"the erased photo"
KEPT = [b"a photo that stays", b"and another one, in two", b" blocks", b"a message that waits"]
EXTENT, MESSAGES = "__blobstorage__/e1", "__queuestorage__/e2"


def _place(extent: str, offset: int, count: int) -> dict[str, Any]:
    return {"id": extent, "offset": offset, "count": count}


def _blob(name: str, length: int, **more: Any) -> dict[str, Any]:
    properties = {"contentLength": length, "blobType": "BlockBlob", "etag": f'"{name}"'}
    return {"name": name, "isCommitted": True, "properties": properties, **more}


def _book(path: Path, **collections: list[dict[str, Any]]) -> None:
    named = [{"name": f"${name}_COLLECTION$", "data": data} for name, data in collections.items()]
    path.write_text(json.dumps({"collections": named, "databaseVersion": 1.5}))


def _message(queue: str) -> dict[str, Any]:
    count = len(KEPT[3])
    return {"queueName": queue, "messageId": "m1", "persistency": _place("e2", 7, count)}


def _store(data: Path, queue: str = "imaginem-saved") -> dict[str, bytes]:
    """Make the files of an emulator in which something was erased; return what must stay."""
    for folder in ("__blobstorage__", "__queuestorage__"):
        (data / folder).mkdir(parents=True)
    first, second, third, message = KEPT
    (data / EXTENT).write_bytes(first + ERASED + second + ERASED + third + ERASED)
    (data / "__blobstorage__/e0").write_bytes(ERASED)
    (data / MESSAGES).write_bytes(ERASED[:7] + message + ERASED)
    in_two = [
        {"persistency": _place("e1", len(first) + len(ERASED), len(second))},
        {"persistency": _place("e1", len(first + second) + 2 * len(ERASED), len(third))},
    ]
    _book(
        data / "__azurite_db_blob__.json",
        BLOBS=[
            _blob("first", len(first), persistency=_place("e1", 0, len(first))),
            _blob("second", len(second + third), committedBlocksInOrder=in_two),
            _blob("empty", 0, persistency=_place("e1", 0, 0)),
        ],
        BLOCKS=[],
    )
    _book(data / "__azurite_db_queue__.json", MESSAGES=[_message(queue)])
    for kind in ("blob_extent", "queue_extent", "table"):
        _book(data / f"__azurite_db_{kind}__.json")
    (data / "__azurite_db_table__.json~").write_bytes(ERASED)
    return _kept(data)


def _kept(data: Path) -> dict[str, bytes]:
    """Return what the books name, and the books."""
    first, second, third, message = map(len, KEPT)
    bytes_, messages = (data / EXTENT).read_bytes(), (data / MESSAGES).read_bytes()
    gap = len(ERASED)
    return {
        "first": bytes_[:first],
        "second": bytes_[first + gap :][:second] + bytes_[first + second + 2 * gap :][:third],
        "message": messages[7:][:message],
        **{path.name: path.read_bytes() for path in data.glob("*.json")},
    }


def _holding(folder: Path, word: bytes) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and word in path.read_bytes()
    ]


class Killed(BaseException):
    """Nothing runs after this, as after SIGKILL."""


class DyingDisk(FolderDisk):
    """Dies at a call: before it, or in the middle of it."""

    def __init__(self, last: int, *, halfway: bool) -> None:
        self._left, self._halfway = last, halfway

    def _call(self, do: Callable[[], Any], half: Callable[[], Any] = lambda: None) -> None:
        self._left -= 1
        if self._left < 0:
            if self._halfway:
                half()
            raise Killed
        do()

    def make(self, folder: Path) -> None:
        self._call(lambda: super(DyingDisk, self).make(folder))

    def write(self, path: Path, parts: Iterable[bytes]) -> None:
        self._call(
            lambda: super(DyingDisk, self).write(path, parts), lambda: path.write_bytes(b"half")
        )

    def write_at(self, path: Path, pieces: Iterable[tuple[int, bytes]]) -> None:
        self._call(
            lambda: super(DyingDisk, self).write_at(path, pieces),
            lambda: path.write_bytes(b"half"),
        )

    def rename(self, path: Path, to: Path) -> None:
        self._call(lambda: super(DyingDisk, self).rename(path, to))

    def sync(self, folder: Path) -> None:
        self._call(lambda: None)  # what it costs shows in no test

    def remove(self, folder: Path) -> None:
        self._call(
            lambda: super(DyingDisk, self).remove(folder),
            lambda: shutil.rmtree(folder / "__blobstorage__", ignore_errors=True),
        )


class TestTheEmulatorsFiles:
    def test_what_was_erased_is_gone_and_everything_else_is_as_it_was(self, tmp_path: Path) -> None:
        data = tmp_path / "storage"
        before = _store(data)

        compact(data)

        assert _holding(tmp_path, ERASED) == []
        assert _kept(data) == before
        assert [path.name for path in tmp_path.iterdir()] == ["storage"]

    @pytest.mark.parametrize("halfway", [False, True])
    def test_killed_at_any_call_one_whole_store_remains(
        self, tmp_path: Path, halfway: bool
    ) -> None:
        for last in itertools.count():
            home = tmp_path / str(last)
            before = _store(home / "storage")
            try:
                compact(home / "storage", DyingDisk(last, halfway=halfway))
            except Killed:
                settle(home / "storage")
                assert _kept(home / "storage") == before, last
                assert [path.name for path in home.iterdir()] == ["storage"]
                compact(home / "storage", DyingDisk(1000, halfway=halfway))
            else:
                break
            assert _kept(home / "storage") == before, last
            assert _holding(home, ERASED) == []
        assert last > 12

    @pytest.mark.parametrize("again", range(3))
    def test_killed_while_it_puts_things_right_it_is_put_right_the_next_time(
        self, tmp_path: Path, again: int
    ) -> None:
        for last in itertools.count():
            home = tmp_path / str(last)
            before = _store(home / "storage")
            try:
                compact(home / "storage", DyingDisk(last, halfway=False))
            except Killed:
                try:
                    settle(home / "storage", DyingDisk(again, halfway=True))
                except Killed:
                    settle(home / "storage")
                assert _kept(home / "storage") == before, last
            else:
                break

    def test_a_copy_that_differs_is_not_used(self, tmp_path: Path) -> None:
        class Lying(FolderDisk):
            def write_at(self, path: Path, pieces: Iterable[tuple[int, bytes]]) -> None:
                super().write_at(path, ((at, piece[:-1] + b"?") for at, piece in pieces))

        before = _store(tmp_path / "storage")

        with pytest.raises(ConfigurationError, match="differs"):
            compact(tmp_path / "storage", Lying())

        assert _kept(tmp_path / "storage") == before

    def test_without_room_for_a_copy_nothing_changes(self, tmp_path: Path) -> None:
        class Full(FolderDisk):
            def write_at(self, path: Path, pieces: Iterable[tuple[int, bytes]]) -> None:
                raise OSError(28, "no room")

        before = _store(tmp_path / "storage")

        with pytest.raises(DiskFull):
            compact(tmp_path / "storage", Full())

        assert _kept(tmp_path / "storage") == before
        assert [path.name for path in tmp_path.iterdir()] == ["storage"]

    @pytest.mark.parametrize(
        "book",
        [
            {"BLOBS": [_blob("photo", 5)], "BLOCKS": []},
            {"BLOBS": [_blob("photo", 5, persistency=_place("e1", 0, 4))], "BLOCKS": []},
            {"OTHERS": []},
            {"BLOBS": [{"name": "photo"}], "BLOCKS": []},
        ],
    )
    def test_books_that_are_not_understood_are_left_alone(
        self, tmp_path: Path, book: dict[str, Any]
    ) -> None:
        data = tmp_path / "storage"
        _store(data)
        _book(data / "__azurite_db_blob__.json", **book)
        before = _kept(data)

        with pytest.raises(ConfigurationError, match=r"__azurite_db_blob__\.json is not as"):
            compact(data)

        assert _kept(data) == before

    def test_an_empty_message_stands_in_nobodys_way(self, tmp_path: Path) -> None:
        _store(tmp_path / "storage")
        message = _message("ocr") | {"persistency": _place("e2", 0, 0)}
        _book(tmp_path / "storage" / "__azurite_db_queue__.json", MESSAGES=[message])

        compact(tmp_path / "storage")

        assert _holding(tmp_path, ERASED) == []

    def test_blocks_that_wait_to_be_put_together_stay(self, tmp_path: Path) -> None:
        data = tmp_path / "storage"
        _store(data)
        block = {"name": "b1", "persistency": _place("e0", 4, 6)}
        _book(data / "__azurite_db_blob__.json", BLOBS=[], BLOCKS=[block])

        compact(data)

        assert (data / "__blobstorage__/e0").read_bytes() == bytes(4) + ERASED[4:10]

    def test_a_folder_that_somebody_made_meanwhile_is_not_touched(self, tmp_path: Path) -> None:
        for name in ("storage", "storage.new", "storage.old"):
            _store(tmp_path / name)

        with pytest.raises(ConfigurationError, match="was made while"):
            settle(tmp_path / "storage")

        assert len(list(tmp_path.iterdir())) == 3


def _database(home: Path) -> sqlite3.Connection:
    """Return a connection to a database with a table, made as ours are."""
    engine = Database("", home).connect()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE photo (name)")
    driver: Any = engine.raw_connection().driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


class TestTheDatabase:
    def test_what_is_deleted_is_overwritten_and_the_log_is_emptied(self, tmp_path: Path) -> None:
        database = _database(tmp_path)
        database.execute("INSERT INTO photo VALUES (?)", (ERASED,))
        database.execute("PRAGMA wal_checkpoint")
        database.execute("DELETE FROM photo")
        assert _holding(tmp_path, ERASED)

        empty_log(tmp_path / "imaginem.db")

        assert _holding(tmp_path, ERASED) == []

    def test_what_was_deleted_by_an_earlier_version_goes_when_it_is_written_anew(
        self, tmp_path: Path
    ) -> None:
        database = _database(tmp_path)
        database.execute("PRAGMA secure_delete=OFF")
        database.execute("INSERT INTO photo VALUES (?)", (ERASED,))
        database.execute("DELETE FROM photo")
        empty_log(tmp_path / "imaginem.db")
        assert _holding(tmp_path, ERASED) == ["imaginem.db"]

        assert write_anew(tmp_path / "imaginem.db")

        assert _holding(tmp_path, ERASED) == []

    def test_a_server_has_no_file_and_a_missing_one_is_not_made(self, tmp_path: Path) -> None:
        assert Database("", tmp_path).file == tmp_path / "imaginem.db"
        assert Database(f"sqlite:///{tmp_path}/other.db", tmp_path).file == tmp_path / "other.db"
        assert Database("postgresql+psycopg://host/db", tmp_path).file is None
        assert Database("no address", tmp_path).file is None
        assert write_anew(tmp_path / "imaginem.db")
        assert write_anew(None)
        assert list(tmp_path.iterdir()) == []


class Home:
    """A home whose host is stopped, and what compacts it."""

    def __init__(self, folder: Path, queue: str = "imaginem-saved") -> None:
        self.folder, self.data = folder, folder / "storage"
        self.kept = _store(self.data, queue)
        self.remains = FileRemains(folder, lambda: None)
        self.landing = MemoryLanding()
        self.free = True
        self.compacting = Compacting(self.data, self.remains, self.landing, lambda: self.free)

    @property
    def clean(self) -> bool:
        return _holding(self.data, ERASED) == []


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


class TestAtRest:
    def test_a_home_in_which_nothing_was_erased_is_left_alone(self, home: Home) -> None:
        home.compacting.when_at_rest()

        assert not home.clean

    def test_once_something_was_erased_it_is_compacted_by_itself_and_once(self, home: Home) -> None:
        home.remains.note()

        home.compacting.when_at_rest()

        assert home.clean
        assert not home.remains.waiting
        assert _kept(home.data) == home.kept

    def test_messages_keep_their_ids_and_the_note_that_one_may_be_of_what_was_erased(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        home = Home(tmp_path, "ocr")
        home.remains.note()

        home.compacting.when_at_rest()

        assert home.clean
        assert _kept(home.data) == home.kept
        assert home.remains.waiting
        assert "1 messages wait on queues" in caplog.text

    def test_it_is_not_done_again_for_messages_that_still_wait(self, tmp_path: Path) -> None:
        home = Home(tmp_path, "ocr")
        home.remains.note()
        home.compacting.when_at_rest()
        (home.data / "__blobstorage__/e9").write_bytes(ERASED)

        home.compacting.when_at_rest()
        assert _holding(home.data, ERASED) == ["__blobstorage__/e9"]

        home.remains.note()
        home.compacting.when_at_rest()
        assert _holding(home.data, ERASED) == []

        _book(home.data / "__azurite_db_queue__.json", MESSAGES=[])
        home.compacting.when_at_rest()
        assert not home.remains.waiting

    def test_decisions_that_storage_has_saved_go_and_with_them_the_ids(self, home: Home) -> None:
        home.landing.decide(Decision(Deed.ERASE, "spring", ("one",)))
        home.landing.storage_stopped()
        home.remains.note()

        home.compacting.when_at_rest()

        assert home.landing.decisions() == []
        assert not home.remains.waiting

    @pytest.mark.parametrize("stopped", [False, True])
    def test_decisions_that_storage_may_have_forgotten_stay_as_does_the_note(
        self, tmp_path: Path, stopped: bool
    ) -> None:
        home = Home(tmp_path)
        now = [datetime.now(UTC)]
        home.landing = MemoryLanding(lambda: now[0])
        home.compacting = Compacting(home.data, home.remains, home.landing, lambda: True)
        if stopped:
            home.landing.storage_stopped()
            now[0] += timedelta(seconds=1)
        home.landing.decide(Decision(Deed.ERASE, "spring", ("one",)))
        home.remains.note()

        home.compacting.when_at_rest()

        assert len(home.landing.decisions()) == 1
        assert home.remains.waiting

    def test_a_database_in_use_is_told_and_done_the_next_time(
        self, home: Home, caplog: pytest.LogCaptureFixture
    ) -> None:
        home.free = False
        home.remains.note()

        home.compacting.when_at_rest()

        assert home.remains.waiting
        assert "another program has the database open" in caplog.text

    def test_what_stands_in_the_way_holds_up_no_start(
        self, home: Home, caplog: pytest.LogCaptureFixture
    ) -> None:
        (home.data / "__azurite_db_blob__.json").write_text("{}")
        home.remains.note()

        home.compacting.when_at_rest()

        assert home.remains.waiting
        assert "is not as the storage emulator" in caplog.text

    def test_an_interrupted_switch_is_ended_at_any_start(self, home: Home) -> None:
        home.data.rename(home.folder / "storage.old")
        _store(home.folder / "storage.new")

        home.compacting.when_at_rest()

        assert _kept(home.data) == home.kept


class TestTheHost:
    def test_it_lets_compact_before_storage_starts_with_the_home_locked(
        self, tmp_path: Path
    ) -> None:
        seen: list[str] = []

        def at_rest() -> None:
            seen.append(f"at rest, locked: {is_locked(tmp_path)}")

        def stop() -> None:
            seen.append("storage is up")
            raise ConfigurationError("enough")

        options = HostOptions(tmp_path, port=0, home=tmp_path, at_rest=at_rest, prepare=stop)

        with pytest.raises(ConfigurationError, match="enough"):
            Host(options, MemoryQueues(), MemoryBlobs()).start()

        assert seen == ["at rest, locked: True", "storage is up"]

    def test_it_lets_compact_once_more_when_it_ends_and_not_after_that(
        self, tmp_path: Path
    ) -> None:
        locked: list[bool] = []
        options = HostOptions(
            tmp_path, port=0, home=tmp_path, at_rest=lambda: locked.append(is_locked(tmp_path))
        )
        host = Host(options, MemoryQueues(), MemoryBlobs())

        with pytest.raises(ConfigurationError, match=r"host\.json"):
            host.start()
        host.close()

        assert locked == [True, True]

    def test_a_host_that_was_refused_the_home_compacts_nothing(self, tmp_path: Path) -> None:
        def never() -> None:
            raise AssertionError("another host is at work")

        lock = HomeLock(tmp_path, 0)
        lock.take()
        options = HostOptions(tmp_path, port=0, home=tmp_path, at_rest=never)

        with pytest.raises(ConfigurationError, match="another host"):
            Host(options, MemoryQueues(), MemoryBlobs()).start()

        lock.release()


class TestTheCommand:
    @pytest.fixture
    def command(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Result]:
        monkeypatch.setenv("IMAGINEM_HOME", str(home.folder))
        monkeypatch.setenv("AzureWebJobsStorage", "")
        monkeypatch.setenv("SQL_CONNECTION_STRING", "")
        return lambda: CliRunner().invoke(app, ["compact", "--app", str(home.folder)])

    def test_it_compacts_though_nothing_is_noted(
        self, home: Home, command: Callable[[], Result]
    ) -> None:
        done = command()

        assert done.exit_code == 0, done.output
        assert "nothing of what was erased is left" in done.output
        assert home.clean
        assert not is_locked(home.folder)

    def test_while_a_host_runs_it_is_refused(
        self, home: Home, command: Callable[[], Result]
    ) -> None:
        lock = HomeLock(home.folder, 0)
        lock.take()

        done = command()
        lock.release()

        assert done.exit_code == 3
        assert "another host" in done.output
        assert not home.clean

    def test_it_says_what_still_waits(self, home: Home, command: Callable[[], Result]) -> None:
        _book(home.data / "__azurite_db_queue__.json", MESSAGES=[_message("ocr")])

        done = command()

        assert done.exit_code == 1
        assert "1 messages wait on queues" in done.output

    def test_where_all_data_is_on_servers_there_is_nothing_to_do(
        self, command: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AzureWebJobsStorage__accountName", "elsewhere")
        monkeypatch.setenv("SQL_CONNECTION_STRING", "postgresql+psycopg://u:p@host/db")

        assert "nothing to do" in command().output


class Watched:
    """Remains that tell what they were asked to do."""

    waiting = False

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self) -> None:
        self.told.append("note")

    def wipe(self) -> None:
        self.told.append("wipe")


class TestTheNote:
    def test_whoever_forgets_what_was_poisoned_erases_too(self) -> None:
        services = MemoryServices(remains=(remains := Watched()))
        for name in ("a", "b", "c"):
            services.poison.add(PoisonEntry("ocr", name, "", "Jane's photo", 1))

        drop_entry(services, "ocr", "a")
        drop_some(services, PoisonFilter(queue="ocr"))
        drop_some(services, PoisonFilter(queue="ocr"))  # nothing is left

        assert services.poison.list() == []
        assert remains.told == ["note", "wipe", "note", "note", "wipe"]

    def test_whoever_clears_a_queue_erases_too(self) -> None:
        services = MemoryServices(remains=(remains := Watched()))
        services.queues.send("ocr", "Jane's photo")

        clear_queue(services, "ocr")
        clear_queue(services, "ocr")  # nothing is left

        assert remains.told == ["note", "wipe"]

    def test_it_is_there_before_anything_goes_and_the_log_is_wiped_after_that(self) -> None:
        remains = Watched()
        told = remains.told

        class WatchedResults(MemoryResults):
            def erase(self, key: JobKey) -> None:
                told.append("erase")

            def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
                told.append("erase")

        services = MemoryServices(remains=remains, results=WatchedResults())

        erase_job(services, ("spring", "one"))
        erase_batch(services, "spring", ["two"])

        assert told == ["note", "erase", "erase", "wipe"] * 2

    def test_whoever_erases_is_told_what_still_waits(self, tmp_path: Path) -> None:
        services = MemoryServices(remains=FileRemains(tmp_path, lambda: None))
        services.batches.open_batch("spring", "")
        api = client(services)

        answer = api.delete("/api/batches/spring").json()

        assert "`imaginem compact`" in answer["remains"]

    def test_operations_and_the_doctor_tell_too_until_it_is_gone(self, tmp_path: Path) -> None:
        remains = FileRemains(tmp_path, lambda: None)
        api = client(MemoryServices(remains=remains))
        assert api.get("/api/operations").json()["remains"] == ""
        assert what_remains(remains) == []
        remains.note()
        told = "Something was erased. It can't be reached any more"
        assert api.get("/api/operations").json()["remains"].startswith(told)
        assert "`imaginem compact`" in api.get("/operations").text
        (finding,) = what_remains(remains)
        assert finding.note.startswith(told) and not finding.problem
        remains.compacted(whole=True)
        assert "imaginem compact" not in api.get("/operations").text

    def test_a_full_disk_keeps_nobody_from_erasing(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_bytes(b"")

        FileRemains(tmp_path / "file" / "home", lambda: None).wipe()

        assert "it can't be noted" in caplog.text

    def test_it_says_nothing_of_what_was_erased(self, tmp_path: Path) -> None:
        FileRemains(tmp_path, lambda: None).note()

        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("erased", b"")]
