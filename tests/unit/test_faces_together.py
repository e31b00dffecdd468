"""facedetection over several photos: where FACE_GRID says so, jobs of a batch share its calls."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from PIL import Image

from imaginem import detect_faces_together
from imaginem.errors import Busy, ImaginemError, PermanentError
from imaginem.images.decoding import Photo
from imaginem.memory.engines import FakeFaces
from imaginem.memory.storage import MemoryQueues
from imaginem.outputs import Face, Rectangle
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import JobState, StepState
from imaginem.pipeline.steps import Registry
from imaginem.ports import CallContext, CoreSettings, FaceGrid, FacesOfMany, FacesOfOne, PhotoOfMany
from imaginem.testing import MemoryServices, job_for, message_for, photo_bytes, run_all
from steps.facedetection import DetectedFaces, facedetection
from tests.dashboard import client, keep, web_services

WITHIN = 20.0
IN_COMPANY = Rectangle(left=1, top=2, width=3, height=4)
"""Where faces are that a call for several photos finds."""


def grid_of(columns: int, rows: int) -> CoreSettings:
    return CoreSettings(face_grid=FaceGrid(columns, rows), face_grid_seconds=WITHIN)


class Pairs(FakeFaces):
    """An engine that looks at several photos in one call.

    Attributes:
        calls: how many photos each call showed.
        for_recognition: what each call was told of it.
    """

    def __init__(self, problem: ImaginemError | None = None) -> None:
        self.calls: list[int] = []
        self.for_recognition: list[bool] = []
        self._problem = problem

    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        self.calls.append(1)
        return super().detect(photo, call)

    def detect_in_many(
        self, photos: Sequence[PhotoOfMany], *, for_recognition: bool = False
    ) -> FacesOfMany:
        self.calls.append(len(photos))
        self.for_recognition.append(for_recognition)
        return [self._seen(photo) for photo in photos]

    def _seen(self, photo: PhotoOfMany) -> FacesOfOne | ImaginemError:
        if self._problem:
            return self._problem
        try:
            photo.read()
        except PermanentError as problem:
            return problem
        return FacesOfOne([Face(face_rectangle=IN_COMPANY)], smallest=150)


@dataclass
class Batch:
    """A batch whose photos have their faces detected; time goes by when a test says so."""

    settings: CoreSettings
    engine: FakeFaces = field(default_factory=Pairs)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.services = MemoryServices(
            core_settings=self.settings,
            queues=MemoryQueues(lambda: self.seconds),
            faces=self.engine,
        )
        self.registry = Registry()
        self.registry.add(facedetection)

    def send(self, *names: str, photo: bytes | None = None) -> None:
        for name in names:
            data = photo or photo_bytes()
            url = self.services.blobs.put("inputimages", f"b/{name}", data, "image/png")
            message = message_for(url, ["facedetection"], job_id=name, batch_id="b")
            self.services.queues.create("facedetection")
            self.services.queues.send("facedetection", message.encode())
        run_all(self.services, self.registry)

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        run_all(self.services, self.registry)

    def row(self, name: str) -> ProgressRow:
        row = read_row(self.services.log, ("b", name))
        assert row is not None
        return row

    def states(self, *names: str) -> list[str]:
        return [self.row(name).job_state for name in names]

    def found(self, name: str) -> DetectedFaces:
        return DetectedFaces.model_validate_json(self.row(name).output_of("facedetection"))


def calls_of(batch: Batch) -> list[int]:
    assert isinstance(batch.engine, Pairs)
    return batch.engine.calls


class TestInThePipeline:
    def test_photos_that_fill_a_grid_are_one_call(self) -> None:
        batch = Batch(grid_of(2, 2))
        batch.send("a", "b", "c", "d")

        assert calls_of(batch) == [4]
        assert batch.states("a", "b", "c", "d") == [JobState.SUCCEEDED] * 4
        assert [face.face_rectangle for face in batch.found("a").faces] == [IN_COMPANY]
        assert batch.found("a").smallest_face == 150

    def test_photos_that_fill_none_wait_as_long_as_the_setting_says(self) -> None:
        batch = Batch(grid_of(2, 2))
        batch.send("a", "b")
        batch.wait(WITHIN - 1)
        assert calls_of(batch) == []
        batch.wait(1)
        assert calls_of(batch) == [2]
        assert batch.states("a", "b") == [JobState.SUCCEEDED] * 2

    def test_without_a_grid_no_photo_waits(self) -> None:
        batch = Batch(CoreSettings())
        batch.send("a", "b")
        assert calls_of(batch) == [1, 1]

    def test_an_engine_that_sees_one_photo_a_call_sees_them_in_turn(self) -> None:
        batch = Batch(grid_of(1, 2), engine=FakeFaces())
        batch.send("a", "b")
        assert batch.states("a", "b") == [JobState.SUCCEEDED] * 2

    def test_a_photo_that_can_not_be_read_fails_alone(self) -> None:
        batch = Batch(grid_of(1, 2))
        batch.send("a", photo=b"no photo")
        batch.send("b")
        assert batch.states("a", "b") == [JobState.FAILED, JobState.SUCCEEDED]

    def test_a_busy_service_costs_no_photo_a_try(self) -> None:
        batch = Batch(grid_of(1, 2), engine=Pairs(Busy("later", retry_after=5)))
        batch.send("a", "b")

        assert [batch.row(name).state_of("facedetection") for name in "ab"] == [
            StepState.RETRYING
        ] * 2
        assert batch.states("a", "b") == [JobState.RUNNING] * 2

    def test_photos_that_wait_when_the_grid_is_turned_off_go_on_alone(self) -> None:
        batch = Batch(grid_of(2, 2))
        batch.send("a", "b")
        batch.services.core_settings = CoreSettings()
        batch.wait(WITHIN)

        assert calls_of(batch) == [1, 1]
        assert batch.states("a", "b") == [JobState.SUCCEEDED] * 2

    def test_the_step_stands_alone_only_with_a_grid(self) -> None:
        registry = Batch(CoreSettings()).registry
        assert registry.as_set(CoreSettings()) is registry
        step = registry.as_set(grid_of(3, 3)).get("facedetection")
        assert (step.group, step.within, step.alone) == (9, WITHIN, True)


def job(
    engine: FakeFaces, photo: bytes | None = None, pipeline: tuple[str, ...] = ()
) -> JobContext:
    services = MemoryServices(faces=engine)
    url = services.blobs.put("inputimages", "b/photo", photo or photo_bytes(), "image/png")
    return JobContext(message_for(url, ["facedetection", *pipeline]), services)


def two_pages() -> bytes:
    out = io.BytesIO()
    first, second = (Image.new("RGB", (64, 48), name) for name in ("teal", "navy"))
    first.save(out, "TIFF", save_all=True, append_images=[second])
    return out.getvalue()


class TestTogether:
    def test_later_pages_of_a_file_have_calls_of_their_own(self) -> None:
        engine = Pairs()
        found = detect_faces_together([job(engine), job(engine, two_pages())])

        assert engine.calls == [2, 1]
        assert not isinstance(found[1], Exception)
        assert [face.page for face in found[1].faces] == [1, 2]
        assert found[1].page_count == 2

    def test_a_file_gives_the_same_faces_alone_and_together(self) -> None:
        engine = FakeFaces()
        together = detect_faces_together([job(engine), job(engine, two_pages())])[1]
        services = MemoryServices(faces=engine)

        assert not isinstance(together, Exception)
        alone = facedetection(job_for(two_pages(), services=services))
        places = [(face.face_rectangle, face.page) for face in together.faces]
        assert [(face.face_rectangle, face.page) for face in alone.faces] == places

    def test_no_job_keeps_its_photo(self) -> None:
        engine = Pairs()
        jobs = [job(engine), job(engine)]
        detect_faces_together(jobs)
        assert [each.photo_digest for each in jobs] == ["", ""]

    def test_ids_are_asked_for_the_photos_whose_faces_will_be_recognized(self) -> None:
        engine = Pairs()
        jobs = [job(engine, pipeline=("faceprint",)), job(engine), job(engine)]
        detect_faces_together(jobs)

        assert engine.calls == [1, 2]
        assert engine.for_recognition == [True, False]

    def test_each_job_is_looked_at_by_its_own_engine(self) -> None:
        here, there = Pairs(), Pairs(PermanentError("not this one"))
        found = detect_faces_together([job(here), job(there), job(here)])

        assert here.calls == [2]
        assert [isinstance(each, Exception) for each in found] == [False, True, False]


@pytest.mark.parametrize("smallest", [None, 150])
def test_the_page_of_a_photo_says_which_faces_were_not_looked_for(smallest: int | None) -> None:
    services, key = web_services(), ("b", "one")
    found = DetectedFaces(faces=[], smallest_face=smallest).model_dump(exclude_none=True)
    keep(services, key, {"facedetection": found}, photo=photo_bytes())

    page = client(services).get("/photos/b/one").text

    told = "Faces smaller than 150 pixels were not looked for" in page
    assert told is (smallest is not None)
