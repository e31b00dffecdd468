"""Images a second of the whole pipeline, against a bare loop that calls the same models."""

import multiprocessing
import os
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.result import Result
from imaginem.assets import AssetStore
from imaginem.config.settings import Settings, read_settings
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.images.decoding import decode_photo, encode_png
from imaginem.outputs import name_face
from imaginem.pipeline.progress_row import ENDED
from imaginem.runtime import Runtime
from imaginem.testing import MemoryFaceIndex, MemoryGallery, message_for
from imaginem.usecases.progress import read_batch

PHOTOS = (
    *("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg", "grace_hopper.jpg"),
    *("astronaut.png", "page.png", "coffee.png", "chelsea.png", "china.jpg"),
    *(f"group{number}.jpg" for number in range(1, 7)),
)
_REPEATS = 3
_ROUNDS = 3
_WORKERS = 2


def _photos(settings: Settings) -> list[bytes]:
    store = AssetStore(settings.assets)
    return [store.path(name).read_bytes() for name in PHOTOS]


def _bare_worker(settings: Settings, photos: list[bytes], ready: Any, go: Any) -> None:
    """Call the models on photos, one after the other, with no pipeline around them."""
    os.environ["OMP_NUM_THREADS"] = "1"
    runtime = Runtime(settings)
    runtime.made["face_index"] = index = MemoryFaceIndex()
    runtime.made["gallery"] = MemoryGallery(index=index)

    def work(data: bytes) -> None:
        photo = decode_photo(data)
        runtime.vision.analyze(photo)
        runtime.ocr.read(photo)
        key = ("bench", uuid.uuid4().hex)
        faces = [
            face.model_copy(
                update={"face_id": name_face(key, photo.sha256, "bench", face.face_rectangle)}
            )
            for face in runtime.faces.detect(photo)
        ]
        for face in faces:
            where = face.face_rectangle
            box = (where.left, where.top, where.left + where.width, where.top + where.height)
            encode_png(photo.pil.crop(box))
        prints = runtime.recognizer.enrol(key, photo, faces)
        runtime.recognizer.match(key, [each.face_id for each in prints], lambda: photo)

    work(photos[0])
    ready.release()
    go.wait()
    for data in photos:
        work(data)
    ready.release()


def _bare(settings: Settings, photos: list[bytes]) -> float:
    """Return images a second of two processes."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    parts = [photos[number::_WORKERS] for number in range(_WORKERS)]
    processes = [
        context.Process(target=_bare_worker, args=(settings, part, ready, go)) for part in parts
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    begun = time.perf_counter()
    go.set()
    for _ in processes:
        ready.acquire()
    took = time.perf_counter() - begun
    for process in processes:
        process.join()
    return len(photos) / took


@contextmanager
def _peak_memory(pids: Sequence[int]) -> Iterator[dict[str, float]]:
    """Watch the memory of this process and of the workers; shared pages count once."""
    peak = {"megabytes": 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.25):
            total = 0.0
            for pid in (os.getpid(), *pids):
                try:
                    memory = psutil.Process(pid).memory_full_info()
                except psutil.Error:
                    continue
                total += getattr(memory, "pss", memory.rss)
            peak["megabytes"] = max(peak["megabytes"], total / 2**20)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _pipeline(runtime: Runtime, photos: list[bytes]) -> float:
    """Return images a second of the running pipeline."""
    batch = uuid.uuid4().hex[:8]
    settings = runtime.settings
    messages = []
    for number, data in enumerate(photos):
        url = runtime.blobs.put("inputimages", f"{batch}/{number}", data, "image/jpeg")
        messages.append(message_for(url, settings.pipeline, batch_id=batch, job_id=str(number)))
    begun = time.perf_counter()
    for message in messages:
        runtime.queues.send(settings.pipeline[0], message.encode())
    while True:
        states = [row.job_state for row in read_batch(runtime.log, batch, set())]
        if len(states) == len(photos) and ENDED.issuperset(states):
            break
        time.sleep(0.5)
    took = time.perf_counter() - begun
    if set(states) != {"succeeded"}:
        raise RuntimeError(f"jobs of the benchmark ended as {set(states)}")
    return len(photos) / took


def run() -> list[Result]:
    """Return the ratio and the memory; bare loop and pipeline are measured in turns."""
    with tempfile.TemporaryDirectory() as folder:
        home, ports = Path(folder), EmulatorPorts.free()
        environment = {
            "AzureWebJobsStorage": ports.connection_string,
            "IMAGINEM_HOME": str(home),
        }
        settings = read_settings({**os.environ, **environment})
        photos = _photos(settings) * _REPEATS
        runtime = Runtime(settings)
        log = (home / "host.log").open("wb")
        options = HostOptions(
            Path.cwd(),
            workers=_WORKERS,
            port=0,
            environment=environment,
            log=log,
            order=settings.pipeline,
        )
        with log, Emulator(home / "storage", ports):
            host = Host(options, runtime.queues)
            triggers = host.start()
            try:
                _pipeline(runtime, photos[: len(PHOTOS)])  # loads the models
                with _peak_memory(host.worker_pids) as peak:
                    pairs = [
                        (_bare(settings, photos), _pipeline(runtime, photos))
                        for _ in range(_ROUNDS)
                    ]
            finally:
                host.close()
                runtime.database.close()
    bare = statistics.median(pair[0] for pair in pairs)
    piped = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    assert triggers
    return [
        Result("bare loop, 2 processes", bare, f"{bare:.2f} images/s"),
        Result("whole pipeline, 2 workers", piped, f"{piped:.2f} images/s"),
        Result("pipeline / bare loop", ratio, f"{ratio:.2f}", ">= 0.85", ratio >= 0.85),
        Result(
            "peak memory, host and 2 workers",
            peak["megabytes"],
            f"{peak['megabytes']:.0f} MB",
            "<= 1536 MB",
            peak["megabytes"] <= 1536,
        ),
    ]
