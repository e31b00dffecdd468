"""A home: its lock, its files, its storage; which processes are its own."""

import errno
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from imaginem.cli.doctor import _checks
from imaginem.config.settings import read_settings
from imaginem.errors import ConfigurationError, DiskFull, StorageSilent, StorageUnavailable
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.host.gap import Gap, listen
from imaginem.host.home import HomeLock, is_locked, write_atomically
from imaginem.host.identity import check_identity, join
from imaginem.host.leftover import end_leftover, forget, record, who_serves
from imaginem.host.processes import Process
from imaginem.host.storage_keeper import delay_after
from imaginem.runtime import Runtime
from imaginem.testing import MemoryBlobs, MemoryQueues, MemorySharedState
from tests.chaos.attackers import SmallDisk

EMULATOR = "the local emulator"


def test_one_host_at_a_time_has_a_home(tmp_path: Path) -> None:
    first, second = HomeLock(tmp_path / "home", 7071), HomeLock(tmp_path / "home", 7072)
    first.take()
    assert is_locked(tmp_path / "home")
    with pytest.raises(ConfigurationError) as refused:
        second.take()
    assert f"process {os.getpid()}, http://127.0.0.1:7071/, since 20" in str(refused.value)
    assert "--home" in str(refused.value)
    first.release()
    assert not is_locked(tmp_path / "home")
    second.take()
    second.release()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from imaginem.host.home import HomeLock\n"
        "lock = HomeLock(Path(sys.argv[1]), 0); lock.take(); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(ConfigurationError, match=f"process {holder.pid}, since"):
            HomeLock(tmp_path, 0).take()
        holder.kill()
    lock = HomeLock(tmp_path, 0)  # what the dead one wrote about itself is still there
    lock.take()
    lock.release()


def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(ConfigurationError, match=r"without locks .*local disk"):
        HomeLock(tmp_path, 0).take()


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    synced: list[int] = []

    def fail(number: int) -> None:
        synced.append(number)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskFull, match=f"^{path.name}: the disk of {tmp_path} is full"):
        write_atomically(path, "new")
    assert synced
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def full_home(tmp_path: Path) -> Iterator[Path]:
    """A home on a disk of its own without any room."""
    disk = SmallDisk(tmp_path / "home", 1)
    if disk.problem:
        pytest.skip(f"no small disk can be mounted here: {disk.problem}")
    with suppress(OSError), (tmp_path / "home" / "photos").open("wb", buffering=0) as file:
        while file.write(bytes(65536)):
            pass
    yield tmp_path / "home"
    disk.remove()


def test_a_home_without_room_is_told_by_its_own_disk(full_home: Path) -> None:
    for _ in range(2):  # the lock is not kept
        with pytest.raises(DiskFull) as told:
            HomeLock(full_home, 7071).take()
        assert str(told.value).startswith(f"host.lock: the disk of {full_home} is full (0.0 MB")
        assert not is_locked(full_home)
    with pytest.raises(DiskFull, match=f"identity.json: the disk of {full_home} is full"):
        join(full_home, MemorySharedState(), EMULATOR)
    (full_home / "photos").unlink()
    lock = HomeLock(full_home, 7071)
    lock.take()
    lock.release()
    join(full_home, MemorySharedState(), EMULATOR)
    assert starts(full_home) == 1


def test_a_home_that_is_not_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"host\.lock can't be written.*--home"):
        HomeLock(tmp_path / "home", 7071).take()


def starts(home: Path) -> int:
    return int(json.loads((home / "identity.json").read_text())["starts"])


def test_a_home_and_its_storage_know_each_other(tmp_path: Path) -> None:
    state = MemorySharedState()
    check_identity(tmp_path, state, EMULATOR)
    for _ in range(3):
        join(tmp_path, state, EMULATOR)
    check_identity(tmp_path, state, EMULATOR)
    assert starts(tmp_path) == 3


@pytest.fixture
def joined(tmp_path: Path) -> Iterator[tuple[Path, MemorySharedState]]:
    """A home that two hosts have started on, and its storage."""
    home, state = tmp_path / "home", MemorySharedState()
    home.mkdir()
    for _ in range(2):
        join(home, state, EMULATOR)
    yield home, state


@pytest.mark.parametrize("has_its_own", [False, True])
def test_storage_of_another_home_is_refused(
    joined: tuple[Path, MemorySharedState], tmp_path: Path, has_its_own: bool
) -> None:
    home, state = joined
    if has_its_own:
        join(tmp_path, MemorySharedState(), EMULATOR)
    for look in (check_identity, join):
        with pytest.raises(ConfigurationError, match=r"belongs to another home than .*--adopt"):
            look(tmp_path, state, EMULATOR)
    join(home, state, EMULATOR)  # nothing was changed

    join(tmp_path, state, EMULATOR, adopt=True)
    join(tmp_path, state, EMULATOR)
    with pytest.raises(ConfigurationError, match="another home"):
        join(home, state, EMULATOR)


