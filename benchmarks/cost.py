"""What one photo costs on Azure: calls to the AI accounts and operations on storage, counted."""

import os
import tempfile
from collections import Counter
from types import SimpleNamespace

import steps  # noqa: F401 - registers the steps
from benchmarks.hop import counted
from benchmarks.result import Result
from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.outputs import Face
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import default_registry
from imaginem.ports import EnrolledFace
from imaginem.runtime import Runtime
from imaginem.testing import FakeFaces, FakeOcr, FakeVision, message_for, photo_bytes


class _Printer:
    """Makes all faces one person's."""

    def embed(self, photo: object, face: Face) -> EnrolledFace:
        import uuid

        return EnrolledFace(
            face.face_id or uuid.uuid4(), "m", b"\0\0\x80\x3f" * 4, 0.9, (0, 0, 1, 1)
        )


def _operation(request: str) -> str:
    path = request.split("?")[0].split(" ")[1]
    known = {
        "analyze": "vision analyze",
        "detect": "face detect",
        "findsimilars": "face find similar",
        "persistedfaces": "face add face",
    }
    if "/read/" in path:
        return "vision read" if path.endswith("/analyze") else "vision read result"
    return known.get(path.rsplit("/", 1)[-1], path)


def _run(runtime: Runtime, job: str, ports: EmulatorPorts) -> Counter[str]:
    """Take one photo through all steps; return its storage operations."""
    pipeline = runtime.settings.pipeline
    runtime.photos = SimpleNamespace(photo=_decode)
    url = runtime.blobs.put("inputimages", f"b/{job}", photo_bytes(400, 300, job), "image/png")
    body = message_for(url, pipeline, job_id=job, batch_id="b").encode()
    with counted(ports) as counts:
        for name in pipeline:
            step, delivery = default_registry.get(name), Delivery(body, f"{job}-{name}")
            moved = process_step(step, delivery, runtime, default_registry)
            body = moved.outgoing.body if moved.outgoing else ""
    return counts


def _decode(key: str, read: object) -> object:
    """Keep no photo: on Azure each step runs on an instance of its own."""
    from imaginem.images.decoding import decode_photo

    return decode_photo(read())  # type: ignore[operator]


def run() -> list[Result]:
    """Return calls and operations of a photo with one face, the second of its kind."""
    engines = SimpleNamespace(
        vision=FakeVision(), ocr=FakeOcr(), faces=FakeFaces(), embedder=_Printer()
    )
    ai_emulator = AiEmulator(engines)
    with (
        tempfile.TemporaryDirectory() as home,
        Emulator(None, EmulatorPorts.free()) as emulator,
        AiEmulatorServer(ai_emulator) as server,
    ):
        asked = {
            **os.environ,
            "AzureWebJobsStorage": emulator.connection_string,
            "IMAGINEM_HOME": home,
        }
        for service in ("VISION", "FACE"):
            asked |= {
                f"{service}_ENGINE": "azure",
                f"{service}_ENDPOINT": server.address,
                f"{service}_API_KEY": ai_emulator.key,
            }
        runtime = Runtime(read_settings(asked))
        _run(runtime, "teal", emulator.ports)  # makes queues, tables and the face list
        ai_emulator.requests.clear()
        storage = _run(runtime, "navy", emulator.ports)
        calls = Counter(_operation(request) for request in ai_emulator.requests)
        runtime.database.close()
    hops = len(runtime.settings.pipeline)
    results = [
        Result(f"calls of one photo with one face: {name}", count, str(count))
        for name, count in sorted(calls.items())
    ]
    by_service: Counter[str] = Counter()
    for name, count in storage.items():
        method, service = name.split(" ")
        if service == "other":  # the AI accounts, counted above
            continue
        by_service[f"{service} {'reads' if method == 'GET' else 'writes'}"] += count
    results += [
        Result(f"storage operations of one photo: {name}", count, str(count))
        for name, count in sorted(by_service.items())
    ]
    results.append(
        Result("besides, by the Functions host", 2 * hops, f"{2 * hops} (take and delete, a hop)")
    )
    return results
