"""`imaginem start` as people run it: workers, host and storage emulator are killed under uploads.

What was answered with 201 ends, once, and its photo is there. `make chaos` does it with 200 photos
and at least three kills of each; CI kills all of them once.
"""

import json
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import pytest

from imaginem.config.settings import read_settings
from imaginem.errors import ImaginemError
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import JobState
from imaginem.ports import JobKey
from imaginem.runtime import Runtime
from tests.chaos import accounts
from tests.chaos.attackers import HostProcess, kill_one
from tests.chaos.test_faults import photo_of
from tests.conftest import ROOT
from tests.installation import free_row

PHOTOS = int(os.environ.get("UPLOADS", "6"))
ROUNDS = int(os.environ.get("ROUNDS", "0"))
"""How often each of workers, host and emulator is killed, before all are at once."""
SEED = int(os.environ.get("SEED", "20261127"))
LONGEST = 90 + 2.0 * PHOTOS

APP = '''
import azure.functions as func
from imaginem import JobContext, StepOutput, step
from imaginem.config.settings import read_settings
from imaginem.functions import add_maintenance, add_steps
from imaginem.pipeline.steps import Registry
from imaginem.web import WebApp
from steps.pipelineoutput import pipelineoutput

registry = Registry()


class Seen(StepOutput):
    sha256: str
    note: str = ""


def make(name):
    def run(job: JobContext) -> Seen:
        """Look at the photo; say more than a message carries about some."""
        digest = job.image.sha256
        return Seen(sha256=digest, note="x" * 20_000 if name == "two" and digest < "4" else "")

    run.__name__ = name
    step(registry=registry)(run)


for number in "one two three four five six seven".split():
    make(number)
registry.add(pipelineoutput)
http = WebApp(registry, read_settings().http_access)
app = func.AsgiFunctionApp(app=http, http_auth_level=func.AuthLevel.ANONYMOUS)
add_steps(app, registry)
add_maintenance(app)
'''
PIPELINE = "one,two,three,four,five,six,seven,pipelineoutput"


@dataclass
class Started:
    """An `imaginem start`, and what was accepted by it."""

    host: HostProcess
    runtime: Runtime
    log: Path
    accepted: dict[JobKey, bytes] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def upload(self, number: int) -> None:
        """Send a photo until it is accepted."""
        deadline, answer = time.monotonic() + LONGEST, ""
        while True:
            try:
                sent = httpx2.post(
                    f"http://127.0.0.1:{self.host.port}/api/batches/b{number % 3}/images",
                    files={"file": (f"{number}.png", photo_of(number))},
                    timeout=30,
                )
                if sent.status_code in (200, 201):
                    job = sent.json()
                    self.accepted[job["batch_id"], job["job_id"]] = photo_of(number)
                    return
                answer = f"{sent.status_code} {sent.text[:300]}"
                assert sent.status_code in (429, 500, 503), answer
            except httpx2.TransportError as problem:
                answer = repr(problem)
            assert time.monotonic() < deadline, answer
            time.sleep(0.2)

    def kill(self, kind: str, chance: random.Random) -> None:
        """Kill a worker, the emulator, the host or all; a host that died is started again."""
        if kind == "host":
            self.host.kill()
            self.host.start()
            self.kills[kind] += 1
            return
        if kind == "all":  # as when a laptop's battery is empty
            pids = [self.host.pid, *self.host.processes("")]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self.host.kill()
            self.host.start()
            self.kills[kind] += 1
            return
        part = {"worker": "imaginem.host.worker", "emulator": "azurite"}[kind]
        wait_for(lambda: bool(self.host.processes(part)))
        self.kills[kind] += kill_one(self.host.processes(part), chance)


@pytest.fixture(params=["off", "auto"])
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Started]:
    """A host with a delivery for each step, and one with fused runs."""
    app, home = tmp_path / "app", tmp_path / "home"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    shutil.copytree(ROOT / "steps", app / "steps", ignore=shutil.ignore_patterns("__pycache__"))
    host_json = json.loads((ROOT / "host.json").read_text())
    host_json["extensions"]["queues"]["visibilityTimeout"] = "00:00:01"
    (app / "host.json").write_text(json.dumps(host_json))
    settings = {
        "IMAGINEM_HOME": str(home),
        "EMULATOR_PORT": str(free_row()),
        "PIPELINE_DEFINITION": PIPELINE,
        "DROPPED_PHOTOS": "off",
        "PIPELINE_FUSION": request.param,
        "RETRY_SECONDS": "0.2",
    }
    command = ["-m", "imaginem.cli", "start", "--app", str(app), "--home", str(home), "--port"]
    environment = {**settings, "PYTHONPATH": str(ROOT)}
    host = HostProcess(command, environment, tmp_path / "host.log")
    runtime = Runtime(read_settings(settings))
    host.start()
    yield Started(host, runtime, tmp_path / "host.log")
    host.stop()
    runtime.database.close()


def has_accepted(started: Started, count: int) -> bool:
    return len(started.accepted) >= count


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_accepted_ends_once_though_workers_host_and_emulator_are_killed(
    started: Started,
) -> None:
    chance, begun = random.Random(SEED), time.monotonic()
    kinds = ["worker", "emulator", "host"] * ROUNDS
    chance.shuffle(kinds)

    def attack() -> None:
        for number, kind in enumerate(kinds):
            due = PHOTOS * (number + 1) // (len(kinds) + 1)
            wait_for(partial(has_accepted, started, due))
            started.kill(kind, chance)

    attacker = threading.Thread(target=attack)
    attacker.start()
    with ThreadPoolExecutor(4) as senders:
        list(senders.map(started.upload, range(PHOTOS)))
    attacker.join()
    started.kill("all", chance)  # the last photos were accepted a moment ago
    rows = _rows_once_all_have_ended(started)
    lasted = time.monotonic() - begun

    assert len(started.accepted) == PHOTOS
    failed = {k: row for k, row in rows.items() if row.job_state is not JobState.SUCCEEDED}
    assert {key: (row.job_state, row.problems()) for key, row in failed.items()} == {}
    once = dict.fromkeys(started.accepted, 1)
    assert accounts.count_by_job(started.runtime, "pipeline_output") == once
    for key, photo in started.accepted.items():
        result = started.runtime.results.read(key)
        assert result is not None
        container, name = started.runtime.blobs.locate(result.image_url) or ("", "")
        assert started.runtime.blobs.get(container, name, 10**6) == photo
    assert started.runtime.poison.list() == []
    runs = Counter(len(row.runs) for row in rows.values())
    print(f"\n{PHOTOS} photos, {dict(started.kills)} killed, {lasted:.0f} s; runs a job: {runs}")


def _rows_once_all_have_ended(started: Started) -> dict[JobKey, ProgressRow]:
    deadline = time.monotonic() + LONGEST
    while True:
        with suppress(ImaginemError, AssertionError):
            return accounts.wait_until_ended(started.runtime, started.accepted, 1, started.log)
        if time.monotonic() > deadline:
            return accounts.wait_until_ended(started.runtime, started.accepted, 1, started.log)
