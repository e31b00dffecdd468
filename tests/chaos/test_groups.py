"""Photos go through a step over several of them while workers and hosts are killed.

Each is recorded once, as one of the photos of one call, and none waits longer than it may. `make
groups` does it with 900 photos, CI with some.
"""

import json
import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from imaginem.config.settings import read_settings
from imaginem.errors import ImaginemError
from imaginem.host import Emulator
from imaginem.host.leases import LEASE_SECONDS
from imaginem.pipeline.gathering import PREFIX
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import JobState
from imaginem.ports import JobKey
from imaginem.runtime import Runtime
from imaginem.usecases.submit import submit_photo
from tests.chaos import accounts
from tests.chaos.attackers import Attackers, HostProcess, kill_one
from tests.chaos.test_faults import photo_of
from tests.conftest import ROOT

PHOTOS = int(os.environ.get("GROUP_PHOTOS", "40"))
KILLS_AFTER = tuple(map(int, os.environ.get("KILLS_AFTER", "8-16").split("-")))
"""How many photos are seen between two kills, at least and at most."""
SEED = int(os.environ.get("SEED", "20261128"))
GROUP, WITHIN = 9, 10.0
AHEAD = 5 * GROUP
LONGEST_WAIT = WITHIN + LEASE_SECONDS + 5.0
"""What a killed host held is hidden until its leases end: that is its visibility timeout."""

APP = f'''
import os
import time
import azure.functions as func
from imaginem import JobContext, StepOutput, step
from imaginem.config.settings import read_settings
from imaginem.functions import add_maintenance, add_steps
from imaginem.pipeline.steps import Registry
from imaginem.web import WebApp

registry = Registry()


class Seen(StepOutput):
    call: str
    at: float
    sha256: str


def note(word, call, jobs):
    line = " ".join([word, call, *("/".join(job.key) for job in jobs)]) + "\\n"
    handle = os.open(os.environ["EXECUTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode())
    os.close(handle)


@step(registry=registry, group={GROUP}, within="{WITHIN:.0f}s")
def compare(jobs: list[JobContext]) -> list[Seen]:
    """Look at several photos, which takes a moment."""
    call, at = os.urandom(8).hex(), time.time()
    note("begun", call, jobs)
    digests = [job.image.sha256 for job in jobs]
    time.sleep(0.2)
    note("ended", call, jobs)
    return [Seen(call=call, at=at, sha256=digest) for digest in digests]


@step(registry=registry, requires=(compare,), finalizer=True)
def report(job: JobContext) -> Seen:
    """Say once more what was seen."""
    return job.output(compare)


http = WebApp(registry, read_settings().http_access)
app = func.AsgiFunctionApp(app=http, http_auth_level=func.AuthLevel.ANONYMOUS)
add_steps(app, registry)
add_maintenance(app)
'''


@dataclass
class Hall:
    """A running host, and what is seen of those who wait.

    Attributes:
        since: when each job was seen to wait, by the entry of its wait.
    """

    host: HostProcess
    runtime: Runtime
    log: Path
    executed: Path
    since: dict[JobKey, float] = field(default_factory=dict)
    host_killed: float = float("-inf")

    def photos_seen(self) -> int:
        """Return of how many photos a call has ended."""
        lines = self.executed.read_text().splitlines() if self.executed.exists() else []
        return sum(line.count(" ") - 1 for line in lines if line.startswith("ended"))

    def watch(self, stop: threading.Event) -> None:
        """Note again and again who waits."""
        while not stop.wait(0.3):
            with suppress(ImaginemError):
                for text, _ in self.runtime.shared_state.list(PREFIX).values():
                    entry = json.loads(text)
                    key, since = tuple(entry["key"]), _moment(entry["since"])
                    self.since[key] = min(self.since.get(key, since), since)

    def kill_worker(self, chance: random.Random) -> bool:
        """Kill one of the worker processes."""
        return kill_one(self.host.processes("imaginem.host.worker"), chance)

    def kill_host(self, chance: random.Random) -> bool:
        """Kill the host, with all that it runs, and start it again.

        Each time costs what it held a lease: who is met twice waits twice as long.
        """
        if time.monotonic() - self.host_killed < 2 * LEASE_SECONDS:
            return False
        self.host_killed = time.monotonic()
        self.host.kill()
        self.host.start()
        return True


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def hall(own_azurite: Emulator, tmp_path: Path) -> Iterator[Hall]:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    shutil.copy(ROOT / "host.json", app)
    settings = {
        "AzureWebJobsStorage": own_azurite.connection_string,
        "IMAGINEM_HOME": str(tmp_path / "home"),
        "DROPPED_PHOTOS": "off",
        "PIPELINE_DEFINITION": "compare,report",
        "RETRY_SECONDS": "0.2",
    }
    environment = {**settings, "EXECUTED": str(tmp_path / "executed"), "PYTHONPATH": str(ROOT)}
    host = HostProcess(
        ["-m", "tests.chaos.run_host", str(app), "2"], environment, tmp_path / "host.log"
    )
    runtime = Runtime(read_settings(settings))
    host.start()
    yield Hall(host, runtime, tmp_path / "host.log", tmp_path / "executed")
    host.stop()
    runtime.database.close()


