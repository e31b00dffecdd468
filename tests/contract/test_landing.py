"""What has landed is whole, safe before it is answered, and goes only when it may."""

import errno
import hashlib
import json
import multiprocessing
import os
import stat
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imaginem.errors import ConfigurationError, DiskFull, NotFound
from imaginem.ports import Decision, Deed, JobKey, LandedJob, LandedPhoto, Landing
from imaginem.storage import EmulatorSaves, FileLanding
from imaginem.storage.durable import Disk
from imaginem.testing import MemoryBlobs, MemoryLanding, MemoryQueues, MemorySharedState

KEY = ("spring", "job-1")
PHOTO = b"\x89PNG\r\n\x1a\nand more\n\x00"


def saves(folder: Path) -> EmulatorSaves:
    return EmulatorSaves(
        folder / "storage",
        folder / "landing" / "mark.json",
        MemoryBlobs(),
        MemoryQueues(),
        MemorySharedState(),
    )


def files(folder: Path, disk: Disk | None = None) -> FileLanding:
    return FileLanding(folder / "landing", saves(folder), disk)


@pytest.fixture(params=["memory", "files"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    return MemoryLanding() if request.param == "memory" else files(tmp_path)


def job(key: JobKey = KEY, photo: bytes = PHOTO) -> LandedJob:
    digest = hashlib.sha256(photo).hexdigest()
    kept = LandedPhoto("inputimages", "/".join(key), digest, {"imaginem": "own"})
    return LandedJob(key, "ocr", '{"job_definition": "ä"}', "red", kept)


class TestEveryLanding:
    def test_a_job_and_its_photo_come_back_as_they_were(self, landing: Landing) -> None:
        landed = landing.land(job(), PHOTO)
        assert landed == replace(job(), id=landed.id, at=landed.at)
        assert landed.id
        assert landing.jobs() == [landed]
        assert landing.photo(landed) == PHOTO

    def test_a_job_without_a_photo_lands_as_well(self, landing: Landing) -> None:
        landed = landing.land(replace(job(), photo=None))
        assert landing.jobs() == [landed]
        with pytest.raises(NotFound):
            landing.photo(landed)

    def test_the_run_is_known_once_it_was_sent(self, landing: Landing) -> None:
        landed = landing.land(job(), PHOTO)
        landing.sent(landed, "run-1")
        (found,) = landing.jobs()
        assert found == replace(landed, run="run-1")
        assert landing.photo(found) == landing.photo(landed) == PHOTO
        landing.sent(landed, "run-2")
        assert landing.jobs() == [replace(landed, run="run-2")]
        landing.remove(landed)
        assert landing.jobs() == []
        landing.remove(found)
        landing.sent(found, "run-3")  # somebody has removed it meanwhile
        assert landing.jobs() == []

    def test_jobs_come_oldest_first_and_those_sent_again_beside_the_first(
        self, landing: Landing
    ) -> None:
        sent = [landing.land(job(("b", name)), PHOTO) for name in ("2", "1", "2")]
        assert landing.jobs() == sent

    @pytest.mark.parametrize(
        ("batch", "left"),
        [
            (False, {("spring", "job-10"), ("springtime", "job-1")}),
            (True, {("springtime", "job-1")}),
        ],
        ids=["job", "batch"],
    )
    def test_erasing_takes_what_it_is_told_and_no_neighbour(
        self, landing: Landing, batch: bool, left: set[JobKey]
    ) -> None:
        for key in (KEY, KEY, ("spring", "job-10"), ("springtime", "job-1")):
            landing.land(job(key), PHOTO)
        if batch:
            landing.erase_batch("spring", [])
        else:
            landing.erase(KEY)
        assert {found.key for found in landing.jobs()} == left
        landing.erase(KEY)

    def test_decisions_stay_until_they_are_settled_and_through_an_erasure(
        self, landing: Landing
    ) -> None:
        cancelled = landing.decide(Decision(Deed.CANCEL, "spring"))
        erased = landing.decide(Decision(Deed.ERASE, "spring", ("job-1",), whole=True))
        budget = landing.decide(Decision(Deed.BUDGET, "spring", usd=5.0))
        landing.erase_batch("spring", ["job-1"])
        assert landing.decisions() == [cancelled, erased, budget]
        assert landing.decisions()[-1].usd == 5.0
        landing.settle(budget)
        landing.settle(cancelled)
        landing.settle(cancelled)
        assert landing.decisions() == [erased]

    def test_a_good_end_of_storage_is_known_until_it_starts_again(self, landing: Landing) -> None:
        before = datetime.now(UTC)
        assert landing.stopped_at() is None
        landing.storage_stopped()
        landing.storage_stopped()
        stopped = landing.stopped_at()
        assert stopped is not None
        assert before <= stopped <= datetime.now(UTC)
        saved = landing.saved_until()
        assert saved is not None
        assert saved >= stopped
        landing.storage_started()
        landing.storage_started()
        assert landing.stopped_at() is None


class RecordingDisk(Disk):
    """Notes what is done, by the folder of the name, and fails on demand."""

    def __init__(self, fail_at: str = "", problem: int = errno.ENOSPC) -> None:
        self.done: list[str] = []
        self._fail_at, self._problem = fail_at, problem

    def _do(self, what: str) -> None:
        if what.split()[0] == self._fail_at:
            raise OSError(self._problem, os.strerror(self._problem))
        self.done.append(what)

    def write(self, path: Path, parts: Iterable[bytes]) -> None:
        if self._fail_at == "write":
            path.write_bytes(b"half")
        self._do("write aside" if path.name.startswith(".writing-") else "write in place")
        super().write(path, parts)

    def rename(self, path: Path, to: Path) -> None:
        self._do("rename")
        super().rename(path, to)

    def sync(self, folder: Path) -> None:
        self._do(f"sync {folder.name}")
        super().sync(folder)


class TestFiles:
    def test_file_and_folder_are_on_the_disk_before_it_is_answered(self, tmp_path: Path) -> None:
        disk = RecordingDisk()
        landing = files(tmp_path, disk)
        landing.land(job(), PHOTO)
        assert disk.done == [f"sync {tmp_path.name}", "write aside", "rename", "sync landing"]
        disk.done.clear()
        landing.land(job(), PHOTO)
        landing.decide(Decision(Deed.CANCEL, "b"))
        assert disk.done == ["write aside", "rename", "sync landing"] * 2

    def test_the_bytes_are_flushed_before_the_file_has_its_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed: list[tuple[str, int]] = []

        def fsync(descriptor: int) -> None:
            name = Path(f"/proc/self/fd/{descriptor}").readlink()
            flushed.append((name.name[:9], os.fstat(descriptor).st_size))

        monkeypatch.setattr(os, "fsync", fsync)
        files(tmp_path).land(job(), PHOTO)
        (_, (aside, size), (folder, _)) = flushed
        assert (aside, folder) == (".writing-", "landing")
        assert size > len(PHOTO)

    def test_only_this_user_may_read_them(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            landing = files(tmp_path)
            landing.land(job(), PHOTO)
            landing.decide(Decision(Deed.CANCEL, "b"))
            landing.storage_stopped()
            landing.ask_storage()
        finally:
            os.umask(before)
        folder = tmp_path / "landing"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert len(modes) == 4
        assert set(modes.values()) == {0o600}

    @pytest.mark.parametrize("moment", ["write", "rename", "sync"])
    @pytest.mark.parametrize(
        ("number", "error"),
        [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, ConfigurationError)],
    )
    def test_on_a_full_disk_the_folder_is_named_and_nothing_is_left(
        self, tmp_path: Path, moment: str, number: int, error: type[Exception]
    ) -> None:
        (tmp_path / "landing").mkdir()
        landing = files(tmp_path, RecordingDisk(moment, number))
        with pytest.raises(error, match="landing"):
            landing.land(job(), PHOTO)
        assert landing.jobs() == []
        assert list((tmp_path / "landing").iterdir()) == []

    def test_what_is_torn_is_no_job_and_goes_after_an_hour(self, tmp_path: Path) -> None:
        landing = files(tmp_path)
        landed = landing.land(job(), PHOTO)
        folder = tmp_path / "landing"
        (whole,) = folder.iterdir()
        text = whole.read_bytes()
        torn = folder / ".writing-00-a.job"
        for length in (0, 10, len(text) - len(PHOTO) + 2):
            torn.write_bytes(text[:length])
            assert landing.jobs() == [landed]
        landing.ask_storage()
        assert torn.exists()  # somebody may be writing it
        os.utime(torn, (0, 0))
        landing.ask_storage()
        assert not torn.exists()
        (folder / "nonsense.job").write_text("no JSON")
        assert landing.jobs() == [landed]
        whole.write_bytes(text[:-1])  # the disk lost its end: no photo is better than half of one
        with pytest.raises(NotFound, match="not whole"):
            landing.photo(landed)

    @pytest.mark.parametrize("torn", [b"", bytes(100), b'{"key": ["spri', b"no JSON"])
    def test_a_torn_entry_is_told_once_and_set_aside(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, torn: bytes
    ) -> None:
        landing = files(tmp_path)
        landing.land(job())
        landing.decide(Decision(Deed.CANCEL, "spring"))
        names = sorted(path.name for path in (tmp_path / "landing").iterdir())
        for name in names:
            (tmp_path / "landing" / name).write_bytes(torn)
        for _ in range(2):
            assert not landing.jobs()
            assert not landing.decisions()
        for name in names:
            assert caplog.text.count(f"set aside as {name}.torn") == 1
            assert (tmp_path / "landing" / f"{name}.torn").read_bytes() == torn
        landing.erase(job().key)
        assert [path.name for path in (tmp_path / "landing").glob("*.job.torn")] == []

    def test_many_processes_land_at_once(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=_land_many, args=(tmp_path, n)) for n in range(4)]
        for worker in workers:
            worker.start()
        reader = files(tmp_path)
        while any(worker.is_alive() for worker in workers):
            assert all(reader.photo(found) == PHOTO for found in reader.jobs())
        for worker in workers:
            worker.join()
        found = reader.jobs()
        assert len(found) == 100
        assert all(entry.run == entry.key[1] for entry in found)


def _land_many(folder: Path, number: int) -> None:
    landing = files(folder)
    for each in range(25):
        landed = landing.land(job(("b", f"{number}-{each}")), PHOTO)
        landing.sent(landed, landed.key[1])


class Books:
    """The files of an emulator, saved when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "storage"
        self.folder.mkdir()
        (folder / "landing").mkdir()
        self.blobs, self.queues, self.shared = MemoryBlobs(), MemoryQueues(), MemorySharedState()
        self.note = folder / "landing" / "mark.json"
        self.saves = EmulatorSaves(self.folder, self.note, self.blobs, self.queues, self.shared)
        for kind in ("blob_extent", "queue_extent"):
            self.save(kind, "{}")

    def save(self, kind: str, text: str) -> None:
        (self.folder / f"__azurite_db_{kind}__.json").write_text(text)

    def move_mark(self, by: timedelta) -> None:
        told = json.loads(self.note.read_text())
        told["at"] = (datetime.fromisoformat(told["at"]) + by).isoformat()
        self.note.write_text(json.dumps(told))

    def save_all(self, but: str = "") -> None:
        (blob,) = self.blobs.scan("azure-webjobs-hosts")
        (message,) = self.queues.receive("imaginem-saved", 32, 0)
        state = self.shared.read("saved")
        assert state is not None
        texts = {"blob": blob.metadata["mark"], "queue": message.id, "table": state[0]}
        for kind, text in texts.items():
            self.save(kind, f'{{"a": "{text if kind != but else "older"}"}}')


class TestSaves:
    def test_what_came_before_a_mark_is_saved_once_every_book_has_it(self, tmp_path: Path) -> None:
        books = Books(tmp_path)
        books.save("table", "{}")
        assert books.saves.until() is None
        before = datetime.now(UTC)
        books.saves.mark()
        after = datetime.now(UTC)
        for late in ("blob", "queue", "table"):
            books.save_all(but=late)
            assert books.saves.until() is None, late
        books.save_all()
        until = books.saves.until()
        assert until is not None
        # The books of places can't hold the mark: they get a minute to be saved.
        assert before <= until + timedelta(seconds=60) <= after

    def test_a_new_mark_counts_from_when_it_is_saved(self, tmp_path: Path) -> None:
        books = Books(tmp_path)
        books.saves.mark()
        books.save_all()
        first = books.saves.until()
        books.saves.mark()
        assert books.saves.until() is None
        books.save_all()
        second = books.saves.until()
        assert first is not None
        assert second is not None
        assert second > first

    @pytest.mark.parametrize("kind", ["blob", "queue", "queue_extent"])
    def test_without_one_of_the_books_nothing_is_known(self, tmp_path: Path, kind: str) -> None:
        books = Books(tmp_path)
        books.saves.mark()
        books.save_all()
        (books.folder / f"__azurite_db_{kind}__.json").unlink()
        assert books.saves.until() is None

    def test_a_mark_from_the_future_tells_nothing(self, tmp_path: Path) -> None:
        books = Books(tmp_path)
        books.saves.mark()
        books.save_all()
        books.move_mark(timedelta(hours=1))
        assert books.saves.until() is None

    def test_where_the_files_are_not_ours_a_quarter_of_an_hour_is_enough(
        self, tmp_path: Path
    ) -> None:
        def is_a_quarter_ago(moment: datetime | None) -> bool:
            assert moment is not None
            return timedelta(0) <= datetime.now(UTC) - timedelta(minutes=15) - moment < MINUTE

        books = Books(tmp_path)
        assert is_a_quarter_ago(books.saves.until())  # none: it keeps all in memory, or elsewhere
        books.saves.mark()
        books.save("table", "{}")
        os.utime(books.folder / "__azurite_db_table__.json", (0, 0))
        assert books.saves.until() is None  # it may be about to save the mark
        books.move_mark(-timedelta(minutes=16))
        assert is_a_quarter_ago(books.saves.until())  # of another emulator, which did not save it


MINUTE = timedelta(minutes=1)
