"""A job goes through everything, and nothing of it is left once it is erased."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from pydantic_core import to_json

import steps  # noqa: F401 - importing the package registers every step
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.config.settings import read_settings
from imaginem.errors import NotFound
from imaginem.host import Emulator
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceMatch, FacePrint, ImageAnalysis, OcrText, PhotoMetadata, Tag
from imaginem.pipeline.gathering import Gathering, Waiting
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.poison import keep_invalid
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import default_registry
from imaginem.ports import (
    CallContext,
    Drop,
    EarlierOutput,
    EnrolledFace,
    Erasable,
    JobKey,
    SuppressedFace,
)
from imaginem.runtime import Runtime
from imaginem.sql import SqlServiceFaces
from imaginem.testing import FakeFaces, FakeRecognizer, message_for, photo_bytes
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.final_sweep import sweep_finally
from imaginem.usecases.renditions import make_rendition
from imaginem.usecases.submit import submit_photo
from imaginem.usecases.watchdog import Watchdog
from tests.traces import Traces

LONG = "word " * 12_000
PIPELINE = (*DEFAULT_PIPELINE[:-1], "sample", DEFAULT_PIPELINE[-1])
PLACES = {
    "landing",
    "inputimages",
    "faces",
    "largemessages",
    "largemessages/!poison",
    "thumbnails",
    "pipelinedrops",
    "pipelinelogs",
    "pipelinepoison",
    "pipeline_output",
    "photo_label",
    "photo_text",
    "photo_fact",
    "earlier_output",
    "ledger_job",
    "submission",
    "face",
    "face_match",
    "face_verdict",
    "service_face",
    "suppressed_face",
    "pipelinestate",
}


class TalkativeEngine:
    """Finds a tag, and more text than a message carries."""

    name = "talkative"

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        size = PhotoMetadata(width=photo.width, height=photo.height, format=photo.format)
        return ImageAnalysis(tags=[Tag(name="cat", confidence=0.9)], metadata=size)

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        return OcrText(full_text=LONG)


class EveryoneAlike(FakeRecognizer):
    """Enrols every face with one embedding, so that each matches all others."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def enrol(
        self, key: JobKey, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[FacePrint]:
        embedding = np.array([1, 0], np.float32).tobytes()
        named = [face.face_id for face in faces if face.face_id is not None]
        enrolled = [EnrolledFace(each, self.name, embedding, 0.9, (1, 2, 3, 4)) for each in named]
        self._runtime.gallery.enrol(key, enrolled)
        return super().enrol(key, photo, faces, call)

    def match(
        self,
        key: JobKey,
        face_ids: Sequence[uuid.UUID],
        photo: Callable[[], Photo],
        call: CallContext,
    ) -> list[FaceMatch]:
        index = self._runtime.face_index
        matches = [
            FaceMatch(face_id=face_id, matched_face_id=other.face_id, confidence=1.0, band="match")
            for face_id in face_ids
            for other in index.similar(key, face_id, min_similarity=0.9, limit=5)
        ]
        self._runtime.gallery.keep_matches(matches)
        return matches


@dataclass
class Installation:
    """A runtime on Azurite and SQLite, in which jobs have been everywhere."""

    runtime: Runtime
    traces: Traces

    def run(self, key: JobKey, color: str) -> list[uuid.UUID]:
        """Take a photo through all steps and everything behind them; return its faces."""
        submit_photo(self.runtime, key, f"{key[1]}.png", photo_bytes(color=color), PIPELINE)
        self.drop(key, photo_bytes(color=color))
        for name in PIPELINE:
            step = default_registry.get(name)
            self.runtime.queues.create(name)
            for item in self.runtime.queues.receive(name, 1, 60):
                delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
                process_step(step, delivery, self.runtime, default_registry)
                self.runtime.queues.delete(name, item)
        self.runtime.ledger.settle()
        result = self.runtime.results.read(key)
        assert result is not None
        assert result.unsuccessful == ()
        assert result.timestamp is not None
        before = EarlierOutput(*key, result.timestamp, result.job_output, "ocr")
        self.runtime.earlier_outputs.keep(before)
        make_rendition(self.runtime, result, "thumbnail")
        self.runtime.suppressed_faces.suppress(SuppressedFace(uuid.uuid4(), key))
        self.wait_for_others(key)
        return [face.face_id for face in self.runtime.gallery.faces_of(key)]

    def wait_for_others(self, key: JobKey) -> None:
        """Let a job count as one that waits at a step over several photos."""
        message = message_for("https://elsewhere/", ["compares"], batch_id=key[0], job_id=key[1])
        job = Waiting(key, "run", "fence", uuid.uuid4().hex, datetime.now(UTC))
        assert Gathering(self.runtime.shared_state, "compares").place(message, job)

    def drop(self, key: JobKey, photo: bytes) -> None:
        """Let a job's photo also lie where somebody dropped it."""
        blob = f"dropped here/{quote(key[1], safe='')}.png"
        self.runtime.blobs.put("inputimages", blob, photo, "image/png")
        etag = self.runtime.blobs.stat("inputimages", blob).etag
        self.runtime.drops.write(Drop(key[0], blob, etag, key[1], "ab", sent=True))

    def poison(self, key: JobKey, *, note: str) -> None:
        """Keep messages of a job that could never be read, a long one and a short one."""
        batch = None if key[0] == "default" else key[0]
        definition = {"id": key[1], "batch_id": batch, "input": {"image_url": 5}}
        for number, text in enumerate((note, LONG)):
            body = to_json({"job_definition": {**definition, "note": text}}).decode()
            keep_invalid(self.runtime, "ocr", f"{uuid.uuid4()}-{number}", body, "because")

    def review(self, one: uuid.UUID, other: uuid.UUID) -> None:
        """Let a person decide of two faces, and a service keep their prints."""
        self.runtime.reviews.review((one, other), "confirmed", "Ann")
        lapses = datetime.now(UTC) + timedelta(hours=1)
        names = SqlServiceFaces(self.runtime.database, "https://face.test")
        names.note({face_id: (f"name-of-{face_id.hex[:9]}", lapses) for face_id in (one, other)})


