"""What a forecast says of steps of one's own is what the ledger has, on a real storage emulator."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from imaginem import JobContext, StepOutput, step
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from imaginem.images.decoding import Photo, decode_photo
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import Registry
from imaginem.runtime import Runtime
from imaginem.testing import photo_bytes
from imaginem.usecases.costs import Costs, cost_of
from imaginem.usecases.forecast import forecast
from imaginem.usecases.submit import submit_photo

PHOTOS = 20
WITHIN = 2.0
PIPELINE = ("first", "reading", "lonely", "sheet", "last")


class Found(StepOutput):
    width: int


def own_steps() -> Registry:
    registry = Registry()

    @step(registry=registry)
    def first(job: JobContext) -> Found:
        return Found(width=job.image.width)

    @step(registry=registry, requires=(first,))
    def reading(job: JobContext) -> Found:
        return Found(width=min(job.output(first).width, job.image.width))

    @step(registry=registry, alone=True)
    def lonely(job: JobContext) -> Found:
        return Found(width=job.image.width)

    @step(registry=registry, group=9, within=f"{WITHIN:g}s")
    def sheet(jobs: list[JobContext]) -> list[Found]:
        return [Found(width=job.read_image().width) for job in jobs]

    @step(registry=registry)
    def last(job: JobContext) -> Found:
        return Found(width=job.image.width)

    return registry


def run(runtime: Runtime, registry: Registry, photos: int, batch: str) -> Costs:
    """Send photos through the pipeline; return what it cost."""
    for number in range(photos):
        submit_photo(runtime, (batch, f"j{number}"), "a.png", photo_bytes(40, 30), PIPELINE)
    done, since = 0, time.monotonic()
    while done < photos or time.monotonic() - since < 1.2 * WITHIN:  # and what holds photos comes
        for name in PIPELINE:
            for item in runtime.queues.receive(name, 32, 60):
                delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
                process_step(registry.get(name), delivery, runtime, registry)
                runtime.queues.delete(name, item)
                done += name == PIPELINE[-1]
                since = time.monotonic()
        assert time.monotonic() - since < 30, f"{done} of {photos} photos ended"
    runtime.ledger.settle()
    return cost_of(runtime, batch)


def counted(costs: Costs, services: Sequence[str] = ("storage", "functions")) -> Counter[str]:
    found = Counter[str]()
    for line in costs.lines:
        if line.item.service in services:
            found[line.item.operation] += line.amount.calls
    return found


def decoded_anew(key: str, read: Callable[[], bytes]) -> Photo:
    """Decode without a cache: on Azure each delivery may run on another instance."""
    return decode_photo(read())


def test_a_forecast_counts_deliveries_and_storage_as_they_run(
    azurite: Emulator, tmp_path: Path
) -> None:
    registry = own_steps()
    environment = {
        "AzureWebJobsStorage": azurite.connection_string,
        "IMAGINEM_HOME": str(tmp_path),
    }
    runtime = Runtime(read_settings(environment))
    runtime.photos = SimpleNamespace(photo=decoded_anew)
    for name in PIPELINE:
        runtime.queues.create(name)
    expected = counted(forecast(runtime, registry, PHOTOS, PIPELINE).expected)
    took = counted(run(runtime, registry, PHOTOS, "forecast"))
    measured = forecast(runtime, registry, PHOTOS, PIPELINE)
    runtime.database.close()

    exactly = ("execution", "queue host", "queue write", "blob read")
    assert {name: took[name] for name in exactly} == {name: expected[name] for name in exactly}
    assert took["table write"] == pytest.approx(expected["table write"], rel=0.05)
    # A process looks every three seconds which batches are cancelled: the slower, the more often.
    assert 0.95 <= took["table read"] / expected["table read"] <= 1.25
    assert measured.measured == list(PIPELINE)
    assert counted(measured.expected) == took
