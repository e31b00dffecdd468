"""Nobody sends a job while storage is compared with what was accepted: it would be sent twice."""

import logging
from pathlib import Path

import pytest

from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.host import Emulator, Host, HostOptions
from imaginem.storage import EmulatorSaves, FileLanding
from imaginem.testing import MemoryBlobs, MemoryQueues, MemoryServices, photo_bytes
from imaginem.usecases.reconcile import Reconciled, reconcile
from imaginem.usecases.submit import submit_photo
from tests.dashboard import PIPELINE, web_services

KEY = ("spring", "job-1")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SENDER_WAITS", "_HOST_WAITS"):
        monkeypatch.setattr(f"imaginem.storage.turnstile.{name}", 0.0)


@pytest.fixture
def services(tmp_path: Path) -> MemoryServices:
    """What a command works with, on the landing's folder of a host."""
    made = web_services()
    made.landing = landing_of(tmp_path, made)  # type: ignore[assignment]
    return made


def landing_of(folder: Path, services: MemoryServices) -> FileLanding:
    """Return the landing of one of several processes."""
    around = services.blobs, services.queues, services.shared_state
    saves = EmulatorSaves(folder / "storage", folder / "mark", *around)
    return FileLanding(folder / "landing", saves)


def submit(services: MemoryServices) -> None:
    submit_photo(services, KEY, "a.png", photo_bytes(), PIPELINE)


def test_a_command_waits_from_the_start_of_storage_until_it_was_compared(
    services: MemoryServices, tmp_path: Path
) -> None:
    command = landing_of(tmp_path, services)
    services.landing.storage_starts()
    host, services.landing = services.landing, command  # type: ignore[assignment]
    with pytest.raises(StorageUnavailable, match="try again when `imaginem start` says"):
        submit(services)
    assert not services.queues.count(PIPELINE[0])
    assert services.submissions.submission(KEY) is None

    services.landing = host
    assert reconcile(services) == Reconciled()
    services.landing = command  # type: ignore[assignment]
    submit(services)
    assert services.queues.count(PIPELINE[0]) == 1


def test_nobody_sends_while_storage_is_compared(services: MemoryServices, tmp_path: Path) -> None:
    """Also where the emulator is not ours to start, so that nobody told of it before."""
    submit(services)
    command = landing_of(tmp_path, services)
    refused: list[str] = []
    jobs = services.landing.jobs

    def submit_meanwhile() -> list[object]:
        services.landing, own = command, services.landing  # type: ignore[assignment]
        try:
            submit(services)
        except StorageUnavailable as problem:
            refused.append(str(problem))
        services.landing = own
        return list(jobs())

    services.landing.jobs = submit_meanwhile  # type: ignore[method-assign,assignment]
    assert reconcile(services).landed == 1
    assert len(refused) == 1


def test_a_command_that_hangs_while_it_sends_keeps_no_host_from_starting(
    services: MemoryServices, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with landing_of(tmp_path, services).sending(), caplog.at_level(logging.WARNING):
        services.landing.storage_starts()
        services.landing.storage_started()
    assert "may be sent twice" in caplog.text


def test_the_host_lets_nobody_send_before_each_start_of_its_emulator(tmp_path: Path) -> None:
    events: list[str] = []

    class NotedEmulator(Emulator):
        def start(self) -> None:
            events.append("start")

        def stop(self) -> bool:
            return True

        @property
        def ended(self) -> bool:
            return len(events) == 2  # after its first start

    def prepare() -> None:
        if len(events) == 2:
            raise StorageUnavailable("tables: storage did not answer")
        raise ConfigurationError("far enough")

    options = HostOptions(tmp_path, port=0, prepare=prepare)
    emulator = NotedEmulator(None)
    host = Host(options, MemoryQueues(), MemoryBlobs(), emulator, lambda: events.append("closed"))
    with pytest.raises(ConfigurationError, match="far enough"):
        host.start()
    assert events == ["closed", "start"] * 2
