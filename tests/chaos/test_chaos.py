"""Workers die and messages come twice, but every job ends once and has each face once."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from tests.installation import ALL_STEPS, Installation
from tests.waiting import until

SLOW_STEP = '''"""A step that says when it runs, and waits until it may end."""

import os
import time
from pathlib import Path

from imaginem import JobContext, StepOutput, step


class Waited(StepOutput):
    pid: int


@step()
def slowly(job: JobContext) -> Waited:
    """Wait for a file."""
    folder = Path(os.environ["CHAOS"])
    (folder / f"running-{os.getpid()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    return Waited(pid=os.getpid())
'''

BROKEN_STEP = '''"""A step with a defect."""

from imaginem import JobContext, StepOutput, step


class Nothing(StepOutput):
    pass


@step()
def broken(job: JobContext) -> Nothing:
    """Divide by zero."""
    1 / 0  # noqa: B018
    return Nothing()
'''


@pytest.fixture
def chaos(own_azurite: Emulator, app_copy: Path, tmp_path: Path) -> Iterator[Installation]:
    """An app with a slow and a broken step, whose failed messages come back after a second."""
    (app_copy / "steps" / "slowly.py").write_text(SLOW_STEP)
    (app_copy / "steps" / "broken.py").write_text(BROKEN_STEP)
    host = json.loads((app_copy / "host.json").read_text())
    host["extensions"]["queues"]["visibilityTimeout"] = "00:00:01"
    (app_copy / "host.json").write_text(json.dumps(host))
    signals = tmp_path / "signals"
    signals.mkdir()
    installation = Installation(
        app_copy, tmp_path / "home", own_azurite.connection_string, CHAOS=str(signals)
    )
    installation.start()
    yield installation
    (signals / "go").touch()
    installation.stop()
    for queue in installation.runtime.queues.names():
        installation.runtime.queues.clear(queue)


@pytest.fixture
def astronaut() -> bytes:
    return AssetStore(read_settings().assets).path("astronaut.png").read_bytes()


def rows(installation: Installation, table: str, batch: str) -> int:
    with installation.runtime.database.engine.connect() as connection:
        query = text(f"select count(*) from {table} where batch_id = :batch")
        return int(connection.execute(query, {"batch": batch}).scalar_one())


def test_a_worker_killed_in_the_middle_of_a_step_is_replaced_and_the_job_ends(
    chaos: Installation, tmp_path: Path, astronaut: bytes
) -> None:
    signals = tmp_path / "signals"
    chaos.job(chaos.upload(astronaut), ("slowly", *ALL_STEPS[2:]), batch="killed")
    until(lambda: list(signals.glob("running-*")))
    (marker,) = signals.glob("running-*")
    victim = int(marker.name.removeprefix("running-"))
    assert victim in chaos.host.worker_pids
    assert chaos.entry("killed").properties["slowly"] == "step 0: processing"

    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in chaos.host.worker_pids)
    (signals / "go").touch()
    properties = chaos.wait("killed").properties

    assert properties["job_state"] == "succeeded"
    assert json.loads(properties["slowly_output"])["pid"] != victim
    until(lambda: len(chaos.host.worker_pids) == 2)
    assert rows(chaos, "pipeline_output", "killed") == 1
    assert rows(chaos, "face", "killed") == 1


def test_workers_killed_again_and_again_lose_no_job(
    chaos: Installation, tmp_path: Path, astronaut: bytes
) -> None:
    (tmp_path / "signals" / "go").touch()
    url = chaos.upload(astronaut)
    jobs = [f"job-{number}" for number in range(8)]
    for job in jobs:
        chaos.job(url, ("slowly", *ALL_STEPS[2:]), batch="storm", job=job)
    for _ in range(3):
        time.sleep(1.5)
        pids = chaos.host.worker_pids
        if pids:
            os.kill(pids[0], signal.SIGKILL)
    chaos.wait("storm", jobs, seconds=180)

    assert {chaos.entry("storm", job).properties["job_state"] for job in jobs} == {"succeeded"}
    assert rows(chaos, "pipeline_output", "storm") == len(jobs)
    assert rows(chaos, "face", "storm") == len(jobs)


def test_five_copies_of_one_message_end_as_one_job(chaos: Installation, astronaut: bytes) -> None:
    url = chaos.upload(astronaut)
    body = chaos.job(url, ALL_STEPS[2:], batch="copies")
    for _ in range(4):
        chaos.put("facedetection", body)
    until(lambda: sum(chaos.runtime.queues.count(name) or 0 for name in ALL_STEPS) == 0)
    properties = chaos.wait("copies").properties

    assert properties["job_state"] == "succeeded"
    assert rows(chaos, "pipeline_output", "copies") == 1
    assert rows(chaos, "face", "copies") == 1
    assert [e for e in chaos.runtime.poison.list() if e.batch_id == "copies"] == []


def test_a_step_with_a_defect_ends_poisoned_and_says_so(chaos: Installation) -> None:
    chaos.job(chaos.upload(b""), ("broken", "pipelineoutput"), batch="defect")
    until(lambda: any(e.batch_id == "defect" for e in chaos.runtime.poison.list()))
    properties = chaos.entry("defect").properties

    assert properties["broken"] == "step 0: poisoned"
    assert properties["broken_exception"].startswith("ZeroDivisionError: a defect in the step")
    assert properties["job_state"] == "failed"
    assert "Traceback" not in str(dict(properties))
    assert len(chaos.host.worker_pids) == 2


def test_a_host_that_stops_finishes_running_steps_and_returns_the_other_messages(
    chaos: Installation, tmp_path: Path
) -> None:
    signals = tmp_path / "signals"
    url = chaos.upload(b"")
    jobs = [f"job-{number}" for number in range(6)]
    for job in jobs:
        chaos.job(url, ("slowly",), batch="stop", job=job)
    until(lambda: len(list(signals.glob("running-*"))) == 2)
    (signals / "go").touch()
    chaos.host.close()
    chaos.start()
    chaos.wait("stop", jobs)

    assert {chaos.entry("stop", job).properties["job_state"] for job in jobs} == {"succeeded"}
