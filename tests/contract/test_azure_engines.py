"""The Azure engines through the real SDKs, over HTTP, against the emulator: what goes wrong."""

import io
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update

from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.ai_emulator.faces import FaceMemory
from imaginem.ai_emulator.refusals import Refusal
from imaginem.config.settings import read_settings
from imaginem.engines import maintenance_jobs
from imaginem.engines.azure.calls import LimitedAccess, Service, ServiceRefused
from imaginem.engines.azure.ocr import AzureOcr
from imaginem.engines.azure.operations import Operations
from imaginem.engines.azure.vision_client import make_vision_client
from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import Face, FaceMatch, OcrText, Tag, name_face
from imaginem.pipeline.maintenance import run_maintenance
from imaginem.ports import (
    CallContext,
    FacesOfMany,
    FacesOfOne,
    JobErased,
    JobKey,
    PhotoOfMany,
    faces_in_many,
)
from imaginem.runtime import Runtime
from imaginem.sql.schema import AdditionRow
from imaginem.testing import MemorySharedState, photo_bytes
from tests.ai_emulator import KEY, ColorEngines, portrait

CALL = CallContext("b", "one", "facedetection")


class Bench:
    """An emulator, and a runtime whose engines call it."""

    def __init__(
        self, home: Path, options: AiEmulatorOptions | None = None, **settings: str
    ) -> None:
        self.engines = ColorEngines()
        self.ai_emulator = AiEmulator(self.engines, options)
        self.server = AiEmulatorServer(self.ai_emulator)
        self.server.start()
        self.home, self.settings = home, settings
        self.shared_state = MemorySharedState()
        self.runtime = self.instance()

    def instance(self, **settings: str) -> Runtime:
        """Return another instance of the app, on the same database."""
        asked = {
            "VISION_ENGINE": "azure",
            "FACE_ENGINE": "azure",
            "VISION_ENDPOINT": self.server.address,
            "FACE_ENDPOINT": self.server.address,
            "VISION_API_KEY": KEY,
            "FACE_API_KEY": KEY,
            "VISION_CALLS_PER_SECOND": "0",
            "FACE_CALLS_PER_SECOND": "0",
            "IMAGINEM_HOME": str(self.home),
            **self.settings,
            **settings,
        }
        runtime = Runtime(read_settings(asked))
        runtime.made["shared_state"] = self.shared_state
        return runtime

    def close(self) -> None:
        self.server.stop()
        self.runtime.database.close()

    def detect(self, key: JobKey, photo: Photo, runtime: Runtime | None = None) -> list[Face]:
        """Detect and name faces, as the step does."""
        engine = (runtime or self.runtime).faces
        return [
            face.model_copy(
                update={"face_id": name_face(key, photo.sha256, engine.name, face.face_rectangle)}
            )
            for face in engine.detect(photo, CALL, for_recognition=True)
        ]

    def enrol(self, job: str, data: bytes) -> tuple[JobKey, Photo, list[uuid.UUID]]:
        """Detect and enrol the faces of a photo as a job of its own."""
        key, photo = ("b", job), decode_photo(data)
        prints = self.runtime.recognizer.enrol(key, photo, self.detect(key, photo), CALL)
        return key, photo, [each.face_id for each in prints]

    def match(self, enrolled: tuple[JobKey, Photo, list[uuid.UUID]]) -> list[FaceMatch]:
        key, photo, ids = enrolled
        return self.runtime.recognizer.match(key, ids, lambda: photo, CALL)

    def maintain(self, runtime: Runtime | None = None) -> None:
        """Run the engines' maintenance jobs, as the timer does."""
        runtime = runtime or self.runtime
        jobs = maintenance_jobs(runtime.settings, lambda: runtime.parts)
        run_maintenance(jobs, runtime.telemetry)

    def train(self) -> None:
        """Run the timer until every list is trained."""
        for _ in range(20):
            self.maintain()
            lists = self.runtime.service_faces.lists()
            if all(each.searchable and not each.training and not each.changed for each in lists):
                return
            time.sleep(0.05)
        raise AssertionError("the lists were never trained")

    def let_additions_age(self) -> None:
        """Let a quarter of an hour pass for additions that were never concluded."""
        with self.runtime.database.session() as session:
            session.execute(update(AdditionRow).values(since=datetime(2020, 1, 1, tzinfo=UTC)))

    @property
    def lists(self) -> list[str]:
        return [each.list_id for each in self.runtime.service_faces.lists()]

    def asked(self, part: str) -> list[str]:
        return [request for request in self.ai_emulator.requests if part in request]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.ai_emulator.memory.training_seconds = 0.05
    yield made
    made.close()


