"""One home, one host, one storage: emulators and hosts that are killed, stopped, started twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imaginem.config.settings import read_settings
from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.host.home import is_locked
from imaginem.host.processes import Process, commands
from imaginem.pipeline.states import ENDED
from imaginem.runtime import Runtime
from imaginem.testing import MemoryBlobs, MemoryQueues
from tests.conftest import ROOT
from tests.installation import command_environment, free_row
from tests.waiting import PATIENCE, until

STEP = '''"""A step that waits while a file is there."""

import os
import time
from pathlib import Path

from imaginem import JobContext, StepOutput, step


class Waited(StepOutput):
    pid: int


@step()
def waits(job: JobContext) -> Waited:
    """Wait."""
    app = Path(__file__).parents[1]
    (app / "began").touch()
    while (app / "wait").exists():
        time.sleep(0.01)
    return Waited(pid=os.getpid())
'''


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app with one step, which needs no model."""
    app = tmp_path / "app"
    (app / "steps").mkdir(parents=True)
    for name in ("function_app.py", "host.json", "steps/__init__.py"):
        shutil.copy(ROOT / name, app / name)
    (app / "steps" / "waits.py").write_text(STEP)
    return app


def processes_of(app: Path) -> list[int]:
    """Return the processes that work for an app's host."""
    return [pid for pid, words in commands() if str(app) in words]


def send_job(runtime: Runtime, job: str) -> None:
    photo = runtime.blobs.put("inputimages", f"b/{job}", b"not looked at", "image/png")
    definition = {
        "id": job,
        "batch_id": "b",
        "input": {"image_url": photo},
        "processing_pipeline": ["waits"],
        "processing_step": 0,
    }
    runtime.queues.send("waits", json.dumps({"job_definition": definition}))


def has_ended(runtime: Runtime, job: str) -> bool:
    entry = runtime.log.read(("b", job))
    return entry is not None and entry.properties["job_state"] in ENDED


class Supervised:
    """A host in this process, with an emulator of its own that it keeps alive."""

    def __init__(self, app: Path, home: Path) -> None:
        self.app = app
        ports = EmulatorPorts.free()
        settings = {
            "AzureWebJobsStorage": ports.connection_string,
            "IMAGINEM_HOME": str(home),
            "PIPELINE_DEFINITION": "waits",
        }
        self.runtime = Runtime(read_settings(settings))
        self.port = EmulatorPorts.free().blob
        self.workers_at_preparation: list[list[int]] = []
        self.emulator = Emulator(home / "storage", ports, ROOT)
        self._log = (app.parent / "host.log").open("wb")
        options = HostOptions(
            app,
            workers=1,
            port=self.port,
            environment=settings,
            log=self._log,
            home=home,
            prepare=lambda: self.workers_at_preparation.append(processes_of(app)),
        )
        self.host = Host(options, self.runtime.queues, self.runtime.blobs, self.emulator)
        self.ready = threading.Event()
        self.host.start()
        self._thread = threading.Thread(
            target=self.host.run_until_stopped, kwargs={"reloaded": self.ready.set}
        )
        self._thread.start()

    def stop(self) -> None:
        self.host.request_stop()
        self._thread.join()
        self.host.close()
        self.runtime.database.close()
        self._log.close()

    def answer(self) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/batches", data=b"x")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()


@pytest.fixture
def supervised(app: Path, tmp_path: Path) -> Iterator[Supervised]:
    made = Supervised(app, tmp_path / "home")
    yield made
    (app / "wait").unlink(missing_ok=True)
    made.stop()


