"""The same photo twice, through host, queues, SQL and Azure engines: the second makes no call."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.host import Emulator
from imaginem.usecases.erase import forget_job
from tests.ai_emulator import ColorEngines, portrait
from tests.conftest import ROOT
from tests.e2e.conftest import azure_settings
from tests.installation import Installation

STEPS = ("generalclassification", "ocr", "facedetection", "facecrop", "pipelineoutput")


class Counted:
    """A running installation that reuses outputs, and how often its services look at a photo."""

    def __init__(self, running: Installation, engines: ColorEngines) -> None:
        self.running, self._engines = running, engines
        self.photo = running.upload(portrait("ann"))
        self._before = 0

    def calls_for(self, batch: str, group: str = "") -> int:
        """Send the photo to a batch; return how many calls there were until it had ended."""
        if group:
            self.running.runtime.batches.open_batch(batch, group)
        self.running.job(self.photo, STEPS, batch=batch)
        entry = self.running.wait(batch)
        assert entry.properties["job_state"] == "succeeded", entry.properties
        self._before, before = len(self._engines.looked_at), self._before
        return self._before - before


@pytest.fixture
def counted(own_azurite: Emulator, tmp_path: Path) -> Iterator[Counted]:
    engines = ColorEngines()
    with AiEmulatorServer(AiEmulator(engines)) as server:
        settings = azure_settings(server.address) | {"REUSE_OUTPUTS": "on"}
        home, connection = tmp_path / "home", own_azurite.connection_string
        with Installation(ROOT, home, connection, workers=1, environment=settings) as running:
            yield Counted(running, engines)


def test_a_photo_is_sent_to_services_once_for_each_group_until_it_is_erased(
    counted: Counted, batch: str
) -> None:
    running = counted.running
    assert counted.calls_for(f"{batch} one") == 3
    assert counted.calls_for(f"{batch} two") == 0
    assert counted.calls_for(f"{batch} blue", "blue") == 3
    there, here = running.outputs(f"{batch} one"), running.outputs(f"{batch} two")
    assert here["ocr"] == there["ocr"]
    assert here["facecrop"]["faces"][0]["url"] != there["facecrop"]["faces"][0]["url"]
    told = running.entry(f"{batch} two").properties["imaginem_reused"]
    assert told == "generalclassification,ocr,facedetection"

    for name in ("one", "two"):
        forget_job(running.runtime, (f"{batch} {name}", "job-1"))
    assert counted.calls_for(f"{batch} three") == 3