def owners(matches: list[FaceMatch], bench: Bench) -> set[str]:
    found = bench.runtime.gallery.owners([match.matched_face_id for match in matches])
    return {owner.job_id for owner in found.values()}


class TestWhatIsSent:
    def test_a_large_photo_is_scaled_down_and_its_coordinates_back(self, bench: Bench) -> None:
        noisy = Image.effect_noise((4000, 3000), 90).convert("RGB")
        out = io.BytesIO()
        noisy.save(out, "JPEG", quality=95)
        photo = decode_photo(out.getvalue())
        analysis = bench.runtime.vision.analyze(photo, CALL)
        (face,) = bench.runtime.faces.detect(photo, CALL)

        seen_by_vision, seen_by_face = bench.engines.looked_at
        assert seen_by_vision[0] < 4000
        assert seen_by_face[0] < 4000
        (found,) = analysis.objects
        assert found.rectangle.x == pytest.approx(1000, abs=4)
        assert found.rectangle.w == pytest.approx(2000, abs=6)
        assert (analysis.metadata.width, analysis.metadata.format) == (4000, "JPEG")
        assert face.face_rectangle.left == pytest.approx(1250, abs=4)
        assert face.face_rectangle.height == pytest.approx(1500, abs=6)
        assert face.face_landmarks["pupil_left"].x == pytest.approx(1260, abs=12)

    def test_words_for_underwear_are_left_out_of_an_answer(self, bench: Bench) -> None:
        bench.engines.more_tags = [Tag(name="lingerie", confidence=0.6)]
        analysis = bench.runtime.vision.analyze(decode_photo(portrait("ann")), CALL)

        assert [tag.name for tag in analysis.tags] == ["photo", "dog"]

    def test_a_photo_that_is_too_small_is_enlarged(self, bench: Bench) -> None:
        analysis = bench.runtime.vision.analyze(decode_photo(photo_bytes(40, 30)), CALL)

        assert min(bench.engines.looked_at[0]) >= 50
        assert (analysis.metadata.width, analysis.metadata.height) == (40, 30)
        assert analysis.objects[0].rectangle.w == pytest.approx(20, abs=1)

    def test_a_strip_that_fits_no_service_is_refused_with_a_reason(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match="cut it into parts"):
            bench.runtime.vision.analyze(decode_photo(photo_bytes(6000, 4)), CALL)

    def test_any_format_becomes_one_that_the_service_takes(self, bench: Bench) -> None:
        for format_name in ("WEBP", "TIFF", "GIF", "BMP"):
            photo = decode_photo(photo_bytes(200, 150, format_name=format_name))
            assert bench.runtime.vision.analyze(photo, CALL).metadata.format == format_name

    def test_text_is_polled_and_its_polygons_are_the_photos(self, bench: Bench) -> None:
        text = bench.runtime.ocr.read(decode_photo(photo_bytes(300, 200)), CALL)

        assert text.full_text == "two words"
        assert text.language == "en"
        assert text.lines[0].words[1].polygon == [150, 0, 300, 0, 300, 20, 150, 20]
        assert text.lines[0].confidence == pytest.approx(0.7)

    def test_what_the_services_tell_besides_is_kept(self, bench: Bench) -> None:
        photo = decode_photo(photo_bytes(300, 200))
        analysis = bench.runtime.vision.analyze(photo, CALL)
        text = bench.runtime.ocr.read(photo, CALL)
        (face,) = bench.runtime.faces.detect(photo, CALL)

        kinds = analysis.objects[0].parent
        assert kinds is not None
        assert kinds.parent is not None
        assert (kinds.object, kinds.parent.object) == ("land vehicle", "vehicle")
        assert [tag.hint for tag in analysis.tags] == [None, "mammal"]
        assert analysis.unanswered is None
        assert (analysis.model_version, text.model_version) == ("2021-05-01", "2022-04-30")
        style = text.lines[0].style
        assert style is not None
        assert (style.name, style.confidence) == ("other", 0.9)
        assert face.face_attributes.blur_level == "low"
        assert face.face_attributes.nose_and_mouth_covered is False

    def test_no_address_and_no_name_leaves_the_house(self, bench: Bench) -> None:
        key, photo = ("families of X", "photo of Y"), decode_photo(portrait("ann"))
        bench.runtime.recognizer.enrol(key, photo, bench.detect(key, photo), CALL)
        bench.runtime.vision.analyze(photo, CALL)

        said = " ".join(bench.ai_emulator.requests)
        assert "families" not in said
        assert "photo%20of" not in said
        (asked,) = {
            part
            for request in bench.asked("/detect")
            for part in request.partition("?")[2].split("&")
            if part.startswith("returnFaceAttributes=")
        }
        assert asked == "returnFaceAttributes=headPose,mask,blur,qualityForRecognition"


