"""A job is safe on the disk before anybody is told that it was accepted, whichever way it came."""

import errno
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from imaginem.cli.intake import submit_one
from imaginem.cli.sources import Source
from imaginem.errors import ConfigurationError, DiskFull, StorageUnavailable
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.states import JobState
from imaginem.pipeline.steps import default_registry
from imaginem.ports import JobKey, NoLanding
from imaginem.storage import EmulatorSaves, FileLanding
from imaginem.storage.durable import Disk
from imaginem.testing import MemoryQueues, MemoryServices, photo_bytes, run_all
from imaginem.usecases.drops import receive_drop
from imaginem.usecases.reconcile import reconcile
from imaginem.usecases.submit import run_again, submit_photo
from tests.dashboard import PIPELINE, client, web_services
from tests.forgetful import Forgetful
from tests.unit.test_interleavings import Ports, Shaky, WorkerDied
from tests.workbench import Bench

PHOTO = photo_bytes()
KEY: JobKey = ("spring", "job-1")


@dataclass
class RecordingDisk(Disk):
    """Notes what is done, in order, beside what a queue notes."""

    events: list[str] = field(default_factory=list)
    full: bool = False

    def write(self, path: Path, parts: Iterable[bytes]) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.events.append("write")
        super().write(path, parts)

    def rename(self, path: Path, to: Path) -> None:
        self.events.append("name" if path.name.startswith(".writing-") else "run")
        super().rename(path, to)

    def sync(self, folder: Path) -> None:
        self.events.append("sync")
        super().sync(folder)


