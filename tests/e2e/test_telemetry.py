"""One job is one trace through all its step executions, whichever process runs them."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.host import Emulator
from tests.ai_emulator import ColorEngines, portrait
from tests.collector import Collector
from tests.conftest import ROOT
from tests.e2e.conftest import azure_settings
from tests.installation import ALL_STEPS, Installation


@pytest.fixture
def collector() -> Iterator[Collector]:
    receiving = Collector()
    yield receiving
    receiving.stop()


def test_one_job_is_one_trace_and_tells_no_secret(
    own_azurite: Emulator, collector: Collector, tmp_path: Path
) -> None:
    with AiEmulatorServer(AiEmulator(ColorEngines())) as ai_emulator:
        settings: dict[str, str] = {
            **azure_settings(ai_emulator.address),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        }
        running = Installation(
            ROOT, tmp_path / "home", own_azurite.connection_string, workers=2, environment=settings
        )
        running.start()
        url = running.upload(portrait("ann"), "a batch/photo of ann.png")
        running.job(f"{url}?sv=2026&sig=verysecret", batch="traced", job="job-7")
        entry = running.wait("traced", ["job-7"])
        assert entry.properties["job_state"] == "succeeded", dict(entry.properties)
        running.stop()  # the workers send what is left

    print(collector.tree())
    steps = [span for span in collector.spans if span.name in ALL_STEPS]
    assert sorted(step.name for step in steps) == sorted(ALL_STEPS)
    of_job = [span for span in collector.spans if "job_id" in span.attributes]
    assert len({span.trace for span in of_job}) == 1
    others = [span for span in collector.spans if span not in of_job]
    purposes = {span.attributes.get("step", span.name) for span in others}
    assert purposes <= {"maintenance", "face list maintenance"}  # the timer may have run meanwhile
    by_name = {step.name: step for step in steps}
    assert by_name[ALL_STEPS[0]].parent == ""
    for before, after in pairwise(ALL_STEPS):
        assert by_name[after].parent == by_name[before].id
    assert {step.attributes["job_id"] for step in steps} == {"job-7"}
    assert {step.attributes["state"] for step in steps} == {"success"}

    calls = {span.name: span.parent for span in of_job if span.name not in ALL_STEPS}
    assert calls["face detect"] == by_name["facedetection"].id
    assert calls["vision analyze"] == by_name["generalclassification"].id
    assert calls["face add face"] == by_name["faceprint"].id
    for span in of_job:
        assert (span.attributes["batch_id"], span.attributes["job_id"]) == ("traced", "job-7")
    called_by = {span.name: span.attributes["step"] for span in of_job}
    assert called_by["vision analyze"] == "generalclassification"
    assert called_by["face add face"] == "faceprint"

    assert {"state": "succeeded"} in collector.metrics["imaginem.jobs"]
    seconds = collector.metrics["imaginem.step.seconds"]
    assert {point["step"] for point in seconds} == set(ALL_STEPS)
    called = collector.metrics["imaginem.calls"]
    detect = {"service": "face", "operation": "detect", "step": "facedetection"}
    analyze = {"service": "vision", "operation": "analyze", "step": "generalclassification"}
    assert {**detect, "outcome": "ok"} in called
    assert analyze in collector.metrics["imaginem.cost"]
    labels = [point for points in collector.metrics.values() for point in points]
    assert not any({"batch_id", "job_id"} & set(point) for point in labels)
    records = [attributes for text, attributes in collector.logs if text == "ocr: success"]
    assert [(record["batch_id"], record["job_id"]) for record in records] == [("traced", "job-7")]

    everything = b"\n".join(collector.bodies)
    for secret in (b"verysecret", b"?sv=", b"photo of ann", b"photo%20of", b"API_KEY"):
        assert secret not in everything
