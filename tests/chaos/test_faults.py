"""Everything goes wrong at once: faults of storage and AI services, killed and stopped processes.

The whole pipeline runs in a host of its own process, on Azurite and on the emulator of Azure's AI
services, each behind a proxy that spoils requests and doubles messages. Uploads go through HTTP.
`make chaos` does it with hundreds of jobs.
"""

import io
import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import JobState
from imaginem.ports import JobKey
from imaginem.runtime import Runtime
from imaginem.storage.account import emulator_connection_string
from imaginem.usecases.poison import replay_job
from tests.ai_emulator import KEY, ColorEngines
from tests.chaos import accounts
from tests.chaos.attackers import (
    Attackers,
    HostProcess,
    SmallDisk,
    kill_one,
    lock_database,
    stop_one,
)
from tests.chaos.proxy import JSON, XML, FaultyProxy
from tests.conftest import ROOT
from tests.e2e.conftest import azure_settings

JOBS = int(os.environ.get("JOBS", "0"))
KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("SEED", "20261127"))
FAULTS = 0.08
DOUBLED = 0.05
BATCHES = 4
LONGEST = 60 + 2.0 * JOBS
"""Seconds that the jobs may take."""


@dataclass
class Chaos:
    """An installation, what spoils it, and how to look at it.

    Attributes:
        direct: reads tables and queues past the proxies.
        through: knows blobs by the addresses that the installation gives them.
    """

    host: HostProcess
    disk: SmallDisk
    proxies: list[FaultyProxy]
    direct: Runtime
    through: Runtime
    log: Path
    executed: Path

    def faults(self, share: float, doubled: float) -> None:
        """Spoil this share of all requests, and double this share of all messages."""
        for proxy in self.proxies:
            proxy.share, proxy.doubled = share, doubled

    def upload(self, key: JobKey, photo: bytes) -> None:
        """Send a photo until it is accepted, as the upload page does."""
        deadline = time.monotonic() + LONGEST
        address = f"http://127.0.0.1:{self.host.port}/api/batches/{key[0]}/images"
        while True:
            answer = "no answer"
            try:
                sent = httpx2.post(
                    address,
                    files={"file": (f"{key[1]}.png", photo)},
                    data={"job_id": key[1]},
                    timeout=30,
                )
                if sent.status_code in (200, 201):
                    return
                answer = f"{sent.status_code} {sent.text[:300]}"
                assert sent.status_code in (429, 500, 502, 503, 507), answer
            except httpx2.TransportError as problem:
                answer = repr(problem)
            assert time.monotonic() < deadline, answer
            time.sleep(0.3)


