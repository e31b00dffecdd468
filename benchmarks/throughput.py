"""Images a second of the whole pipeline, against a bare loop that calls the same models."""

import multiprocessing
import os
import statistics
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks.installation import WORKERS, running
from benchmarks.result import Result
from imaginem.assets import AssetStore
from imaginem.config.settings import Settings
from imaginem.images.decoding import decode_photo, encode_png
from imaginem.outputs import name_face
from imaginem.pipeline.states import ENDED
from imaginem.ports import CallContext
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
_CALL = CallContext.without_job("bare loop")


def _photos(settings: Settings) -> list[bytes]:
    store = AssetStore(settings.assets)
    return [store.path(name).read_bytes() for name in PHOTOS]


def _bare_worker(settings: Settings, photos: list[bytes], ready: Any, go: Any) -> None:
    """Call the models on photos, one after the other, with no pipeline around them."""
    os.environ["OMP_NUM_THREADS"] = "1"
    runtime = Runtime(settings)
    runtime.made["face_index"] = index = MemoryFaceIndex()
    runtime.made["gallery"] = MemoryGallery(index=index)
    _call_models(runtime, photos[0])
    ready.release()
    go.wait()
    for data in photos:
        _call_models(runtime, data)
    ready.release()


def _call_models(runtime: Runtime, data: bytes) -> None:
    """Do with one photo what the steps of the pipeline do."""
    photo = decode_photo(data)
    runtime.vision.analyze(photo, _CALL)
    runtime.ocr.read(photo, _CALL)
    key = ("bench", uuid.uuid4().hex)
    faces = [
        face.model_copy(
            update={"face_id": name_face(key, photo.sha256, "bench", face.face_rectangle)}
        )
        for face in runtime.faces.detect(photo, _CALL)
    ]
    for face in faces:
        box = face.face_rectangle
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        encode_png(photo.pil.crop(corners))
    enrolled = runtime.recognizer.enrol(key, photo, faces, _CALL)
    face_ids = [face.face_id for face in enrolled]
    runtime.recognizer.match(key, face_ids, lambda: photo, _CALL)


def _bare(settings: Settings, photos: list[bytes]) -> float:
    """Return the images a second of two bare processes."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    parts = [photos[number::WORKERS] for number in range(WORKERS)]
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
    seconds = time.perf_counter() - begun
    for process in processes:
        process.join()
    return len(photos) / seconds


@contextmanager
def _peak_memory(pids: Sequence[int]) -> Iterator[dict[str, float]]:
    """Measure the peak memory of this process and the workers; shared pages count once."""
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
    """Return the images a second of the running pipeline."""
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
    seconds = time.perf_counter() - begun
    if set(states) != {"succeeded"}:
        raise RuntimeError(f"jobs of the benchmark ended as {set(states)}")
    return len(photos) / seconds


def run() -> list[Result]:
    """Return the ratio and the memory; bare loop and pipeline are measured in turns."""
    with running() as (host, runtime):
        photos = _photos(runtime.settings) * _REPEATS
        _pipeline(runtime, photos[: len(PHOTOS)])  # loads the models
        with _peak_memory(host.worker_pids) as peak:
            pairs = [
                (_bare(runtime.settings, photos), _pipeline(runtime, photos))
                for _ in range(_ROUNDS)
            ]
    bare = statistics.median(pair[0] for pair in pairs)
    piped = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    memory = peak["megabytes"]
    return [
        Result("bare loop, 2 processes", bare, f"{bare:.2f} images/s"),
        Result("whole pipeline, 2 workers", piped, f"{piped:.2f} images/s"),
        Result("pipeline / bare loop", ratio, f"{ratio:.2f}", ">= 0.85", ratio >= 0.85),
        Result(
            "peak memory, host and 2 workers",
            memory,
            f"{memory:.0f} MB",
            "<= 1536 MB",
            memory <= 1536,
        ),
    ]
