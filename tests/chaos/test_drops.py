"""Photos are dropped by a plain SDK client while workers are killed: each becomes one job, once.

`DROPS=1000 pytest tests/chaos/test_drops.py` (`make drops`) does it with more photos than CI does.
"""

import io
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from PIL import Image

from imaginem.host import Emulator
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import ENDED
from imaginem.ports.drops import run_of_drop
from imaginem.usecases.drops import receive_drop
from tests.chaos.attackers import Attackers, kill_one
from tests.conftest import ROOT
from tests.installation import Installation

PHOTOS = int(os.environ.get("DROPS", "100"))
SEED = int(os.environ.get("SEED", "20261126"))
BATCHES = 5

APP = '''
import os
import azure.functions as func
from imaginem import JobContext, StepOutput, step
from imaginem.functions import add_drops, add_steps
from imaginem.pipeline.steps import Registry

registry = Registry()


class Seen(StepOutput):
    sha256: str


@step(registry=registry)
def look(job: JobContext) -> Seen:
    """Read the photo, and note that the step ran."""
    with open(os.environ["EXECUTED"], "a") as executed:
        executed.write(f"{job.batch_id}/{job.job_id}\\n")
    return Seen(sha256=job.image.sha256)


@step(registry=registry, requires=(look,))
def done(job: JobContext) -> Seen:
    """Say once more what was seen."""
    return Seen(sha256=job.output(look).sha256)


app = func.FunctionApp()
add_steps(app, registry)
add_drops(app)
'''


def tiny_jpeg(chance: random.Random) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (8, 8), chance.randbytes(192)).save(out, "JPEG")
    return out.getvalue()


def blobs_to_drop() -> dict[str, bytes]:
    chance = random.Random(SEED)
    names = (f"b{n % BATCHES}/{'deep/' * (n % 3)}photo {n}.jpg" for n in range(PHOTOS))
    return {name: tiny_jpeg(chance) for name in names}


@pytest.fixture
def installation(own_azurite: Emulator, tmp_path: Path) -> Iterator[Installation]:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    host = json.loads((ROOT / "host.json").read_text())
    host["extensions"]["queues"]["visibilityTimeout"] = "00:00:01"
    (app / "host.json").write_text(json.dumps(host))
    made = Installation(
        app,
        tmp_path / "home",
        own_azurite.connection_string,
        DROPPED_PHOTOS="on",
        PIPELINE_DEFINITION="look,done",
        EXECUTED=str(tmp_path / "executed"),
    )
    made.start()
    yield made
    made.stop()


def killing(installation: Installation, executed: Path) -> Attackers:
    """Kill a worker each time that some more photos were looked at, so that work goes on."""

    def looked_at() -> int:
        return executed.stat().st_size if executed.exists() else 0

    def kill(chance: random.Random) -> bool:
        return kill_one(installation.host.worker_pids, chance)

    return Attackers({"worker killed": (1, kill)}, SEED, looked_at, (50, 400))


def rows_of(installation: Installation) -> list[ProgressRow]:
    batches = [f"b{n}" for n in range(BATCHES)]
    return [ProgressRow(e) for batch in batches for e in installation.runtime.log.batch(batch)]


def wait_until_all_have_ended(installation: Installation, seconds: float) -> list[ProgressRow]:
    deadline = time.monotonic() + seconds
    while True:
        rows = rows_of(installation)
        if len(rows) >= PHOTOS and all(row.job_state in ENDED for row in rows):
            return rows
        assert time.monotonic() < deadline, (
            f"{len(rows)} rows, {Counter(str(row.job_state) for row in rows)}\n"
            f"{installation.log_text[-3000:]}"
        )
        time.sleep(0.5)


def test_each_dropped_photo_is_one_job_though_workers_are_killed_and_events_come_again(
    installation: Installation, own_azurite: Emulator, tmp_path: Path
) -> None:
    photos = blobs_to_drop()
    client = BlobServiceClient.from_connection_string(own_azurite.connection_string)
    with suppress(ResourceExistsError):
        client.create_container("inputimages")
    container, begun = client.get_container_client("inputimages"), time.monotonic()

    def drop(name: str) -> None:
        container.upload_blob(name, photos[name])

    with killing(installation, tmp_path / "executed") as attackers:
        with ThreadPoolExecutor(4) as senders:
            list(senders.map(drop, list(photos)[: PHOTOS // 2]))
        installation.host.close()  # what is dropped meanwhile is found afterwards
        with ThreadPoolExecutor(4) as senders:
            list(senders.map(drop, list(photos)[PHOTOS // 2 :]))
        installation.start()
        for name in random.Random(SEED).sample(sorted(photos), PHOTOS // 10):
            receive_drop(installation.runtime, name)  # the same event, elsewhere
        rows = wait_until_all_have_ended(installation, 60 + PHOTOS)
    seconds = time.monotonic() - begun

    etags = {str(blob.name): f'"{blob.etag}"' for blob in container.list_blobs()}
    runs = {f"inputimages/{name}": run_of_drop(name, etag) for name, etag in etags.items()}
    assert len(etags) == PHOTOS
    assert {row.dropped.source: row.run for row in rows if row.dropped} == runs
    assert len(rows) == len({row.key for row in rows}) == PHOTOS
    assert Counter(str(row.job_state) for row in rows) == {"succeeded": PHOTOS}
    assert {len(row.runs) for row in rows} == {1}
    seen = {row.key[0] + row.as_json()["done_output"] for row in rows}
    assert len(seen) == PHOTOS
    assert installation.runtime.poison.list() == []
    sent = [installation.runtime.submissions.submissions(f"b{n}") for n in range(BATCHES)]
    assert sum(map(len, sent)) == PHOTOS
    executed = Counter((tmp_path / "executed").read_text().split("\n")[:-1])
    assert len(executed) == PHOTOS
    print(
        f"\n{PHOTOS} photos, {attackers.done.total()} workers killed, {seconds:.0f} s; the first "
        f"step began {executed.total()} times"
    )