def test_a_home_that_was_restored_is_refused(joined: tuple[Path, MemorySharedState]) -> None:
    home, state = joined
    backup = (home / "identity.json").read_text()
    join(home, state, EMULATOR)
    (home / "identity.json").write_text(backup)
    with pytest.raises(ConfigurationError, match=r"\(2 starts, there 3\).*backup"):
        join(home, state, EMULATOR)
    join(home, state, EMULATOR, adopt=True)
    join(home, state, EMULATOR)
    assert starts(home) == 5


def test_storage_that_lost_its_books_is_no_stranger(
    joined: tuple[Path, MemorySharedState],
) -> None:
    """The emulator died: what it has is older than the home, or empty."""
    home, state = joined
    older = MemorySharedState()
    older.write("home", (state.read("home") or ("",))[0], "")
    join(home, state, EMULATOR)
    join(home, older, EMULATOR)
    join(home, MemorySharedState(), EMULATOR)
    assert starts(home) == 5


def test_another_account_is_refused_though_it_is_empty(
    joined: tuple[Path, MemorySharedState],
) -> None:
    home, _ = joined
    empty = MemorySharedState()
    with pytest.raises(ConfigurationError, match=f"{EMULATOR}, and the settings name the account"):
        join(home, empty, "the account blue")
    assert empty.read("home") is None
    join(home, empty, "the account blue", adopt=True)
    join(home, empty, "the account blue")