def test_photos_in_groups_of_nine_end_once_and_in_time_though_workers_and_hosts_are_killed(
    hall: Hall,
) -> None:
    keys = [("crowd", f"photo{number}") for number in range(PHOTOS)]
    begun, over = time.monotonic(), threading.Event()
    watcher = threading.Thread(target=hall.watch, args=(over,), daemon=True)
    watcher.start()

    def send(number: int) -> None:
        key = keys[number]
        while number - hall.photos_seen() > AHEAD:  # a queue that is full would be waited for, too
            time.sleep(0.2)
        submit_photo(hall.runtime, key, key[1], photo_of(number), ("compare", "report"))

    kills = {"worker": (3, hall.kill_worker), "host": (1, hall.kill_host)}
    with (
        Attackers(kills, SEED, hall.photos_seen, (KILLS_AFTER[0], KILLS_AFTER[1])) as attackers,
        ThreadPoolExecutor(2) as senders,
    ):
        list(senders.map(send, range(PHOTOS)))
        jobs = dict.fromkeys(keys)
        rows = accounts.wait_until_ended(hall.runtime, jobs, 200 + PHOTOS, hall.log)
    over.set()
    watcher.join()
    lasted = time.monotonic() - begun

    assert Counter(str(row.job_state) for row in rows.values()) == {JobState.SUCCEEDED: PHOTOS}
    assert {len(row.runs) for row in rows.values()} == {1}
    assert hall.runtime.poison.list() == []
    assert hall.runtime.shared_state.list(PREFIX) == {}
    calls = _calls_in(hall.executed)
    recorded = {key: json.loads(row.output_of("compare")) for key, row in rows.items()}
    assert all("/".join(key) in calls[seen["call"]] for key, seen in recorded.items())
    assert all(_agrees(row) for row in rows.values())
    waits = {key: recorded[key]["at"] - since for key, since in hall.since.items()}
    late = {key: wait for key, wait in waits.items() if wait > LONGEST_WAIT}
    assert late == {}
    sizes = Counter(len(members) for members in calls.values())
    print(
        f"\n{PHOTOS} photos, killed {dict(attackers.done)}, {lasted:.0f} s; {len(calls)} calls by "
        f"size {dict(sorted(sizes.items()))}; the longest waits {_longest(waits)} s"
    )


def _calls_in(executed: Path) -> dict[str, set[str]]:
    """Return the jobs that each call saw."""
    lines = [line.split(" ") for line in executed.read_text().splitlines()]
    return {call: set(jobs) for word, call, *jobs in lines if word == "begun"}


def _agrees(row: ProgressRow) -> bool:
    """Tell whether the last step was told of the call that is recorded."""
    return row.output_of("report") == row.output_of("compare")


def _longest(waits: dict[JobKey, float]) -> list[float]:
    return [round(wait, 1) for wait in sorted(waits.values())[-3:]]
