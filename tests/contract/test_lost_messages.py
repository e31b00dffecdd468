"""Messages that are cleared behind our back, on a real storage emulator: every job ends."""

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imaginem import JobContext, StepOutput, step
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import Registry
from imaginem.ports import QueueItem
from imaginem.runtime import Runtime
from imaginem.testing import MemorySharedState, message_for
from imaginem.usecases.batches import batch_overview, cancel_batch
from imaginem.usecases.clearing import clear_queue
from imaginem.usecases.submit import send_message
from imaginem.usecases.watchdog import SENDS, Watchdog

MANY, FEW = 100, 20
PERIOD = timedelta(minutes=5)
THREADS = 8


class Found(StepOutput):
    what: str = "found"


class Pipeline:
    """Three trivial steps on real queues, tables, blobs and SQL; this process executes them."""

    def __init__(self, runtime: Runtime, names: list[str]) -> None:
        self.runtime, self.names = runtime, names
        self.registry = Registry()
        for name in names:
            self._add(name)
            runtime.queues.create(name)
        self.batch = f"batch-{uuid.uuid4().hex[:8]}"
        self.executed: Counter[str] = Counter()
        self.late = timedelta(0)

    def _add(self, name: str) -> None:
        def trivial(job: JobContext) -> Found:
            """Find nothing."""
            self.executed[f"{name} {job.job_id}"] += 1
            return Found()

        trivial.__name__ = name
        step(registry=self.registry)(trivial)

    def send(self, jobs: int) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._send, range(jobs)))

    def _send(self, number: int) -> None:
        url = self.runtime.blobs.address("inputimages", "a.jpg")
        message = message_for(url, self.names, job_id=f"job-{number}", batch_id=self.batch)
        send_message(self.runtime, message)

    def run(self, queue: str, most: int = MANY) -> None:
        """Execute a step for at most so many messages."""
        with ThreadPoolExecutor(THREADS) as pool:
            while most and (items := self.runtime.queues.receive(queue, min(32, most), 60)):
                list(pool.map(lambda item: self._execute(queue, item), items))
                most -= len(items)

    def _execute(self, queue: str, item: QueueItem) -> None:
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        process_step(self.registry.get(queue), delivery, self.runtime, self.registry)
        self.runtime.queues.delete(queue, item)

    def run_all(self) -> None:
        for name in self.names:
            self.run(name)

    def scatter(self, jobs: int) -> None:
        """Send jobs and bring them to different steps: 4, 3 and 3 of 10."""
        self.send(jobs)
        self.run(self.names[0], jobs * 6 // 10)
        self.run(self.names[1], jobs * 3 // 10)

    def lose_all(self) -> None:
        for name in self.names:
            self.runtime.queues.clear(name)

    def watch(self) -> None:
        """Look, a period later than the last time."""
        self.late += PERIOD
        noted = NotedBatches(self.runtime.shared_state)
        Watchdog(
            self.runtime, noted, PERIOD, self.names, lambda: datetime.now(UTC) + self.late
        ).watch()

    @property
    def states(self) -> Counter[str]:
        return Counter(batch_overview(self.runtime, self.batch).jobs.values())


@pytest.fixture
def pipeline(azurite: Emulator, tmp_path: Path) -> Iterator[Pipeline]:
    names = [f"{place}{uuid.uuid4().hex[:8]}" for place in ("first", "second", "third")]
    runtime = Runtime(
        read_settings(
            {
                "AzureWebJobsStorage": azurite.connection_string,
                "IMAGINEM_HOME": str(tmp_path),
                "PIPELINE_DEFINITION": ",".join(names),
                "PIPELINE_FUSION": "off",  # jobs are scattered over the queues
            }
        )
    )
    runtime.made["shared_state"] = MemorySharedState()  # so that no other test's batch is seen
    yield Pipeline(runtime, names)
    runtime.database.close()


def test_a_hundred_jobs_whose_messages_were_cleared_end_within_a_period(
    pipeline: Pipeline,
) -> None:
    pipeline.scatter(MANY)
    pipeline.lose_all()
    assert pipeline.states == {"running": 60, "queued": 40}
    pipeline.watch()
    pipeline.run_all()

    assert pipeline.states == {"succeeded": MANY}
    assert set(pipeline.executed.values()) == {1}  # no step ran twice
    assert len(pipeline.executed) == MANY * len(pipeline.names)
    assert pipeline.runtime.poison.list() == [] or all(
        entry.batch_id != pipeline.batch for entry in pipeline.runtime.poison.list()
    )


def test_jobs_whose_messages_are_lost_again_and_again_end_as_failed(pipeline: Pipeline) -> None:
    pipeline.scatter(FEW)
    pipeline.lose_all()
    for _ in range(SENDS):
        pipeline.watch()
        pipeline.lose_all()
    pipeline.watch()
    pipeline.run_all()

    assert pipeline.states == {"failed": FEW}
    kept = [each for each in pipeline.runtime.poison.list() if each.batch_id == pipeline.batch]
    assert len({each.job_id for each in kept}) == len(kept) == FEW
    assert {each.reason for each in kept} == {"lost: sent 3 times, taken by nobody"}


def test_a_cancelled_batch_whose_messages_were_cleared_is_cancelled(pipeline: Pipeline) -> None:
    pipeline.scatter(FEW)
    pipeline.lose_all()
    cancel_batch(pipeline.runtime, pipeline.batch)
    pipeline.watch()
    pipeline.run_all()

    assert pipeline.states == {"cancelled": FEW}


def test_clearing_a_queue_ends_the_jobs_that_lay_on_it(pipeline: Pipeline) -> None:
    pipeline.scatter(FEW)
    cleared = [clear_queue(pipeline.runtime, name) for name in pipeline.names]

    assert [each.jobs for each in cleared] == [8, 6, 6]
    assert pipeline.states == {"cancelled": FEW}
    pipeline.watch()
    assert [pipeline.runtime.queues.count(name) for name in pipeline.names] == [0, 0, 0]
