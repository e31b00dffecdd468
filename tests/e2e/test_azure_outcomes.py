"""The whole pipeline on Azure engines when the services refuse, lapse or go away."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.host import Emulator
from imaginem.pipeline.progress_row import ProgressRow
from tests.ai_emulator import KEY, ColorEngines, portrait
from tests.conftest import ROOT
from tests.e2e.conftest import azure_settings
from tests.installation import ALL_STEPS, Installation

Started = Callable[..., tuple[Installation, AiEmulatorServer]]


@pytest.fixture
def started(own_azurite: Emulator, tmp_path: Path) -> Iterator[Started]:
    """Start an installation on an emulator with these options and settings."""
    with ExitStack() as stack:

        def start(
            options: AiEmulatorOptions | None = None, **settings: str
        ) -> tuple[Installation, AiEmulatorServer]:
            server = stack.enter_context(AiEmulatorServer(AiEmulator(ColorEngines(), options)))
            installation = Installation(
                ROOT,
                tmp_path / "home",
                own_azurite.connection_string,
                workers=1,
                environment={**azure_settings(server.address), **settings},
            )
            stack.callback(installation.stop)
            installation.start()
            return installation, server

        yield start


def states(installation: Installation, batch: str, job: str) -> dict[str, str]:
    row = ProgressRow(installation.entry(batch, job))
    return {step: row.state_of(step) for step in ALL_STEPS}


def test_without_limited_access_faces_are_detected_and_cropped_and_the_rest_is_explained(
    started: Started, batch: str
) -> None:
    running, _ = started(AiEmulatorOptions(key=KEY, limited_access=False))
    running.job(running.upload(portrait("ann")), batch=batch)
    entry = running.wait(batch)

    assert entry.properties["job_state"] == "partial"
    state = states(running, batch, "job-1")
    assert state["facedetection"] == state["facecrop"] == state["pipelineoutput"] == "success"
    assert (state["faceprint"], state["facematch"]) == ("failed", "skipped")
    assert "Limited Access" in entry.properties["faceprint_exception"]
    assert "FACE_PRINT_ENGINE=local" in entry.properties["faceprint_exception"]


def test_a_wrong_key_ends_as_a_failed_step_that_can_be_replayed(
    started: Started, batch: str
) -> None:
    running, _ = started(VISION_API_KEY="wrong-and-secret")
    running.job(running.upload(portrait("ann")), batch=batch)
    entry = running.wait(batch)

    assert entry.properties["job_state"] == "partial"
    assert states(running, batch, "job-1")["facematch"] == "success"
    assert "VISION_API_KEY" in entry.properties["ocr_exception"]
    poisoned = [kept for kept in running.runtime.poison.list() if kept.batch_id == batch]
    assert {kept.queue for kept in poisoned} == {"generalclassification", "ocr"}
    texts = [str(entry.properties), *(kept.reason for kept in poisoned), running.log_text]
    assert not any("wrong-and-secret" in text for text in texts)


def test_faces_that_lapsed_on_their_way_are_matched_all_the_same(
    started: Started, batch: str
) -> None:
    running, server = started()
    running.job(running.upload(portrait("ann")), batch=batch, job="first")
    running.wait(batch, ["first"])
    running.runtime.maintenance()
    time.sleep(0.5)
    running.runtime.maintenance()
    running.job(
        running.upload(portrait("ann", noise=4)),
        ("facedetection", "faceprint", "pipelineoutput"),
        batch=batch,
        job="second",
    )
    running.wait(batch, ["second"])
    outputs = running.outputs(batch, "second")
    server.ai_emulator.memory.forget_fresh()
    running.job(
        running.upload(portrait("ann", noise=4)),
        ("facematch", "pipelineoutput"),
        batch=batch,
        job="second",
        job_output={name: outputs[name] for name in ("facedetection", "faceprint")},
    )
    deadline = time.monotonic() + 30
    while "facematch" not in running.outputs(batch, "second"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (match,) = running.outputs(batch, "second")["facematch"]["matches"]
    owners = running.runtime.gallery.owners([uuid.UUID(match["matched_face_id"])])
    assert [owner.job_id for owner in owners.values()] == ["first"]


def test_a_service_that_is_away_for_half_a_minute_fails_no_job(
    started: Started, batch: str
) -> None:
    running, server = started(MAX_ATTEMPTS="5", RETRY_SECONDS="2")
    running.job(running.upload(portrait("bob")), batch=batch, job="before")
    running.wait(batch, ["before"])
    server.stop()
    jobs = [f"during-{number}" for number in range(3)]
    for job in jobs:
        running.job(running.upload(portrait(job)), batch=batch, job=job)
    time.sleep(30)
    server.start()
    running.wait(batch, jobs, seconds=120)

    for job in jobs:
        assert running.entry(batch, job).properties["job_state"] == "succeeded"
    assert [kept for kept in running.runtime.poison.list() if kept.batch_id == batch] == []