def test_a_damaged_identity_is_told(joined: tuple[Path, MemorySharedState]) -> None:
    home, state = joined
    (home / "identity.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"identity\.json can't be read.*--adopt"):
        join(home, state, EMULATOR)
    join(home, state, EMULATOR, adopt=True)
    join(home, state, EMULATOR)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends only when it is told to."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    yield process
    process.kill()
    process.wait()


def test_a_process_left_behind_is_ended(tmp_path: Path, sleeper: "subprocess.Popen[bytes]") -> None:
    record(tmp_path / "storage", sleeper.pid)
    os.kill(sleeper.pid, signal.SIGSTOP)
    left = Process.of(sleeper.pid)
    assert left is not None
    while not left.is_stopped:
        pass
    end_leftover(tmp_path / "storage", 20)
    assert sleeper.wait(20) == -signal.SIGTERM  # not killed: it could save its books
    forget(tmp_path / "storage")
    end_leftover(tmp_path / "storage", 0)


def test_a_pid_that_was_given_to_another_process_is_left_alone(tmp_path: Path) -> None:
    echo = [sys.executable, "-c", "print(input(), flush=True)"]
    with subprocess.Popen(echo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        os.kill(other.pid, signal.SIGSTOP)  # as one that would be ended at once
        record(tmp_path / "storage", other.pid)
        note = tmp_path / "storage.process"
        noted = json.loads(note.read_text())
        for text in (json.dumps({**noted, "started": "long ago"}), "", "{}", "[1]"):
            note.write_text(text)
            end_leftover(tmp_path / "storage", 0)
        os.kill(other.pid, signal.SIGCONT)
        assert other.communicate("still here", timeout=20)[0] == "still here\n"


def test_a_process_that_has_ended_does_not_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    seen = Process.of(process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not reaped
    assert Process.of(process.pid) is None
    assert seen is None or seen.wait(0)
    process.wait()
    assert Process.of(process.pid) is None


@pytest.mark.parametrize("locked", [False, True])
def test_an_emulator_of_another_home_is_named(tmp_path: Path, locked: bool) -> None:
    home = tmp_path / "a home"
    home.mkdir()
    lock = HomeLock(home, 0)
    if locked:
        lock.take()
    words = ["lifeline.cjs", "azurite.js", "--blobPort", "23", "--location", f"{home}/storage"]
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = who_serves(23)
        assert found is not None
        assert (found.pid, found.home) == (process.pid, home)
        assert found.state == (
            "a host runs on it" if locked else f"process {found.pid}, left behind"
        )
        assert f"kill {found.pid}" in found.remedy or locked
        process.kill()
    lock.release()


def test_delays_grow_to_half_a_minute() -> None:
    assert [delay_after(deaths) for deaths in (1, 2, 3, 7, 99)] == [0.5, 1, 2, 30, 30]


def asked(port: int, **headers: str) -> tuple[str, str, str]:
    """Post a large body; return type, delay and text of the refusal."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/x", b"x" * 5_000_000, headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    with refused.value as answer:
        assert answer.code == 503
        return answer.headers["Content-Type"], answer.headers["Retry-After"], answer.read().decode()


def test_requests_are_answered_while_no_app_is_there() -> None:
    """Also those with a body; two servers on one socket, as while the app's process starts."""
    with listen(0) as listener:
        port = listener.getsockname()[1]
        gap = Gap(listener)
        gap.open("starting")
        gap.open("storage is down")
        assert asked(port)[:2] == ("application/problem+json", "5")
        assert json.loads(asked(port)[2])["detail"] == "storage is down"
        assert asked(port, Accept="text/html")[2] == "storage is down\n"
        gap.close()

        waiting: list[str] = []
        client = threading.Thread(target=lambda: waiting.append(asked(port)[2]))
        client.start()  # nobody accepts, and it is not refused
        gap.open("back soon")
        client.join(20)
        gap.close()
    assert "back soon" in waiting[0]


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is in use: .*--port"):
            listen(port)


def test_the_doctor_finds_the_emulator_that_a_start_uses(tmp_path: Path) -> None:
    """The app lies elsewhere, and has no emulator beside it."""
    settings = {"EMULATOR_PORT": "23", "IMAGINEM_HOME": str(tmp_path / "home")}
    checks = {check.name: check for check in _checks(Runtime(read_settings(settings)), tmp_path)}
    checks["storage emulator"].look()


def test_the_doctor_says_what_to_do_if_storage_can_t_tell_whose_home_it_is(tmp_path: Path) -> None:
    class Silent:
        def read(self, name: str) -> tuple[str, str] | None:
            raise StorageSilent("table pipelinestate: storage did not answer")

    runtime = Runtime(read_settings({"IMAGINEM_HOME": str(tmp_path / "home")}))
    runtime.made["shared_state"] = Silent()
    checks = {check.name: check for check in _checks(runtime, tmp_path)}
    with pytest.raises(StorageSilent, match="did not answer: is `imaginem start` running"):
        checks["home"].look()


def test_a_port_of_the_emulator_is_not_taken_for_another_programs(tmp_path: Path) -> None:
    emulator = Emulator(None, EmulatorPorts.beginning_at(10000))
    host = Host(HostOptions(tmp_path, port=10001), MemoryQueues(), MemoryBlobs(), emulator)
    with pytest.raises(ConfigurationError, match=r"emulator's own, 10000 to 10002: .*--port"):
        host.start()


def test_a_start_says_what_it_is_doing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    emulator = ObedientEmulator(None, EmulatorPorts.beginning_at(10000))
    with caplog.at_level(logging.INFO), pytest.raises(ConfigurationError, match=r"no host\.json"):
        host_on(emulator, tmp_path).start()
    assert caplog.messages == [
        "starting the storage emulator on ports 10000 to 10002",
        "starting workers (processes that run functions: 2)",
    ]


class ObedientEmulator(Emulator):
    """Starts and ends at once and in good order; a signal may have stopped it for long."""

    starts = 0
    runs = False

    def start(self) -> None:
        self.runs = True
        self.starts += 1

    def stop(self) -> bool:
        was, self.runs = self.runs, False
        return was

    @property
    def ended(self) -> bool:
        return not self.runs


def host_on(emulator: Emulator, folder: Path, **more: Callable[[], None]) -> Host:
    options = HostOptions(folder, port=0, home=folder / "home", **more)  # type: ignore[arg-type]
    return Host(options, MemoryQueues(), MemoryBlobs(), emulator)


def test_storage_that_was_not_prepared_does_not_count_as_saved(tmp_path: Path) -> None:
    """Otherwise what it forgot when it was killed would never be put back."""
    saved: list[str] = []

    def refuse() -> None:
        raise ConfigurationError("it belongs to another home")

    host = host_on(
        ObedientEmulator(None), tmp_path, prepare=refuse, storage_saved=lambda: saved.append("yes")
    )
    with pytest.raises(ConfigurationError, match="another home"):
        host.start()
    assert not saved

    stopped = host_on(ObedientEmulator(None), tmp_path, storage_saved=lambda: saved.append("yes"))
    stopped.request_stop()  # Ctrl-C while storage starts
    stopped.start()
    stopped.close()
    assert not saved

    no_app = host_on(ObedientEmulator(None), tmp_path, storage_saved=lambda: saved.append("yes"))
    with pytest.raises(ConfigurationError):
        no_app.start()
    assert saved == ["yes"]


def test_storage_that_ended_is_started_again_however_long_a_start_has_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imaginem.host.host._STORAGE_SECONDS", -1.0)
    emulator = ObedientEmulator(None)

    def prepare() -> None:
        if emulator.starts == 1:
            emulator.runs = False
            raise StorageUnavailable("tables: storage did not answer")
        raise ConfigurationError("far enough")

    with pytest.raises(ConfigurationError, match="far enough"):
        host_on(emulator, tmp_path, prepare=prepare).start()
    assert emulator.starts == 2