class TestFaces:
    def test_one_detect_call_serves_detection_and_print(self, bench: Bench) -> None:
        bench.enrol("one", portrait("ann"))

        assert len(bench.asked("/detect")) == 1
        assert "returnFaceId=true" in bench.asked("/detect")[0]

    def test_no_id_is_asked_for_without_need(self, bench: Bench) -> None:
        bench.runtime.faces.detect(decode_photo(portrait("ann")), CALL)
        mixed = bench.instance(FACE_PRINT_ENGINE="local")
        mixed.faces.detect(decode_photo(portrait("ann")), CALL, for_recognition=True)

        one, other = bench.asked("/detect")
        assert "returnFaceId=false" in one
        assert "returnFaceId=false" in other

    def test_faces_are_found_before_and_after_training(self, bench: Bench) -> None:
        first = bench.enrol("first", portrait("ann"))
        second = bench.enrol("second", portrait("ann", noise=5))
        other = bench.enrol("other", portrait("bob"))
        assert owners(bench.match(second), bench) == {"first"}
        assert bench.match(other) == []

        bench.train()
        third = bench.enrol("third", portrait("ann", noise=9))
        assert owners(bench.match(third), bench) == {"first", "second"}
        assert owners(bench.match(first), bench) == {"second", "third"}
        known = bench.runtime.gallery.matches_of(first[2])
        assert owners(known, bench) == {"second", "third"}
        assert {match.band for match in known} == {"match"}

    def test_a_redelivered_job_adds_no_face_twice(self, bench: Bench) -> None:
        for _ in range(3):
            bench.enrol("one", portrait("ann"))
        assert len(bench.asked("/persistedfaces")) == 1

    def test_no_face_of_an_erased_run_is_added(self, bench: Bench) -> None:
        key, photo = ("b", "one"), decode_photo(portrait("ann"))
        bench.runtime.erased_runs.lay("b", {"one": {"run"}})
        with pytest.raises(JobErased):
            bench.runtime.recognizer.enrol(
                key, photo, bench.detect(key, photo), replace(CALL, run="run")
            )
        assert bench.runtime.gallery.faces_of(key) == []
        assert bench.asked("/persistedfaces") == []

    def test_an_addition_that_was_cut_short_is_swept_up(self, bench: Bench) -> None:
        key, _, (face_id,) = bench.enrol("one", portrait("ann"))
        known = bench.runtime.service_faces
        held = bench.ai_emulator.memory.held(bench.lists[0]).faces
        (vector,) = [vector for _, vector in held.values()]
        known.adding(face_id, bench.lists[0])  # as after a crash before `added`
        bench.ai_emulator.memory.add(bench.lists[0], str(face_id), vector)

        bench.train()
        assert len(held) == 2  # whoever adds it may be at work still
        bench.let_additions_age()
        bench.train()
        assert list(held) == [known.read([face_id])[face_id].persisted_face_id]
        assert bench.runtime.gallery.faces_of(key)

    def test_an_addition_whose_answer_was_lost_and_whose_job_gave_up(self, bench: Bench) -> None:
        bench.enrol("one", portrait("ann"))
        memory, list_id = bench.ai_emulator.memory, bench.lists[0]
        key, photo = ("b", "two"), decode_photo(portrait("bob"))
        faces = bench.detect(key, photo)

        def lost(*arguments: Any) -> str:
            FaceMemory.add(memory, *arguments)
            raise Refusal(500, "InternalServerError", "Oops.")

        memory.add = lost  # type: ignore[assignment,method-assign]
        with pytest.raises(RetryableError, match="Oops"):
            bench.runtime.recognizer.enrol(key, photo, faces, CALL)
        del memory.add
        bench.let_additions_age()
        bench.train()
        assert len(memory.held(list_id).faces) == 1
        pages = len(bench.asked("GET"))
        bench.maintain()
        assert len(bench.asked("GET")) == pages  # it is swept once

    def test_a_second_delivery_that_has_to_wait_forgets_nothing_of_the_first(
        self, bench: Bench
    ) -> None:
        key, photo = ("b", "one"), decode_photo(portrait("ann"))
        faces = bench.detect(key, photo)
        bench.enrol("before", portrait("bob"))
        bench.runtime.gallery.enrol(key, [])
        other = bench.instance()
        quota, memory = bench.ai_emulator.quotas["face"], bench.ai_emulator.memory
        known, added = bench.runtime.service_faces, bench.runtime.service_faces.added

        def after_another_has_waited(*arguments: Any) -> None:
            quota.admit = lambda: 1  # type: ignore[method-assign]
            with pytest.raises(Busy, match="Azure face"):
                other.recognizer.enrol(key, photo, faces, CALL)
            del quota.admit
            bench.maintain()
            added(*arguments)

        known.added = after_another_has_waited  # type: ignore[assignment,method-assign]
        bench.runtime.recognizer.enrol(key, photo, faces, CALL)
        bench.let_additions_age()
        bench.train()
        ours = bench.runtime.service_faces.read([face.face_id for face in faces if face.face_id])
        (held,) = ours.values()
        assert held.persisted_face_id in memory.held(bench.lists[0]).faces

    def test_an_erased_face_vanishes_from_the_service(self, bench: Bench) -> None:
        first = bench.enrol("first", portrait("ann"))
        bench.train()
        second = bench.enrol("second", portrait("ann", noise=3))
        bench.runtime.gallery.enrol(first[0], [])

        assert bench.match(second) == []
        bench.train()
        (left,) = bench.ai_emulator.memory.held(bench.lists[0]).faces.values()
        assert left[0] == str(second[2][0])
        assert bench.runtime.service_faces.removals(bench.lists[0], 10) == []

    def test_a_face_that_lapsed_while_its_job_waited_is_looked_at_again(self, bench: Bench) -> None:
        bench.enrol("first", portrait("ann"))
        bench.train()
        second = bench.enrol("second", portrait("ann", noise=3))
        bench.ai_emulator.memory.forget_fresh()

        assert owners(bench.match(second), bench) == {"first"}
        assert len(bench.asked("/detect")) == 3

    def test_a_fresh_face_that_lapsed_spoils_no_search(self, bench: Bench) -> None:
        for number in range(5):
            bench.enrol(f"old{number}", portrait("bob", noise=number))
        bench.ai_emulator.memory.forget_fresh()
        bench.enrol("young", portrait("ann"))
        mine = bench.enrol("mine", portrait("ann", noise=3))

        assert owners(bench.match(mine), bench) == {"young"}
        before = len(bench.ai_emulator.requests)
        assert owners(bench.match(mine), bench) == {"young"}
        assert len(bench.ai_emulator.requests) == before + 1  # who lapsed is known now

    def test_a_full_list_is_followed_by_the_next(self, bench: Bench) -> None:
        bench.ai_emulator.memory.capacity = 2
        for number in range(5):
            bench.enrol(f"ann{number}", portrait("ann", noise=number))
        lists = bench.runtime.service_faces.lists()
        assert [(each.number, each.full) for each in lists] == [(1, True), (2, True), (3, False)]
        bench.train()
        mine = bench.enrol("mine", portrait("ann", noise=50))
        assert owners(bench.match(mine), bench) == {f"ann{number}" for number in range(5)}

    def test_an_account_that_is_full_says_so(self, bench: Bench) -> None:
        bench.ai_emulator.memory.capacity = bench.ai_emulator.memory.most_lists = 1
        bench.enrol("one", portrait("ann"))
        with pytest.raises(PermanentError, match="takes no more faces"):
            bench.enrol("two", portrait("bob"))

    def test_a_list_in_training_lets_jobs_wait(self, bench: Bench) -> None:
        bench.enrol("one", portrait("ann"))
        bench.train()
        mine = bench.enrol("two", portrait("ann", noise=2))
        bench.ai_emulator.memory.training_seconds = 60
        bench.maintain()
        with pytest.raises(Busy, match="under training"):
            bench.match(mine)

    def test_faces_that_another_detector_found_are_printed_too(self, bench: Bench) -> None:
        key, photo = ("b", "one"), decode_photo(portrait("ann"))
        found = [
            face.model_copy(update={"service_face_id": None, "service_face_until": None})
            for face in bench.detect(key, photo)
        ]
        elsewhere = found[0].model_copy(
            update={
                "face_id": uuid.uuid4(),
                "face_rectangle": found[0].face_rectangle.model_copy(
                    update={"left": 0, "top": 0, "width": 20, "height": 20}
                ),
            }
        )
        prints = bench.runtime.recognizer.enrol(key, photo, [*found, elsewhere], CALL)
        assert [each.face_id for each in prints] == [found[0].face_id]

    def test_a_face_that_can_not_be_added_has_no_print(self, bench: Bench) -> None:
        key, photo = ("b", "one"), decode_photo(portrait("ann"))
        (face,) = bench.detect(key, photo)
        small = face.model_copy(
            update={
                "face_rectangle": face.face_rectangle.model_copy(
                    update={"left": 2, "top": 2, "width": 9, "height": 9}
                )
            }
        )
        assert bench.runtime.recognizer.enrol(key, photo, [small], CALL) == []
        assert bench.runtime.gallery.faces_of(key) == []