def test_an_emulator_that_dies_or_stops_is_started_again_before_any_worker(
    supervised: Supervised, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed under a running step, with damaged books at first; then stopped by a signal."""
    (supervised.app / "wait").touch()
    send_job(supervised.runtime, "interrupted")
    until((supervised.app / "began").exists)
    books = supervised.app.parent / "home" / "storage" / "__azurite_db_queue__.json"
    until(books.exists)
    kept = books.read_text()
    assert supervised.emulator.pid is not None
    books.write_text("damaged{")
    os.kill(supervised.emulator.pid, signal.SIGKILL)
    until(lambda: sum("is not valid JSON" in line for line in caplog.messages) >= 2)
    status, answer = supervised.answer()
    assert status == 503
    assert "SIGKILL); it is being started again" in json.loads(answer)["detail"]
    until(lambda: not processes_of(supervised.app))
    books.write_text(kept)
    (supervised.app / "wait").unlink()
    assert supervised.ready.wait(240)
    assert supervised.workers_at_preparation == [[], []]
    send_job(supervised.runtime, "after-death")
    until(lambda: has_ended(supervised.runtime, "after-death"))

    supervised.ready.clear()
    os.kill(supervised.emulator.pid, signal.SIGSTOP)
    assert supervised.ready.wait(240)
    assert supervised.workers_at_preparation == [[], [], []]
    assert has_ended(supervised.runtime, "after-death"), "a stopped emulator saves what it holds"
    send_job(supervised.runtime, "after-stop")
    until(lambda: has_ended(supervised.runtime, "after-stop"))


def test_a_start_waits_for_a_named_account_that_does_not_answer_yet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Then it goes on; that there is no host.json shows how far it came."""
    tries = []

    def prepare() -> None:
        tries.append(True)
        if len(tries) < 3:
            raise StorageUnavailable("the account does not answer")

    host = Host(HostOptions(tmp_path, port=0, prepare=prepare), MemoryQueues(), MemoryBlobs())
    with pytest.raises(ConfigurationError, match=r"no host\.json"):
        host.start()
    assert len(tries) == 3
    assert caplog.messages == ["the account does not answer; waiting for it, up to 60 s"]


class Started:
    """`imaginem start`, as a person runs it."""

    def __init__(self, app: Path, home: Path, emulator_port: int) -> None:
        self.home = home
        self.port = free_row()
        self.settings = {
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "EMULATOR_PORT": str(emulator_port),
            "IMAGINEM_HOME": str(home),
            "PIPELINE_DEFINITION": "waits",
        }
        self.runtime = Runtime(read_settings(self.settings))
        command = [sys.executable, "-m", "imaginem.cli", "start", "--workers", "1"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            cwd=app,
            env=command_environment(self.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        lines = []
        while "Imaginem is ready" not in (line := self.process.stdout.readline()):
            lines.append(line)
            assert line, lines  # it has ended

    def refused(self) -> str:
        """Wait for its end and return why it could not start."""
        text, _ = self.process.communicate(timeout=240)
        assert self.process.returncode == 3, text
        assert "Traceback" not in text
        return text

    @property
    def emulator(self) -> Process:
        noted = json.loads((self.home / "storage.process").read_text())
        return Process(noted["pid"], noted["started"])

    def end(self, number: signal.Signals) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        text, _ = self.process.communicate(timeout=240)
        assert "Traceback" not in text
        return self.process.returncode


Start = Callable[[Path, int], Started]


@pytest.fixture
def start(app: Path) -> Iterator[Start]:
    """Run `imaginem start`; what still runs after the test, because it failed, is killed."""
    every: list[Started] = []

    def run(home: Path, emulator_port: int) -> Started:
        every.append(Started(app, home, emulator_port))
        return every[-1]

    yield run
    for one in every:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate(timeout=60)
        if (one.home / "storage.process").exists():
            one.emulator.end(20)


def test_two_homes_on_the_same_ports_are_never_mixed(
    app: Path, start: Start, tmp_path: Path
) -> None:
    """Two hosts on one home, two homes on the same ports, killed hosts and those who follow."""
    port = free_row()
    first = start(tmp_path / "first", port)
    first.wait_until_ready()

    again = start(tmp_path / "first", port)
    other = start(tmp_path / "other", port)
    assert f"process {first.process.pid}, http://127.0.0.1:{first.port}/" in again.refused()
    refusal = other.refused()
    assert f"{tmp_path / 'first'} (a host runs on it)" in refusal
    assert "EMULATOR_PORT=" in refusal

    (app / "wait").touch()
    send_job(first.runtime, "interrupted")
    until((app / "began").exists)
    left = first.emulator
    os.kill(left.pid, signal.SIGSTOP)  # so that it does not see the end of its host
    first.end(signal.SIGKILL)
    until(lambda: not processes_of(app))  # though a step runs
    refusal = start(tmp_path / "other", port).refused()
    assert f"{tmp_path / 'first'} (process {left.pid}, left behind)" in refusal
    assert f"kill {left.pid}; kill -CONT {left.pid}" in refusal

    assert left.runs
    first = start(tmp_path / "first", port)
    first.wait_until_ready()
    assert left.wait(0)
    assert first.runtime.log.read(("b", "interrupted")), "the one left behind saved its books"
    emulator = first.emulator
    first.end(signal.SIGKILL)
    assert emulator.wait(PATIENCE), "the emulator ends with its host"

    other = start(tmp_path / "other", port)
    other.wait_until_ready()
    assert other.runtime.log.read(("b", "interrupted")) is None
    assert "waits" in other.runtime.queues.names()
    assert other.runtime.queues.count("waits") == 0
    assert other.end(signal.SIGINT) == 0
    assert not is_locked(other.home)
    assert not (other.home / "storage.process").exists()
