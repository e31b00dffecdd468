"""The whole pipeline on Azure engines when the services refuse, lapse or go away."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import steps  # noqa: F401 - importing the package registers every step
from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from imaginem.pipeline.maintenance import run_maintenance
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CoreSettings
from imaginem.runtime import Runtime
from imaginem.testing import (
    MemoryQueues,
    MemoryServices,
    MemorySharedState,
    message_for,
    run_all,
)
from tests.ai_emulator import KEY, ColorEngines, portrait
from tests.conftest import ROOT
from tests.e2e.conftest import azure_settings
from tests.installation import ALL_STEPS, Installation
from tests.waiting import until

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
    server.ai_emulator.memory.training_seconds = 0
    running.job(running.upload(portrait("ann")), batch=batch, job="first")
    running.wait(batch, ["first"])
    for _ in range(2):
        run_maintenance(running.runtime.maintenance_jobs, running.runtime.telemetry)
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
    until(lambda: "facematch" in running.outputs(batch, "second"))
    (match,) = running.outputs(batch, "second")["facematch"]["matches"]
    owners = running.runtime.gallery.owners([uuid.UUID(match["matched_face_id"])])
    assert [owner.job_id for owner in owners.values()] == ["first"]


def test_jobs_that_come_while_a_service_is_away_succeed_when_it_is_back(
    started: Started, batch: str
) -> None:
    running, server = started(MAX_ATTEMPTS="5")
    running.job(running.upload(portrait("bob")), batch=batch, job="before")
    running.wait(batch, ["before"])
    server.stop()
    jobs = [f"during-{number}" for number in range(3)]
    for job in jobs:
        running.job(running.upload(portrait(job)), batch=batch, job=job)
    for job in jobs:
        _wait_until_tried(running, batch, job)
    server.start()
    running.wait(batch, jobs, seconds=120)

    for job in jobs:
        assert running.entry(batch, job).properties["job_state"] == "succeeded"
    assert [each for each in running.runtime.poison.list() if each.batch_id == batch] == []


def _wait_until_tried(running: Installation, batch: str, job: str) -> None:
    def was_tried() -> bool:
        entry = running.runtime.log.read((batch, job))
        return (
            entry is not None and ProgressRow(entry).state_of("generalclassification") == "retrying"
        )

    until(was_tried, told=lambda: running.log_text[-3000:])


def test_a_service_that_is_away_for_half_a_minute_fails_no_job(tmp_path: Path) -> None:
    now = 0
    with AiEmulatorServer(AiEmulator(ColorEngines())) as server:
        runtime = Runtime(
            read_settings({**azure_settings(server.address), "IMAGINEM_HOME": str(tmp_path)})
        )
        runtime.made["shared_state"] = MemorySharedState()
        services = MemoryServices(
            core_settings=CoreSettings(
                default_pipeline=ALL_STEPS, max_attempts=5, retry_seconds=0.2
            ),
            queues=MemoryQueues(clock=lambda: now),
            vision=runtime.vision,
            ocr=runtime.ocr,
            faces=runtime.faces,
            recognizer=runtime.recognizer,
        )
        url = services.blobs.put("inputimages", "photo", portrait("bob"), "image/png")
        services.queues.send(ALL_STEPS[0], message_for(url, ALL_STEPS).encode())
        server.stop()
        failed_tries = 0
        for now in range(90):
            if now == 30:
                server.start()
            executed = run_all(services, default_registry)
            failed_tries += len(executed) if now < 30 else 0
        runtime.database.close()

    entry = services.log.read(("batch-1", "job-1"))
    assert entry is not None
    assert failed_tries == 3  # at 0, 10 and 20 seconds; the fourth try finds it back
    assert entry.properties["job_state"] == "succeeded"
    assert services.poison.list() == []