class TestErasure:
    """Nobody's print stays at the service once they are erased here, whatever happens at once."""

    def held(self, bench: Bench) -> dict[str, str]:
        """Return what the service holds: names there, with our ids."""
        lists = bench.ai_emulator.memory.names()
        return {
            name: told
            for list_id in lists
            for name, (told, _) in bench.ai_emulator.memory.held(list_id).faces.items()
        }

    def test_a_job_that_is_erased_while_its_face_is_added(self, bench: Bench) -> None:
        key, photo = ("b", "one"), decode_photo(portrait("ann"))
        faces = bench.detect(key, photo)
        known, added = bench.runtime.service_faces, bench.runtime.service_faces.added

        def erased_first(*arguments: Any) -> None:
            bench.runtime.gallery.enrol(key, [])
            added(*arguments)

        known.added = erased_first  # type: ignore[assignment,method-assign]
        bench.runtime.recognizer.enrol(key, photo, faces, CALL)
        known.added = added  # type: ignore[method-assign]
        assert len(self.held(bench)) == 1
        bench.maintain()
        assert self.held(bench) == {}

    def test_a_job_that_is_delivered_twice_at_once(self, bench: Bench) -> None:
        key, _, (face_id,) = bench.enrol("one", portrait("ann"))
        known = bench.runtime.service_faces
        memory, list_id = bench.ai_emulator.memory, bench.lists[0]
        (vector,) = [vector for _, vector in memory.held(list_id).faces.values()]
        second = memory.add(list_id, str(face_id), vector)
        addition = known.adding(face_id, list_id)
        assert addition
        known.added(addition, face_id, list_id, second)  # the other delivery's, noted later
        bench.maintain()
        assert list(self.held(bench)) == [second]

        bench.runtime.gallery.enrol(key, [])
        bench.maintain()
        assert self.held(bench) == {}

    def test_lists_of_other_installations_are_never_touched(self, bench: Bench) -> None:
        bench.ai_emulator.memory.make("imaginem-1", "another's", None)
        bench.ai_emulator.memory.add("imaginem-1", str(uuid.uuid4()), np.ones(64, np.float32))
        _, _, (face_id,) = bench.enrol("one", portrait("ann"))
        bench.runtime.service_faces.adding(face_id, bench.lists[0])
        bench.let_additions_age()
        bench.train()
        assert len(self.held(bench)) == 2

    def test_after_changing_to_the_local_engine_removals_go_on(self, bench: Bench) -> None:
        key, _, _ = bench.enrol("one", portrait("ann"))
        mixed = bench.instance(FACE_PRINT_ENGINE="local")
        mixed.gallery.enrol(key, [])
        bench.maintain(mixed)
        assert self.held(bench) == {}
        assert bench.asked("/train") == []

    def test_another_account_is_no_place_to_remove_from(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        key, _, _ = bench.enrol("one", portrait("ann"))
        moved = bench.instance(FACE_ENDPOINT=bench.server.address.replace("127.0.0.1", "localhost"))
        moved.gallery.enrol(key, [])
        with caplog.at_level(logging.ERROR):
            bench.maintain(moved)
        assert "1 erased faces are still in face lists of an account" in caplog.text
        bench.maintain()
        assert self.held(bench) == {}

    def test_one_lists_trouble_stops_no_other_lists_maintenance(self, bench: Bench) -> None:
        bench.ai_emulator.memory.capacity = 1
        bench.enrol("one", portrait("ann"))
        key, _, _ = bench.enrol("two", portrait("bob"))
        held, train = bench.ai_emulator.memory.held(bench.lists[1]), bench.ai_emulator.memory.train

        def broken(list_id: str) -> None:
            if list_id == bench.lists[0]:
                raise Refusal(500, "InternalServerError", "Oops.")
            train(list_id)

        bench.ai_emulator.memory.train = broken  # type: ignore[method-assign]
        bench.runtime.gallery.enrol(key, [])
        with pytest.raises(RetryableError, match="Oops"):
            bench.maintain()
        assert held.faces == {}

    def test_a_list_that_somebody_deleted_is_forgotten_once(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.enrol("one", portrait("ann"))
        bench.ai_emulator.memory.drop(bench.lists[0])
        bench.maintain()
        assert "run the photos of these faces again" in caplog.text
        assert bench.lists == []
        bench.enrol("one", portrait("ann"))
        assert len(self.held(bench)) == 1
        assert len(bench.asked("/persistedfaces")) == 2

    def test_a_training_that_never_ends_keeps_no_face(self, bench: Bench) -> None:
        key, _, _ = bench.enrol("one", portrait("ann"))
        bench.ai_emulator.memory.training_seconds = 1e9
        bench.maintain()
        bench.runtime.gallery.enrol(key, [])
        bench.maintain()
        assert self.held(bench) == {}

    def test_a_call_that_was_refused_makes_nobody_sweep(self, bench: Bench) -> None:
        quota = bench.ai_emulator.quotas["face"]
        key, photo = ("b", "one"), decode_photo(portrait("ann"))
        faces = bench.detect(key, photo)
        bench.enrol("before", portrait("bob"))
        quota.admit = lambda: 1  # type: ignore[method-assign]
        with pytest.raises(Busy, match="Azure face"):
            bench.runtime.recognizer.enrol(key, photo, faces, CALL)
        del quota.admit
        bench.runtime.recognizer.enrol(key, photo, faces, CALL)
        assert not bench.runtime.service_faces.cut_short(bench.lists[0], datetime.now(UTC))

    def test_a_list_that_was_full_takes_faces_again_after_an_erasure(self, bench: Bench) -> None:
        bench.ai_emulator.memory.capacity = bench.ai_emulator.memory.most_lists = 1
        key, _, _ = bench.enrol("one", portrait("ann"))
        with pytest.raises(PermanentError, match="takes no more faces"):
            bench.enrol("two", portrait("bob"))
        bench.runtime.gallery.enrol(key, [])
        bench.maintain()
        bench.enrol("two", portrait("bob"))
        assert len(self.held(bench)) == 1

    def test_an_account_with_no_room_in_any_list_says_so_without_making_more(
        self, bench: Bench
    ) -> None:
        bench.enrol("one", portrait("ann"))
        bench.ai_emulator.memory.capacity = 0
        for number in range(3):
            with pytest.raises(PermanentError, match="takes no more faces"):
                bench.enrol(f"two{number}", portrait("bob"))
        assert len(bench.ai_emulator.memory.names()) == 2

    def test_a_list_that_is_not_there_yet_is_tried_again_later(self, bench: Bench) -> None:
        memory = bench.ai_emulator.memory
        memory.make = lambda *_: None  # type: ignore[method-assign]
        with pytest.raises(RetryableError, match="is not there yet"):
            bench.enrol("one", portrait("ann"))
        del memory.make
        bench.enrol("one", portrait("ann"))
        assert len(self.held(bench)) == 1

    def test_a_list_that_lost_its_training_is_trained_again(self, bench: Bench) -> None:
        first = bench.enrol("first", portrait("ann"))
        bench.train()
        second = bench.enrol("second", portrait("ann", noise=3))
        bench.ai_emulator.memory.held(bench.lists[0]).trained = None
        assert bench.match(second) == []
        bench.train()
        assert owners(bench.match(second), bench) == {"first"}
        assert [each.full for each in bench.runtime.service_faces.lists()] == [False]
        assert first[2]

    def test_a_face_of_another_account_is_added_to_this_one(self, bench: Bench) -> None:
        key, photo, _ = bench.enrol("one", portrait("ann"))
        moved = bench.instance(FACE_ENDPOINT=bench.server.address.replace("127.0.0.1", "localhost"))
        moved.recognizer.enrol(key, photo, bench.detect(key, photo, moved), CALL)
        assert len(self.held(bench)) == 2
        bench.maintain()
        assert len(self.held(bench)) == 1

    def test_a_list_that_is_gone_stops_no_job(self, bench: Bench) -> None:
        bench.enrol("one", portrait("ann"))
        bench.train()
        bench.ai_emulator.memory.drop(bench.lists[0])
        second = bench.enrol("two", portrait("ann", noise=3))
        assert owners(bench.match(second), bench) == {"one"}  # by its fresh id, for a day
        bench.ai_emulator.memory.forget_fresh()
        third = bench.enrol("three", portrait("ann", noise=6))
        assert owners(bench.match(third), bench) == set()
        bench.train()
        assert owners(bench.match(third), bench) == {"two"}


class TestGrid:
    """Several photos in one call; the emulator's engine finds one face, in the middle."""

    def look(self, runtime: Runtime, count: int, **more: bool) -> FacesOfMany:
        photos = [PhotoOfMany(partial(decode_photo, portrait(str(n))), CALL) for n in range(count)]
        return faces_in_many(runtime.faces, photos, **more)

    def test_a_grid_of_photos_is_one_call(self, bench: Bench) -> None:
        found = self.look(bench.instance(FACE_GRID="3x1"), 3)

        assert len(bench.asked("")) == len(bench.asked("/detect")) == 1
        assert [len(each.faces) for each in found if isinstance(each, FacesOfOne)] == [0, 1, 0]
        assert isinstance(found[1], FacesOfOne)
        assert found[1].faces[0].face_rectangle.left == pytest.approx(125, abs=2)

    def test_without_a_grid_each_photo_has_its_call(self, bench: Bench) -> None:
        self.look(bench.runtime, 2)
        assert len(bench.asked("/detect")) == 2

    def test_ids_come_with_the_faces_of_a_grid(self, bench: Bench) -> None:
        seen = self.look(bench.instance(FACE_GRID="3x1"), 3, for_recognition=True)[1]

        assert isinstance(seen, FacesOfOne)
        assert seen.faces[0].service_face_id is not None
        assert len(bench.asked("/detect")) == 1

    def test_a_service_without_room_lets_all_photos_wait(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, AiEmulatorOptions(key=KEY, per_second=1), FACE_GRID="3x1")
        try:
            self.look(bench.runtime, 3)
            found = self.look(bench.runtime, 3)
            assert [type(each) for each in found] == [Busy] * 3
            assert len(bench.asked("/detect")) == 2
        finally:
            bench.close()


class TestLimitedAccess:
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        made = Bench(tmp_path, AiEmulatorOptions(key=KEY, limited_access=False))
        yield made
        made.close()

    def test_faces_are_still_detected_and_the_reason_is_told(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        key, photo = ("b", "one"), decode_photo(portrait("ann"))
        with caplog.at_level(logging.WARNING):
            faces = bench.detect(key, photo)
            bench.detect(key, photo)

        assert len(faces) == 1
        assert faces[0].service_face_id is None
        assert len(bench.asked("/detect")) == 3  # it was asked for ids once
        assert "Limited Access" in caplog.text
        with pytest.raises(LimitedAccess, match="FACE_PRINT_ENGINE=local"):
            bench.runtime.recognizer.enrol(key, photo, faces, CALL)

    def test_faces_of_several_photos_are_still_detected(self, bench: Bench) -> None:
        grid = bench.instance(FACE_GRID="3x1")
        photos = [PhotoOfMany(partial(decode_photo, portrait("ann")), CALL)] * 3
        found = faces_in_many(grid.faces, photos, for_recognition=True)

        assert isinstance(found[1], FacesOfOne)
        assert found[1].faces[0].service_face_id is None
        assert len(bench.asked("/detect")) == 2  # it was asked for ids once

    def test_matching_can_be_done_here_instead(self, bench: Bench) -> None:
        mixed = bench.instance(FACE_PRINT_ENGINE="local")
        assert mixed.faces.detect(decode_photo(portrait("ann")), CALL, for_recognition=True)
        assert len(bench.asked("/detect")) == 1


class TestRefusals:
    def test_a_wrong_key_can_be_mended_and_names_the_setting(self, bench: Bench) -> None:
        wrong = bench.instance(VISION_API_KEY="other", FACE_API_KEY="other")
        photo = decode_photo(portrait("ann"))
        for name, call in (
            ("VISION", lambda: wrong.vision.analyze(photo, CALL)),
            ("VISION", lambda: wrong.ocr.read(photo, CALL)),
            ("FACE", lambda: wrong.faces.detect(photo, CALL)),
        ):
            with pytest.raises(RetryableError, match=f"{name}_API_KEY") as told:
                call()
            assert "other" not in str(told.value)

    def test_an_address_where_no_service_answers_can_be_mended_and_names_the_setting(
        self, bench: Bench
    ) -> None:
        elsewhere = f"{bench.server.address}/portal"
        nowhere = "http://no-such-account.invalid"
        photo = decode_photo(portrait("ann"))
        for address, said in ((elsewhere, "Resource not found"), (nowhere, "no usable answer")):
            wrong = bench.instance(VISION_ENDPOINT=address, FACE_ENDPOINT=address)
            for name, call in (
                ("VISION", partial(wrong.vision.analyze, photo, CALL)),
                ("VISION", partial(wrong.ocr.read, photo, CALL)),
                ("FACE", partial(wrong.faces.detect, photo, CALL)),
            ):
                with pytest.raises(RetryableError, match=f"{said}.*{name}_ENDPOINT"):
                    call()

    def test_calls_of_the_month_that_are_used_up_are_waited_for_by_all(self, bench: Bench) -> None:
        paced = {"VISION_CALLS_PER_SECOND": "100", "FACE_CALLS_PER_SECOND": "100"}
        one, other = bench.instance(**paced), bench.instance(**paced)
        photo = decode_photo(portrait("ann"))
        for quota in bench.ai_emulator.quotas.values():
            quota.filled_in = 100_000
        for runtime in (one, other):
            for call in (
                partial(runtime.vision.analyze, photo, CALL),
                partial(runtime.faces.detect, photo, CALL),
            ):
                with pytest.raises(Busy, match=r"[Qq]uota") as told:
                    call()
                assert told.value.retry_after == pytest.approx(100_000, abs=60)
        assert len(bench.ai_emulator.requests) == 2

    def test_a_result_that_is_gone_is_read_again_later(self, bench: Bench) -> None:
        bench.ai_emulator.vision._readings = Forgetful()
        engine = impatient_ocr(bench)
        with pytest.raises(RetryableError, match="does not know the operation") as told:
            engine.read(decode_photo(portrait("ann")), CALL)
        assert "ENDPOINT" not in str(told.value)

    def test_a_reading_that_takes_long_is_paid_once(self, bench: Bench) -> None:
        done, read = threading.Event(), bench.engines.read

        def slowly(photo: Photo, call: CallContext) -> OcrText:
            done.wait(30)
            return read(photo, call)

        bench.engines.read = slowly  # type: ignore[method-assign]
        photo = decode_photo(portrait("ann"))
        with pytest.raises(RetryableError, match="no result within 90 s"):
            impatient_ocr(bench).read(photo, CALL)
        done.set()
        assert bench.runtime.ocr.read(photo, CALL).full_text == "two words"
        assert len(bench.asked("/read/analyze?")) == 1

    def test_a_refusal_keeps_the_services_code(self, bench: Bench) -> None:
        bench.ai_emulator.vision._analyze = _refuse_everything  # type: ignore[method-assign,assignment]
        bench.server.stop()
        bench.server.start()
        with pytest.raises(ServiceRefused, match="InvalidImageFormat"):
            bench.runtime.vision.analyze(decode_photo(portrait("ann")), CALL)

    def test_too_many_calls_hold_everybody_off_and_cost_no_try(self, tmp_path: Path) -> None:
        bench = Bench(
            tmp_path, AiEmulatorOptions(key=KEY, per_second=2), FACE_CALLS_PER_SECOND="100"
        )
        photo = decode_photo(portrait("ann"))
        try:
            with pytest.raises(Busy, match="Azure face detect") as told:
                for _ in range(5):
                    bench.runtime.faces.detect(photo, CALL)
            assert told.value.retry_after == 1
            other = bench.instance(FACE_CALLS_PER_SECOND="100")
            began = time.monotonic()
            other.faces.detect(photo, CALL)
            assert time.monotonic() - began > 0.7
        finally:
            bench.close()

    def test_a_service_that_is_away_is_tried_again_later(self, bench: Bench) -> None:
        bench.server.stop()
        photo = decode_photo(portrait("ann"))
        for call in (
            lambda: bench.runtime.vision.analyze(photo, CALL),
            lambda: bench.runtime.ocr.read(photo, CALL),
            lambda: bench.runtime.faces.detect(photo, CALL),
        ):
            with pytest.raises(RetryableError, match="no usable answer") as told:
                call()
            assert not isinstance(told.value, Busy)
            assert (told.value.retry_after or 0) >= 10
        bench.server.start()
        assert bench.runtime.faces.detect(photo, CALL)

    def test_reading_goes_on_when_asking_for_the_result_fails_for_a_while(
        self, bench: Bench
    ) -> None:
        quota = bench.ai_emulator.quotas["vision"]
        admitted = iter([0, 1, 1, 0])
        quota.admit = lambda: next(admitted, 0)  # type: ignore[method-assign]
        assert bench.runtime.ocr.read(decode_photo(portrait("ann")), CALL).full_text == "two words"
        assert len(bench.asked("/read/analyze?")) == 1


def impatient_ocr(bench: Bench) -> AzureOcr:
    """Return an engine for which 31 seconds pass between two looks at the clock."""
    service = Service("vision", Pacer(bench.shared_state, "vision", 0), bench.runtime.telemetry)
    clock = itertools.count(0, 31).__next__
    return AzureOcr(
        make_vision_client(bench.runtime.settings.vision, lambda: pytest.fail("no key")),
        Operations(service, service, bench.shared_state, clock=clock, sleep=lambda seconds: None),
        tier="S1",
    )


class Forgetful(dict[str, Any]):
    """Keeps nothing."""

    def __setitem__(self, key: str, value: Any) -> None:
        pass


async def _refuse_everything(request: object) -> object:
    from imaginem.ai_emulator.refusals import bad_image

    raise bad_image("InvalidImageFormat", "Input data is not a valid image.")
