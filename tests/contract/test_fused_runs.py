"""Fused runs on a real storage emulator: the rows of a delivery for each step, whoever dies."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imaginem import JobContext, StepOutput, step
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.steps import Registry
from imaginem.runtime import Runtime
from imaginem.testing import message_for
from tests.waiting import PATIENCE


class Found(StepOutput):
    what: str


class WorkerDied(BaseException):
    """The process ends here."""


class Worker:
    """Takes the messages of a pipeline of four steps, of which the last two read outputs."""

    def __init__(self, runtime: Runtime, names: list[str]) -> None:
        self.runtime, self.names, self.registry = runtime, names, Registry()
        self.ran: list[str] = []
        self.before: Callable[[str], None] = lambda name: None
        for name in names:
            self._add(name)

    def _add(self, name: str) -> None:
        def act(job: JobContext) -> Found:
            self.ran.append(name)
            self.before(name)
            seen = len(job.outputs) if name in self.names[2:] else 0
            return Found(what="x" * (40_000 if name == self.names[1] else seen))

        act.__name__ = name
        step(registry=self.registry)(act)

    def send(self, job_id: str) -> None:
        url = self.runtime.blobs.address("inputimages", "photo")
        self.runtime.queues.send(
            self.names[0], message_for(url, self.names, job_id=job_id).encode()
        )

    def work(self) -> None:
        """Take each message once, in the order of the queues."""
        queues = self.runtime.queues
        for name in self.names:
            queues.create(name)
            for item in queues.receive(name, 1, 0.2):
                delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
                process_step(self.registry.get(name), delivery, self.runtime, self.registry)
                queues.delete(name, item)

    def row(self, job_id: str) -> ProgressRow:
        row = read_row(self.runtime.log, ("batch-1", job_id))
        assert row is not None
        return row


@pytest.fixture(params=["auto", "off"])
def worker(azurite: Emulator, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Worker]:
    names = [f"step{number}{uuid.uuid4().hex[:8]}" for number in range(4)]
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "IMAGINEM_HOME": str(tmp_path),
        "PIPELINE_FUSION": request.param,
    }
    runtime = Runtime(read_settings(settings))
    yield Worker(runtime, names)
    runtime.database.close()


def test_a_job_ends_with_every_output(worker: Worker) -> None:
    job_id = uuid.uuid4().hex
    worker.send(job_id)
    worker.work()
    row = worker.row(job_id)
    assert row.job_state == "succeeded"
    assert worker.ran == worker.names
    texts = [row.output_of(name) for name in worker.names]
    assert "linked_content" in texts[1]
    assert [texts[0], *texts[2:]] == ['{"what":""}', '{"what":"xx"}', '{"what":"xxx"}']


def test_a_worker_that_dies_twice_costs_no_recorded_step(worker: Worker) -> None:
    """The second time each step was recorded at once, fused or not."""
    job_id, deaths = uuid.uuid4().hex, 0

    def die(name: str) -> None:
        nonlocal deaths
        if name == worker.names[2] and deaths < 2:
            deaths += 1
            raise WorkerDied

    worker.before = die
    worker.send(job_id)
    row: Any = None
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(0.05)  # its message is hidden for a second
        try:
            worker.work()
        except WorkerDied:
            recorded = worker.row(job_id)
            done = [name for name in worker.names[:2] if recorded.state_of(name) == "success"]
            continue
        row = read_row(worker.runtime.log, ("batch-1", job_id))
        if row is not None and row.has_ended:
            break
    assert row.job_state == "succeeded"
    assert done == worker.names[:2]
    assert worker.ran.count(worker.names[2]) == 3
    assert worker.ran.count(worker.names[0]) <= 2