class RecordingQueues(MemoryQueues):
    """Notes what is sent; can be away."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self._events = events
        self.away = False

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        if self.away:
            raise StorageUnavailable("queues: storage did not answer")
        self._events.append("send")
        return super().send(queue, body, delay=delay)


@pytest.fixture
def disk() -> RecordingDisk:
    return RecordingDisk()


@pytest.fixture
def services(tmp_path: Path, disk: RecordingDisk) -> MemoryServices:
    made = web_services()
    saves = EmulatorSaves(
        tmp_path / "storage", tmp_path / "mark", made.blobs, made.queues, made.shared_state
    )
    (tmp_path / "landing").mkdir()
    made.landing = FileLanding(tmp_path / "landing", saves, disk)  # type: ignore[assignment]
    made.queues = RecordingQueues(disk.events)
    return made


def by_api(services: MemoryServices) -> int:
    answer = client(services).post(
        "/api/batches/spring/images", files={"file": ("a.png", PHOTO, "image/png")}
    )
    return answer.status_code


def by_message(services: MemoryServices) -> int:
    definition = {"id": "a", "batch_id": "spring", "input": {"image_url": "https://x.test/a.png"}}
    return client(services).post("/api/jobs", json={"job_definition": definition}).status_code


def by_command(services: MemoryServices) -> None:
    file = services.landing._folder.parent / "a.png"  # type: ignore[attr-defined]
    file.write_bytes(PHOTO)
    submit_one(services, Source("a.png", file), "spring", PIPELINE)


def by_drop(services: MemoryServices) -> None:
    if not services.blobs.list("inputimages", "spring/a.png"):  # a host reports it again
        services.blobs.put("inputimages", "spring/a.png", PHOTO, "image/png")
    assert receive_drop(services, "spring/a.png") is not None


WAYS: dict[str, Callable[[MemoryServices], object]] = {
    "api": by_api,  # which the page for uploads calls as well
    "message": by_message,
    "command": by_command,
    "drop": by_drop,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_whichever_way_it_comes_it_is_on_the_disk_before_it_is_sent(
    services: MemoryServices, disk: RecordingDisk, way: Callable[[MemoryServices], object]
) -> None:
    assert way(services) in (None, 201, 202)
    assert disk.events[:4] == ["write", "name", "sync", "send"]
    (landed,) = services.landing.jobs()
    assert landed.run
    assert landed.run == services.submissions.submissions("spring")[landed.key[1]].run
    assert json.loads(landed.body)["job_definition"]["id"] == landed.key[1]
    if landed.photo is not None:
        assert services.landing.photo(landed) == PHOTO
        assert services.blobs.get(landed.photo.container, landed.photo.name, 2**20) == PHOTO
    assert (landed.photo is None) == (way is by_message)


def test_a_job_that_runs_again_lands_first(services: MemoryServices, disk: RecordingDisk) -> None:
    submit_photo(services, ("spring", "a"), "a.png", PHOTO, PIPELINE)
    run_all(services, default_registry)
    disk.events.clear()
    run = run_again(services, ("spring", "a"))
    assert disk.events == ["write", "name", "sync", "send", "run"]
    assert services.landing.jobs()[-1].run == run


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_on_a_full_disk_nothing_is_half_accepted(
    services: MemoryServices, disk: RecordingDisk, way: Callable[[MemoryServices], object]
) -> None:
    disk.full = True
    if way in (by_api, by_message):
        answered = way(services)
        assert answered == 507
    else:
        with pytest.raises(DiskFull, match=r"landing is full.*make room"):
            way(services)
    assert disk.events == []
    assert services.landing.jobs() == []
    assert services.submissions.submissions("spring") == {}
    assert sum(services.queues.count(name) or 0 for name in PIPELINE) == 0
    disk.full = False
    assert way(services) in (None, 201, 202)
    assert len(services.landing.jobs()) == len(services.submissions.submissions("spring")) == 1


def test_files_of_others_are_no_jobs(services: MemoryServices, tmp_path: Path) -> None:
    by_api(services)
    folder = tmp_path / "landing"
    (entry,) = folder.glob("*.job")
    for name in (f"copy of {entry.name}", f"{entry.name.removesuffix('.job')} (1).job"):
        (folder / name).write_bytes(entry.read_bytes())
    (folder / "empty.job").touch()
    (folder / "gone.job").symlink_to(tmp_path / "nothing")
    for ending in ("job", "decision"):
        (folder / f"folder.{ending}").mkdir()

    assert [job.run for job in services.landing.jobs()] == [entry.name.split(".")[1]]
    assert services.landing.decisions() == []


def test_an_entry_that_cannot_be_read_is_told(services: MemoryServices, tmp_path: Path) -> None:
    by_api(services)
    (entry,) = (tmp_path / "landing").glob("*.job")
    entry.unlink()
    entry.symlink_to(entry)  # a loop: as root may read everything, permissions show nothing

    with pytest.raises(ConfigurationError, match="can't be read"):
        reconcile(services)


def test_what_could_not_be_sent_is_not_accepted(services: MemoryServices) -> None:
    queues = services.queues
    assert isinstance(queues, RecordingQueues)
    queues.away = True
    assert by_api(services) == 503
    assert services.landing.jobs() == []
    assert services.submissions.submissions("spring") == {}


def test_a_second_sending_that_fails_takes_nothing_of_the_first(services: MemoryServices) -> None:
    run = submit_photo(
        services, KEY, "a.png", PHOTO, PIPELINE, parameters={"from": "Ann"}, photo_digest="first"
    )
    before = services.submissions.submission(KEY)
    kept = services.submissions.message(KEY)
    queues = services.queues
    assert isinstance(queues, RecordingQueues)
    queues.away = True
    with pytest.raises(StorageUnavailable):
        submit_photo(services, KEY, "b.png", PHOTO, PIPELINE, photo_digest="second")

    assert before is not None
    assert before.run == run
    after = services.submissions.submission(KEY)
    assert after is not None
    assert (after.run, after.photo) == (run, "first")
    assert (after.parameters, after.queue) == (before.parameters, before.queue)
    assert services.submissions.message(KEY) == kept
    assert [job.run for job in services.landing.jobs()] == [run]


class DiesWhenAsked:
    """A landing beside which the storage emulator dies, and is there again at once."""

    active = True

    def __init__(self, landing: Any, dies: Callable[[], None]) -> None:
        self._landing, self._dies = landing, dies

    def land(self, job: Any, photo: bytes | None) -> Any:
        self._dies()
        return self._landing.land(job, photo)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._landing, name)


def test_the_photo_is_put_once_it_has_landed() -> None:
    """Else the emulator may lose it before anybody knows that it is to be put back."""
    bench = Bench()
    forgetful = Forgetful(bench.services)
    empty = forgetful.save()

    def dies() -> None:
        forgetful.fall_back(blobs=empty, queues=empty, tables=empty)

    bench.services.landing = DiesWhenAsked(bench.services.landing, dies)  # type: ignore[assignment]
    run = submit_photo(bench.services, KEY, "a.png", PHOTO, bench.names)
    bench.run()
    assert _outcome(bench, run) == "ended and answered"


def test_storage_that_keeps_what_it_acknowledges_has_no_landing() -> None:
    services = web_services()
    services.landing = NoLanding()  # type: ignore[assignment]
    assert by_api(services) == 201
    assert reconcile(services).landed == 0
    assert services.landing.jobs() == []
    run_all(services, default_registry)
    assert client(services).get("/api/batches/spring").json()["ended"] == 1


def test_the_group_lands_with_the_job(services: MemoryServices) -> None:
    services.batches.open_batch("spring", "red-group")
    submit_photo(services, ("spring", "a"), "a.png", PHOTO, PIPELINE)
    (landed,) = services.landing.jobs()
    assert landed.group == "red-group"


@pytest.mark.parametrize("forgets", [True, False], ids=["forgets", "keeps"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_sender_that_dies_at_any_call_leaves_all_or_nothing(after: bool, forgets: bool) -> None:
    """The process dies before or after each call of a port, and storage with it."""
    outcomes: set[str] = set()
    for call in range(1, 40):
        bench, ports = Bench(), Ports()
        forgetful = Forgetful(bench.services)
        empty = forgetful.save()
        shaky = _shaky(bench, ports)
        ports.arm(call, after, WorkerDied())
        answered = ""
        with suppress(WorkerDied):
            answered = submit_photo(shaky, KEY, "a.png", PHOTO, bench.names)
        if forgets:
            forgetful.fall_back(blobs=empty, queues=empty, tables=empty)
        reconcile(bench.services)
        bench.run()
        outcomes.add(_outcome(bench, answered))
        if answered:
            break
    assert outcomes == {"nothing", "ended, not answered", "ended and answered"}


def _shaky(bench: Bench, ports: Ports) -> Any:
    """Return the services with the ports that submitting calls made shaky."""
    given = bench.services
    names = ("queues", "blobs", "submissions", "batches", "cancellations")
    shaky: dict[str, Any] = {name: Shaky(getattr(given, name), ports) for name in names}
    shaky["landing"] = ShakyLanding(given.landing, ports)
    return MemoryServices(
        core_settings=given.core_settings,
        log=given.log,
        shared_state=given.shared_state,
        **shaky,
    )


class ShakyLanding(Shaky):
    """A landing of which everybody may ask whether it is active, without a call."""

    active = True


def _outcome(bench: Bench, answered: str) -> str:
    row = read_row(bench.services.log, KEY)
    if row is None:
        assert not answered, "an accepted job is gone"
        return "nothing"
    assert row.job_state is JobState.SUCCEEDED
    place = bench.services.blobs.locate(row.image_url)
    assert place is not None
    assert bench.services.blobs.get(*place, 2**20) == PHOTO
    assert sum(bench.services.queues.count(name) or 0 for name in bench.names) == 0
    if not answered:
        return "ended, not answered"
    assert answered == row.run
    assert row.previous_runs == []
    return "ended and answered"
