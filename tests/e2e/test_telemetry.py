"""One job is one trace through all its hops, in whatever process each of them runs."""

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
    made = Collector()
    yield made
    made.stop()


def test_one_job_is_one_trace_and_tells_no_secret(
    own_azurite: Emulator, collector: Collector, tmp_path: Path
) -> None:
    with AiEmulatorServer(AiEmulator(ColorEngines())) as ai_emulator:
        settings: dict[str, str] = {
            **azure_settings(ai_emulator.address),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        }
        made = Installation(
            ROOT, tmp_path / "home", own_azurite.connection_string, workers=2, environment=settings
        )
        made.start()
        url = made.upload(portrait("ann"), "a batch/photo of ann.png")
        made.job(f"{url}?sv=2026&sig=verysecret", batch="traced", job="job-7")
        entry = made.wait("traced", ["job-7"])
        assert entry.properties["job_state"] == "succeeded", dict(entry.properties)
        made.stop()  # the workers send what is left

    print(collector.tree())
    hops = [span for span in collector.spans if span.name in ALL_STEPS]
    assert sorted(hop.name for hop in hops) == sorted(ALL_STEPS)
    assert len({span.trace for span in collector.spans if span.name != "maintenance"}) == 1
    by_name = {hop.name: hop for hop in hops}
    assert by_name[ALL_STEPS[0]].parent == ""
    for before, after in pairwise(ALL_STEPS):
        assert by_name[after].parent == by_name[before].id
    assert {hop.attributes["job_id"] for hop in hops} == {"job-7"}
    assert {hop.attributes["state"] for hop in hops} == {"success"}

    calls = {span.name: span.parent for span in collector.spans if span.name not in ALL_STEPS}
    assert calls["face detect"] == by_name["facedetection"].id
    assert calls["vision analyze"] == by_name["generalclassification"].id
    assert calls["face add face"] == by_name["faceprint"].id

    assert {"state": "succeeded"} in collector.metrics["imaginem.jobs"]
    seconds = collector.metrics["imaginem.step.seconds"]
    assert {point["step"] for point in seconds} == set(ALL_STEPS)
    called = collector.metrics["imaginem.calls"]
    assert {"service": "face", "operation": "detect", "outcome": "ok"} in called
    assert {"service": "vision", "operation": "analyze"} in collector.metrics["imaginem.cost"]
    told = [attributes for text, attributes in collector.logs if text == "ocr: success"]
    assert [(each["batch_id"], each["job_id"]) for each in told] == [("traced", "job-7")]

    everything = b"\n".join(collector.bodies)
    for secret in (b"verysecret", b"?sv=", b"photo of ann", b"photo%20of", b"API_KEY"):
        assert secret not in everything
