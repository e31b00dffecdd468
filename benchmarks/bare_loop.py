"""The same models in a bare loop: no queue, no storage, no message; and where its time goes."""

import multiprocessing
import os
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.installation import WORKERS
from imaginem.assets import AssetStore
from imaginem.config.settings import Settings
from imaginem.host.environment import worker_environment
from imaginem.images.decoding import decode_photo, encode_png
from imaginem.outputs import Face, name_face
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.testing import MemoryFaceIndex, MemoryGallery

PHOTOS = (
    *("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg", "grace_hopper.jpg"),
    *("astronaut.png", "page.png", "coffee.png", "chelsea.png", "china.jpg"),
    *(f"group{number}.jpg" for number in range(1, 7)),
)
PARTS = ("decoding", "labels", "text", "face detection", "crops", "embeddings and matches")
_CALL = CallContext.without_job("bare loop")


def photos(settings: Settings, count: int) -> list[bytes]:
    """Return the mixed photos of the benchmark, again and again until there are `count`."""
    store = AssetStore(settings.assets)
    files = [store.path(name).read_bytes() for name in PHOTOS]
    return [files[number % len(files)] for number in range(count)]


class BareLoop:
    """Does with photos what the steps of the pipeline do, and times each part.

    Attributes:
        seconds: of each of `PARTS`, all photos together.
    """

    def __init__(self, settings: Settings) -> None:
        self._runtime = Runtime(settings)
        self._runtime.made["face_index"] = index = MemoryFaceIndex()
        self._runtime.made["gallery"] = MemoryGallery(index=index)
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - begun

    def look_at(self, data: bytes) -> None:
        """Call all models on one photo."""
        runtime = self._runtime
        with self._part("decoding"):
            photo = decode_photo(data)
        with self._part("labels"):
            runtime.vision.analyze(photo, _CALL)
        with self._part("text"):
            runtime.ocr.read(photo, _CALL)
        key = ("bench", uuid.uuid4().hex)
        with self._part("face detection"):
            faces = [_named(face, key, photo.sha256) for face in runtime.faces.detect(photo, _CALL)]
        with self._part("crops"):
            for face in faces:
                box = face.face_rectangle
                corners = (box.left, box.top, box.left + box.width, box.top + box.height)
                encode_png(photo.pil.crop(corners))
        with self._part("embeddings and matches"):
            enrolled = runtime.recognizer.enrol(key, photo, faces, _CALL)
            face_ids = [face.face_id for face in enrolled]
            runtime.recognizer.match(key, face_ids, lambda: photo, _CALL)


def _named(face: Face, key: tuple[str, str], sha256: str) -> Face:
    return face.model_copy(update={"face_id": name_face(key, sha256, "bench", face.face_rectangle)})


def _work(settings: Settings, some: list[bytes], ready: Any, go: Any) -> None:
    loop = _prepared(settings, some)
    ready.release()
    go.wait()
    for data in some:
        loop.look_at(data)
    ready.release()


def _prepared(settings: Settings, some: Sequence[bytes]) -> BareLoop:
    """Return a loop with loaded models."""
    loop = BareLoop(settings)
    for data in dict.fromkeys(some):  # each once: runtimes may compile for each shape
        loop.look_at(data)
    loop.seconds.clear()
    return loop


def images_a_second(settings: Settings, data: list[bytes]) -> float:
    """Return the images a second of two bare processes."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    parts = [data[number::WORKERS] for number in range(WORKERS)]
    processes = [context.Process(target=_work, args=(settings, part, ready, go)) for part in parts]
    with _environment_of_workers():
        for process in processes:
            process.start()
    _await(ready, processes)
    begun = time.perf_counter()
    go.set()
    _await(ready, processes)
    seconds = time.perf_counter() - begun
    for process in processes:
        process.join()
    return len(data) / seconds


@contextmanager
def _environment_of_workers() -> Iterator[None]:
    """Start processes as the host starts its workers: a C library reads its part at the start."""
    before = dict(os.environ)
    os.environ.update(worker_environment({}, WORKERS))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _await(ready: Any, processes: Sequence[Any]) -> None:
    """Wait until each process has said that it is ready.

    Raises:
        RuntimeError: one ended before.
    """
    for _ in processes:
        while not ready.acquire(timeout=1):
            if any(process.exitcode for process in processes):
                raise RuntimeError("a process of the bare loop has ended: see its error above")


def _timed(settings: Settings, data: list[bytes], results: Any) -> None:
    loop = _prepared(settings, data)
    for photo in data:
        loop.look_at(photo)
    results.put(dict(loop.seconds))


def shares(settings: Settings, data: list[bytes]) -> Mapping[str, float]:
    """Return the seconds of each of `PARTS` for these photos, in one process alone."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_timed, args=(settings, data, results))
    with _environment_of_workers():
        process.start()
    seconds: Mapping[str, float] = results.get(timeout=600)
    process.join()
    return seconds
