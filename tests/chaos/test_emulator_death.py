"""The storage emulator is killed: what was answered with 201 ends, once, with its photo."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib import request
from urllib.error import HTTPError, URLError

import pytest
from sqlalchemy import text

from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.states import JobState
from imaginem.runtime import Runtime
from tests.chaos.test_drops import tiny_jpeg
from tests.conftest import ROOT
from tests.installation import command_environment, free_row

PHOTOS = int(os.environ.get("UPLOADS", "40"))
SEED = int(os.environ.get("SEED", "20261127"))
BATCH = "uploaded"
STEPS = ("look", "again", "pipelineoutput")

APP = '''
import azure.functions as func
from imaginem import JobContext, JobResult, StepOutput, step
from imaginem.functions import add_maintenance, add_steps
from imaginem.pipeline.steps import Registry
from imaginem.web import make_app

registry = Registry()


class Seen(StepOutput):
    sha256: str
    note: str = ""


@step(registry=registry)
def look(job: JobContext) -> Seen:
    """Read the photo; say more than a message carries about some."""
    digest = job.image.sha256
    return Seen(sha256=digest, note="x" * 20_000 if digest < "4" else "")


@step(registry=registry, requires=(look,))
def again(job: JobContext) -> Seen:
    """Say once more what was seen."""
    return Seen(sha256=job.output(look).sha256)


@step(registry=registry, finalizer=True)
def pipelineoutput(job: JobContext) -> Seen:
    """Write the result."""
    job.results.save(
        JobResult(
            batch_id=job.batch_id,
            id=job.job_id,
            processing_pipeline=job.pipeline,
            image_url=job.image_url,
            image_parameters=job.image_parameters,
            photo_url=job.photo_url,
            job_output=job.outputs,
            unsuccessful=job.unsuccessful,
        )
    )
    return Seen(sha256="")


app = func.AsgiFunctionApp(
    app=make_app(registry, "local"), http_auth_level=func.AuthLevel.ANONYMOUS
)
add_steps(app, registry)
'''


class Home:
    """`imaginem start` on a home of its own, whose processes can be killed."""

    def __init__(self, folder: Path) -> None:
        app = folder / "app"
        app.mkdir()
        (app / "function_app.py").write_text(APP)
        (app / "host.json").write_text((ROOT / "host.json").read_text())
        self._environment = {
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "EMULATOR_PORT": str(free_row()),
            "IMAGINEM_HOME": str(folder / "home"),
            "PIPELINE_DEFINITION": ",".join(STEPS),
            "DROPPED_PHOTOS": "off",
        }
        self.runtime = Runtime(read_settings(self._environment))
        self.port = EmulatorPorts.free().blob
        self._command = [sys.executable, "-m", "imaginem.cli", "start", "--app", str(app)]
        self._command += ["--port", str(self.port), "--workers", "1"]
        self._log, self._out = folder / "host.log", folder / "host.out"
        self.host: subprocess.Popen[bytes]

    def start(self) -> None:
        with self._log.open("a") as log, self._out.open("w") as out:
            environment = command_environment(self._environment)
            self.host = subprocess.Popen(self._command, env=environment, stdout=out, stderr=log)
        while "ready" not in self._out.read_text():
            assert self.host.poll() is None, self.log_text
            time.sleep(0.05)

    @property
    def log_text(self) -> str:
        return self._log.read_text("utf-8", "replace")

    @property
    def reconciled(self) -> list[str]:
        """What each reconciling told that had something to do."""
        marked = "storage was compared with what had been accepted: "
        return [line.partition(marked)[2] for line in self.log_text.splitlines() if marked in line]

    def kill_emulator(self) -> None:
        (emulator,) = [pid for pid in self._children() if "azurite.js" in _command_of(pid)]
        os.kill(emulator, signal.SIGKILL)

    def kill_all(self) -> None:
        """End everything at once, as when a laptop's battery is empty."""
        self.kill_emulator()
        children = self._children()
        self.host.kill()
        self.host.wait()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _children(self) -> list[int]:
        folder = Path(f"/proc/{self.host.pid}/task")
        found = (path.read_text().split() for path in folder.glob("*/children"))
        return [int(pid) for pids in found for pid in pids]

    def stop(self) -> None:
        self.host.terminate()
        self.host.wait(60)
        self.runtime.database.close()

    def upload(self, name: str, photo: bytes) -> str:
        """Send a photo as a program does; return its job's id, or nothing if it was refused."""
        boundary = "a-boundary"
        body = (
            f"--{boundary}\r\nContent-Disposition: form-data; name=file; filename={name}\r\n"
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        asked = request.Request(
            f"http://127.0.0.1:{self.port}/api/batches/{BATCH}/images",
            body + photo + f"\r\n--{boundary}--\r\n".encode(),
            {"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        try:
            with request.urlopen(asked, timeout=30) as answer:
                assert answer.status == 201
                return str(json.load(answer)["job_id"])
        except HTTPError as refused:
            assert refused.code == 503
            return ""
        except (URLError, ConnectionError):
            return ""


def _command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    made.start()
    yield made
    made.stop()


def upload_all(home: Home, photos: dict[str, bytes]) -> dict[str, bytes]:
    """Upload photos, four at a time, until all are accepted; return them by job id."""
    accepted: dict[str, bytes] = {}
    left = dict(photos)
    with ThreadPoolExecutor(4) as senders:
        while left:
            ids = list(senders.map(lambda item: (home.upload(*item), item[0]), left.items()))
            accepted |= {job_id: left.pop(name) for job_id, name in ids if job_id}
            time.sleep(0.2 if left else 0)
    return accepted


def wait_until_ended(home: Home, jobs: Iterable[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for job_id in jobs:
        while (row := read_row(home.runtime.log, (BATCH, job_id))) is None or not row.has_ended:
            told = row.as_json() if row else "no row"
            assert time.monotonic() < deadline, f"{job_id}: {told}\n{home.log_text[-3000:]}"
            time.sleep(0.1)


def test_whatever_was_accepted_ends_once_with_its_photo(home: Home) -> None:
    chance = random.Random(SEED)
    photos = {f"photo-{n}.jpg": tiny_jpeg(chance) for n in range(PHOTOS)}
    names = list(photos)
    half = {name: photos[name] for name in names[: PHOTOS // 2]}
    rest = {name: photos[name] for name in names[PHOTOS // 2 :]}

    accepted = upload_all(home, half)
    home.kill_emulator()  # jobs are under way, and the host goes on
    accepted |= upload_all(home, rest)
    home.kill_all()  # at once after the last 201
    home.start()
    assert len(accepted) == PHOTOS
    wait_until_ended(home, accepted, 60)

    assert len(home.reconciled) == 2
    assert all("failed 0" in told for told in home.reconciled)
    runtime = home.runtime
    for job_id, photo in accepted.items():
        row = read_row(runtime.log, (BATCH, job_id))
        assert row is not None
        assert row.job_state is JobState.SUCCEEDED, row.problems()
        place = runtime.blobs.locate(row.image_url)
        assert place is not None
        assert runtime.blobs.get(*place, 2**20) == photo
        result = runtime.results.read((BATCH, job_id))
        assert result is not None
        assert result.job_output["look"]["sha256"] == hashlib.sha256(photo).hexdigest()
        sent = runtime.submissions.submission((BATCH, job_id))
        assert sent is not None
        assert sent.run in row.runs
    assert len(list(runtime.log.batch(BATCH))) == PHOTOS
    with runtime.database.engine.connect() as connection:
        assert connection.execute(text("select count(*) from pipeline_output")).scalar() == PHOTOS
    assert runtime.poison.list() == []


def test_what_the_emulator_has_saved_is_read_in_its_files(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "storage", EmulatorPorts.free(), ROOT)
    emulator.start()
    settings = {
        "AzureWebJobsStorage": emulator.connection_string,
        "IMAGINEM_HOME": str(tmp_path),
    }
    landing = Runtime(read_settings(settings)).landing
    assert landing.saved_until() is None
    landing.ask_storage()
    after = datetime.now(UTC)
    assert emulator.stop()  # it saves before it ends
    assert not emulator.stop()  # it is not running
    until = landing.saved_until()
    assert until is not None
    assert until < after
    emulator.start()
    emulator.stop()
    assert landing.saved_until() == until
    emulator.start()
    assert emulator.pid is not None
    os.kill(emulator.pid, signal.SIGKILL)
    assert not emulator.stop()
