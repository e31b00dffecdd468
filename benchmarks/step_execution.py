"""What one step execution costs: storage calls, counted on the wire, and the framework's time."""

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline.transport import RequestsTransport

from benchmarks.result import Result
from imaginem import JobContext, StepOutput, step
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.pipeline.process import Delivery, transition
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, Services
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices, message_for, photo_bytes

_JOBS = 2000
# Step, what it stands for, and the budget of its writes and reads.
_BUDGETS = (
    ("one", "first step", 3, 1),
    ("two", "later step that reads the photo", 2, 1),
    ("three", "last step", 2, 0),
)


class Small(StepOutput):
    """An output of the usual size."""

    text: str


def _pipeline() -> Registry:
    """Return a pipeline of three trivial steps."""
    registry = Registry()

    @step(registry=registry)
    def one(job: JobContext) -> Small:
        """Do nothing."""
        return Small(text="x" * 200)

    @step(registry=registry)
    def two(job: JobContext) -> Small:
        """Look at the photo."""
        return Small(text=str(job.image.width))

    @step(registry=registry)
    def three(job: JobContext) -> Small:
        """Do nothing."""
        return Small(text="x" * 200)

    return registry


def _execute(
    services: Services, registry: Registry, name: str, body: str, number: int
) -> str | None:
    """Execute one step; return the message that was sent to the next, if there is one."""
    delivery = Delivery(body, f"{name}-{number}")
    moved = transition(registry.get(name), delivery, services, registry)
    if moved.outgoing is None:
        return None
    services.queues.send(moved.outgoing.queue, moved.outgoing.body)
    return moved.outgoing.body


@contextmanager
def recorded(ports: EmulatorPorts) -> Iterator[list[str]]:
    """List the requests that the Azure SDKs send, in order, as `METHOD service`."""
    services = {ports.blob: "blob", ports.queue: "queue", ports.table: "table"}
    calls: list[str] = []
    send = RequestsTransport.send

    def record_and_send(self: RequestsTransport, request: Any, **options: Any) -> Any:
        service = services.get(urlsplit(request.url).port or 0, "other")
        calls.append(f"{request.method} {service}")
        return send(self, request, **options)

    RequestsTransport.send = record_and_send
    try:
        yield calls
    finally:
        RequestsTransport.send = send


@contextmanager
def counted(ports: EmulatorPorts) -> Iterator[Counter[str]]:
    """Count the requests that the Azure SDKs send; the counts are there after the block."""
    counts: Counter[str] = Counter()
    with recorded(ports) as calls:
        yield counts
    counts.update(calls)


def _storage_calls() -> list[Result]:
    """Count the storage calls of each step, on the second job of a fresh account."""
    registry = _pipeline()
    with Emulator(None, EmulatorPorts.free()) as emulator:
        settings = read_settings({"AzureWebJobsStorage": emulator.connection_string})
        runtime = Runtime(settings)
        url = runtime.blobs.put("inputimages", "bench/photo", photo_bytes(), "image/png")
        _run_job(runtime, registry, emulator.ports, url, "warm-up")  # creates queues and table
        return _run_job(runtime, registry, emulator.ports, url, "measured")


def _run_job(
    runtime: Runtime, registry: Registry, ports: EmulatorPorts, url: str, job: str
) -> list[Result]:
    """Run one job through the pipeline; return the storage calls of each step."""
    results: list[Result] = []
    body: str | None = message_for(url, registry.names(), job_id=job).encode()
    for name, label, most_writes, most_reads in _BUDGETS:
        with counted(ports) as counts:
            body = _execute(runtime, registry, name, body or "", len(results))
        reads = sum(count for call, count in counts.items() if call.startswith("GET"))
        writes = counts.total() - reads
        results.append(
            Result(
                f"storage calls, {label}",
                writes + reads,
                f"{writes} writes, {reads} reads",
                f"<= {most_writes} writes, {most_reads} reads",
                writes <= most_writes and reads <= most_reads,
            )
        )
    return results


def _framework_time() -> Result:
    """Time executions of trivial steps on in-memory ports."""
    registry = _pipeline()
    services = MemoryServices(core_settings=CoreSettings(default_pipeline=registry.names()))
    url = services.blobs.put("inputimages", "bench/photo", photo_bytes(), "image/png")
    seconds: list[float] = []
    for number in range(_JOBS):
        body: str | None = message_for(url, ["one", "three"], job_id=str(number)).encode()
        for name in ("one", "three"):
            begun = time.perf_counter()
            body = _execute(services, registry, name, body or "", number)
            seconds.append(time.perf_counter() - begun)
    median = statistics.median(seconds) * 1000
    return Result(
        "framework time per step execution, in memory",
        median,
        f"{median:.3f} ms",
        "<= 1 ms",
        median <= 1,
    )


def run() -> list[Result]:
    """Return what a step execution costs."""
    assert Path("host.json").exists(), "run it from the project's folder"
    return [*_storage_calls(), _framework_time()]
