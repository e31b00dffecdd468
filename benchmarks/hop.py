"""What one hop costs: storage calls, counted on the wire, and the framework's own time."""

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

_HOPS = 2000


class Small(StepOutput):
    """An output of the usual size."""

    text: str


def _pipeline() -> Registry:
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


def _hop(services: Services, registry: Registry, name: str, body: str, number: int) -> str | None:
    """Run one hop and return the next message."""
    delivery = Delivery(body, f"{name}-{number}")
    moved = transition(registry.get(name), delivery, services, registry)
    if moved.outgoing is None:
        return None
    services.queues.send(moved.outgoing.queue, moved.outgoing.body)
    return moved.outgoing.body


@contextmanager
def counted(ports: EmulatorPorts) -> Iterator[Counter[str]]:
    """Count the requests that the Azure SDKs really send, by service and method."""
    services = {ports.blob: "blob", ports.queue: "queue", ports.table: "table"}
    counts: Counter[str] = Counter()
    send = RequestsTransport.send

    def counting(self: RequestsTransport, request: Any, **options: Any) -> Any:
        counts[f"{request.method} {services.get(urlsplit(request.url).port or 0, 'other')}"] += 1
        return send(self, request, **options)

    RequestsTransport.send = counting
    try:
        yield counts
    finally:
        RequestsTransport.send = send


def _calls() -> list[Result]:
    results: list[Result] = []
    registry = _pipeline()
    with Emulator(None, EmulatorPorts.free()) as emulator:
        settings = read_settings({"AzureWebJobsStorage": emulator.connection_string})
        runtime = Runtime(settings)
        url = runtime.blobs.put("inputimages", "bench/photo", photo_bytes(), "image/png")
        body: str | None = None
        for job in ("warm", "measured"):  # the first job makes the queues and the table
            body = message_for(url, registry.names(), job_id=job).encode()
            for name, label, most in (
                ("one", "first hop", 3),
                ("two", "later hop that reads the photo", 2),
                ("three", "last hop", 2),
            ):
                with counted(emulator.ports) as counts:
                    body = _hop(runtime, registry, name, body or "", len(results))
                if job == "warm":
                    continue
                writes = sum(n for call, n in counts.items() if not call.startswith("GET"))
                reads = sum(n for call, n in counts.items() if call.startswith("GET"))
                allowed = 1 if name == "two" else 0
                results.append(
                    Result(
                        f"storage calls, {label}",
                        writes + reads,
                        f"{writes} writes, {reads} reads",
                        f"<= {most} writes, {allowed} reads",
                        writes <= most and reads <= allowed,
                    )
                )
    return results


def _framework() -> list[Result]:
    """Time hops of trivial steps on in-memory ports."""
    registry = _pipeline()
    services = MemoryServices(core_settings=CoreSettings(default_pipeline=registry.names()))
    url = services.blobs.put("inputimages", "bench/photo", photo_bytes(), "image/png")
    took: list[float] = []
    for number in range(_HOPS):
        body: str | None = message_for(url, ["one", "three"], job_id=str(number)).encode()
        for name in ("one", "three"):
            begun = time.perf_counter()
            body = _hop(services, registry, name, body or "", number)
            took.append(time.perf_counter() - begun)
    median = statistics.median(took) * 1000
    return [
        Result(
            "framework time per hop, in memory", median, f"{median:.3f} ms", "<= 1 ms", median <= 1
        )
    ]


def run() -> list[Result]:
    """Return what a hop costs."""
    assert Path("host.json").exists(), "run it from the project's folder"
    return _calls() + _framework()
