"""What one photo costs on Azure: calls to the AI accounts and operations on storage, counted."""

import os
import tempfile
from collections import Counter
from types import SimpleNamespace

import steps  # noqa: F401 - registers the steps
from benchmarks.result import Result
from benchmarks.step_execution import counted
from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.outputs import Face
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import default_registry
from imaginem.ports import EnrolledFace
from imaginem.runtime import Runtime
from imaginem.testing import FakeFaces, FakeOcr, FakeVision, message_for, photo_bytes


class _SamePerson:
    """Gives every face the same embedding."""

    def embed(self, photo: object, face: Face) -> EnrolledFace:
        import uuid

        return EnrolledFace(
            face.face_id or uuid.uuid4(), "m", b"\0\0\x80\x3f" * 4, 0.9, (0, 0, 1, 1)
        )


def _operation(request: str) -> str:
    """Return the name of the AI service's operation that a request calls."""
    path = request.split("?")[0].split(" ")[1]
    names = {
        "analyze": "vision analyze",
        "detect": "face detect",
        "findsimilars": "face find similar",
        "persistedfaces": "face add face",
    }
    if "/read/" in path:
        return "vision read" if path.endswith("/analyze") else "vision read result"
    return names.get(path.rsplit("/", 1)[-1], path)


def _run_job(runtime: Runtime, job: str, ports: EmulatorPorts) -> tuple[Counter[str], int]:
    """Run one photo through all steps; return its storage requests, and how many deliveries."""
    pipeline = runtime.settings.pipeline
    runtime.photos = SimpleNamespace(photo=_decode)
    url = runtime.blobs.put("inputimages", f"b/{job}", photo_bytes(400, 300, job), "image/png")
    body = message_for(url, pipeline, job_id=job, batch_id="b").encode()
    with counted(ports) as counts:
        queue, deliveries = pipeline[0], 0
        while queue:
            step, delivery = default_registry.get(queue), Delivery(body, f"{job}-{queue}")
            moved = process_step(step, delivery, runtime, default_registry)
            deliveries += 1
            queue, body = (
                (moved.outgoing.queue, moved.outgoing.body) if moved.outgoing else ("", "")
            )
    return counts, deliveries


def _decode(key: str, read: object) -> object:
    """Decode without a cache: on Azure each step may run on another instance."""
    from imaginem.images.decoding import decode_photo

    return decode_photo(read())  # type: ignore[operator]


def _measure(ai_emulator: AiEmulator, fusion: str) -> tuple[Counter[str], Counter[str], int]:
    """Return AI calls and storage operations of the second photo, and its executions."""
    with (
        tempfile.TemporaryDirectory() as home,
        Emulator(None, EmulatorPorts.free()) as emulator,
        AiEmulatorServer(ai_emulator) as server,
    ):
        settings = {
            **os.environ,
            "AzureWebJobsStorage": emulator.connection_string,
            "IMAGINEM_HOME": home,
            "PIPELINE_FUSION": fusion,
        }
        for service in ("VISION", "FACE"):
            settings |= {
                f"{service}_ENGINE": "azure",
                f"{service}_ENDPOINT": server.address,
                f"{service}_API_KEY": ai_emulator.key,
            }
        runtime = Runtime(read_settings(settings))
        _run_job(runtime, "teal", emulator.ports)  # creates queues, tables and the face list
        ai_emulator.requests.clear()
        storage, executions = _run_job(runtime, "navy", emulator.ports)
        calls = Counter(_operation(request) for request in ai_emulator.requests)
        runtime.database.close()
        return calls, storage, executions


def _by_service(requests: Counter[str]) -> Counter[str]:
    """Return storage requests by service, and by whether they read or write."""
    operations: Counter[str] = Counter()
    for request, count in requests.items():
        method, service = request.split(" ")
        if service != "other":  # the AI accounts, which are counted apart
            operations[f"{service} {'reads' if method == 'GET' else 'writes'}"] += count
    return operations


def _results_of(fusion: str) -> list[Result]:
    engines = SimpleNamespace(
        vision=FakeVision(), ocr=FakeOcr(), faces=FakeFaces(), embedder=_SamePerson()
    )
    how = "fused" if fusion == "auto" else "unfused"
    calls, storage, executions = _measure(AiEmulator(engines), fusion)
    return [
        *(
            Result(f"calls of one photo with one face, {how}: {name}", count, str(count))
            for name, count in sorted(calls.items())
        ),
        *(
            Result(f"storage operations of one photo, {how}: {name}", count, str(count))
            for name, count in sorted(_by_service(storage).items())
        ),
        Result(
            f"besides, by the Functions host, {how}",
            2 * executions,
            f"{2 * executions} (receive and delete for each of {executions} executions)",
        ),
    ]


def run() -> list[Result]:
    """Return calls and operations of a photo with one face, which matches an earlier one."""
    return [*_results_of("auto"), *_results_of("off")]