@pytest.fixture(params=["off", "auto"])
def chaos(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Chaos]:
    """A host behind faults, with a delivery for each step, and with fused runs."""
    app, home = tmp_path / "app", tmp_path / "home"
    shutil.copytree(ROOT / "steps", app / "steps", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("chaos_app.py"), app / "function_app.py")
    host_json = json.loads((ROOT / "host.json").read_text())
    host_json["extensions"]["queues"]["visibilityTimeout"] = "00:00:01"
    (app / "host.json").write_text(json.dumps(host_json))
    disk = SmallDisk(home, 64 + JOBS // 4)
    with ExitStack() as stack:
        stack.callback(disk.remove)
        azurite = stack.enter_context(Emulator(None, EmulatorPorts.free(), ROOT))
        options = AiEmulatorOptions(key=KEY)
        server = stack.enter_context(AiEmulatorServer(AiEmulator(ColorEngines(), options)))
        services = int(server.address.rpartition(":")[2])
        ports = (azurite.ports.blob, azurite.ports.queue, azurite.ports.table)
        targets = [*((port, XML) for port in ports[:2]), (ports[2], JSON), (services, JSON)]
        proxies = [
            stack.enter_context(FaultyProxy(port, body, SEED + number))
            for number, (port, body) in enumerate(targets)
        ]
        shared = {
            "IMAGINEM_HOME": str(home),
            "RETRY_SECONDS": "0.2",
            "DROPPED_PHOTOS": "off",
            "PIPELINE_FUSION": request.param,
            **azure_settings(f"http://127.0.0.1:{proxies[3].port}"),
        }
        spoiled = emulator_connection_string(*(proxy.port for proxy in proxies[:3]))
        environment = {
            **shared,
            "AzureWebJobsStorage": spoiled,
            "DIRECT_STORAGE": azurite.connection_string,
            "EXECUTED": str(tmp_path / "executed"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{app}",
        }
        direct, through = (
            Runtime(read_settings({**shared, "AzureWebJobsStorage": connection}))
            for connection in (azurite.connection_string, spoiled)
        )
        stack.callback(direct.database.close)
        stack.callback(through.database.close)
        host = HostProcess(
            ["-m", "tests.chaos.run_host", str(app), "4"], environment, tmp_path / "host.log"
        )
        stack.callback(host.stop)
        host.start()
        yield Chaos(
            host, disk, proxies, direct, through, tmp_path / "host.log", tmp_path / "executed"
        )


def photo_of(number: int) -> bytes:
    chance = random.Random(f"{SEED} {number}")
    shade = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
    out = io.BytesIO()
    Image.new("RGB", (400, 300), shade).save(out, "PNG")
    return out.getvalue()


@pytest.mark.skipif(JOBS == 0, reason="takes minutes: `make chaos` runs it")
def test_whatever_goes_wrong_every_job_ends_once_with_each_face_once(
    chaos: Chaos, tmp_path: Path
) -> None:
    photos = {(f"b{n % BATCHES}", f"job-{n}"): photo_of(n) for n in range(JOBS)}
    begun = time.monotonic()

    def kill_host(_: random.Random) -> bool:
        chaos.host.kill()
        chaos.host.start()
        return True

    def workers() -> list[int]:
        return chaos.host.processes("imaginem.host.worker")

    database = tmp_path / "home" / "imaginem.db"
    attacks = {
        "worker killed": (16, lambda chance: kill_one(workers(), chance)),
        "http killed": (
            2,
            lambda chance: kill_one(chaos.host.processes("imaginem.host.http"), chance),
        ),
        # What a killed host had received comes back when its leases run out, after a minute.
        "host killed": (2 if JOBS > 50 else 0, kill_host),
        "worker stopped": (3, lambda chance: stop_one(workers(), chance, 4)),
        "database locked": (2, lambda chance: lock_database(database, chance, 3)),
        "disk full": (2, lambda chance: chaos.disk.fill(chance, 3)),
    }
    chaos.faults(FAULTS, DOUBLED)
    executions_a_kill = max(1, 5 * JOBS // KILLS)
    steps = (executions_a_kill // 2, executions_a_kill)
    with Attackers(attacks, SEED, lambda: _executions(chaos), steps) as attackers:
        with ThreadPoolExecutor(6) as senders:
            list(senders.map(lambda item: chaos.upload(*item), photos.items()))
        _wait_for_most(chaos, photos, begun)
    chaos.faults(0, 0)
    chaos.host.start()
    rows = accounts.wait_until_ended(chaos.direct, photos, LONGEST, chaos.log)
    lasted = time.monotonic() - begun
    poisoned = chaos.direct.poison.list()
    assert all(entry.reason and entry.job_id for entry in poisoned)
    executions = accounts.executions_in(chaos.executed)
    for entry in poisoned:
        replay_job(chaos.through, entry.queue, entry.id)
    rows = accounts.wait_until_ended(chaos.direct, photos, LONGEST, chaos.log)

    _print_account(chaos, attackers, executions, len(poisoned), lasted)
    killed = sum(count for name, count in attackers.done.items() if "killed" in name)
    assert killed >= KILLS
    assert chaos.direct.poison.list() == []
    assert rows.keys() == photos.keys()
    assert {key: row.problems() for key, row in rows.items() if not _succeeded(row)} == {}
    once = dict.fromkeys(photos, 1)
    assert accounts.count_by_job(chaos.direct, "pipeline_output") == once
    assert accounts.count_by_job(chaos.direct, "face") == once
    for key, photo in photos.items():
        result = chaos.direct.results.read(key)
        assert result is not None
        container, name = chaos.through.blobs.locate(result.image_url) or ("", "")
        assert chaos.through.blobs.get(container, name, 10**6) == photo
    crops = chaos.through.blobs.list("faces", "")
    assert len(crops) == len(photos)
    assert executions.again <= 0.01 * executions.begun


def _executions(chaos: Chaos) -> int:
    """Return about how many step executions there have been: their notes have two lines of 40."""
    return chaos.executed.stat().st_size // 80 if chaos.executed.exists() else 0


def _succeeded(row: ProgressRow) -> bool:
    return row.job_state is JobState.SUCCEEDED


def _wait_for_most(chaos: Chaos, photos: dict[JobKey, bytes], begun: float) -> None:
    """Wait until nine of ten jobs have ended, while everything goes on going wrong."""
    while time.monotonic() - begun < LONGEST:
        rows = accounts.rows_of(chaos.direct, photos)
        if sum(row.has_ended for row in rows.values()) >= 0.9 * len(photos):
            return
        time.sleep(1)


def _print_account(
    chaos: Chaos,
    attackers: Attackers,
    executions: accounts.Executions,
    poisoned: int,
    lasted: float,
) -> None:
    requests = sum(proxy.requests for proxy in chaos.proxies)
    faults = sum((proxy.faults for proxy in chaos.proxies), start=type(chaos.proxies[0].faults)())
    print(
        f"\n{JOBS} jobs in {lasted:.0f} s, seed {SEED}\nattacks: {dict(attackers.done)}\n"
        f"{requests} requests, spoiled: {dict(faults)}\n"
        f"steps: {executions.begun} executions, {executions.interrupted} of them interrupted or "
        f"retried, {executions.again} of steps that were recorded\n"
        f"{poisoned} poison entries replayed"
        + (f"\nno disk was filled: {chaos.disk.problem}" if chaos.disk.problem else "")
    )