@pytest.fixture
def installation(own_azurite: Emulator, tmp_path: Path) -> Iterator[Installation]:
    settings = {
        "AzureWebJobsStorage": own_azurite.connection_string,
        "IMAGINEM_HOME": str(tmp_path),
    }
    runtime = Runtime(read_settings(settings))
    engine = TalkativeEngine()
    engines = {"faces": FakeFaces(), "recognizer": EveryoneAlike(runtime)}
    runtime.engines |= {"vision": engine, "ocr": engine, **engines}
    traces = Traces(own_azurite.connection_string, runtime.database.engine, tmp_path)
    yield Installation(runtime, traces)
    traces.close()
    runtime.database.close()


@pytest.fixture
def word() -> str:
    """A part of a job's id that stands nowhere else, and is spelled the same everywhere."""
    return f"needle{uuid.uuid4().hex[:12]}"


def lacking(places: set[str], stores: Sequence[Erasable]) -> set[str]:
    """Return the places that no store answers for."""
    return places - {place for store in stores for place in store.holds}


def test_every_place_that_holds_a_job_is_erased(installation: Installation, word: str) -> None:
    runtime, traces = installation.runtime, installation.traces
    key, other = ("default", f"{word}/ä"), ("default", "other")
    (mine,) = installation.run(key, "teal")
    (theirs,) = installation.run(other, "red")
    installation.poison(key, note="short")
    installation.review(mine, theirs)
    before = traces.of(key, word, [mine])

    assert before == PLACES
    assert lacking(before, runtime.erasables) == set()
    for store in runtime.erasables:
        rest = [one for one in runtime.erasables if one.holds != store.holds]
        assert lacking(before, rest), f"the job would stay in {store.holds}"

    forget_job(runtime, key)
    assert traces.of(key, word, [mine]) == {"pipelinestate"}  # until the final sweep
    assert sweep_finally(runtime, PIPELINE, datetime.now(UTC) + timedelta(hours=2)) == 1
    assert traces.of(key, word, [mine]) == set()
    kept = traces.of(other, "other", [theirs])
    assert kept == PLACES - {
        "pipelinepoison",
        "largemessages/!poison",
        "face_match",
        "face_verdict",
    }
    with pytest.raises(NotFound):
        forget_job(runtime, key)


def test_a_store_erases_what_it_says_and_nothing_else(
    installation: Installation, word: str
) -> None:
    runtime, traces = installation.runtime, installation.traces
    key, other = ("erased", word), ("erased", "another")
    (mine,) = installation.run(key, "teal")
    (theirs,) = installation.run(other, "red")
    installation.poison(key, note="short")
    installation.review(mine, theirs)
    left = traces.of(key, word, [mine])
    for store in runtime.erasables:
        store.erase(key)
        store.erase(key)
        now = traces.of(key, word, [mine])
        assert left - now <= set(store.holds)
        assert left > now, f"{store.holds} erased nothing"
        left = now
    assert left == set()
    assert traces.of(other, "another", [theirs]) >= {"faces", "face", "pipelinelogs"}


def test_nothing_of_an_erased_batch_is_left(installation: Installation, word: str) -> None:
    runtime, traces = installation.runtime, installation.traces
    batch = f"batch-{word}"
    faces = [
        *installation.run((batch, "a"), "red"),
        *installation.run((batch, "b"), "teal"),
    ]
    installation.poison((batch, "never-began"), note="short")
    installation.review(*faces)
    assert traces.of((batch, "a"), word, faces) == PLACES | {"photo_batch", "ledger_sum"}

    assert forget_batch(runtime, batch).jobs == 2
    assert traces.of((batch, "a"), word, faces) == {"pipelinestate"}  # the watchdog looks there
    noted = NotedBatches(runtime.shared_state, lambda: time.time() + 3 * 3600)
    Watchdog(runtime, noted, timedelta(minutes=5), PIPELINE).watch()
    sweep_finally(runtime, PIPELINE, datetime.now(UTC) + timedelta(hours=2))
    assert traces.of((batch, "a"), word, faces) == set()
    with pytest.raises(NotFound):
        forget_batch(runtime, batch)
