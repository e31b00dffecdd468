"""A photo or a message that a caller sends becomes a job."""

import json
from dataclasses import replace
from typing import Any

import pytest

from imaginem.errors import InvalidMessage, NotFound
from imaginem.memory.batches import MemoryBatches
from imaginem.names import blob_segment
from imaginem.pipeline.steps import default_registry
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.admission import Admission
from imaginem.usecases.intake import Upload, receive_message, receive_photo
from tests.dashboard import PIPELINE, web_services

ANN = Caller("Ann", "caseworker", frozenset({"red-group"}))
BOB = Caller("Bob", "caseworker")
UPLOAD = Upload("b", photo_bytes, "a b.png", pipeline=["ocr"])


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


def receive(services: MemoryServices, caller: Caller = EVERYTHING, **changes: Any) -> Admission:
    return receive_photo(services, default_registry, replace(UPLOAD, **changes), caller)


def queued(services: MemoryServices, queue: str) -> list[dict[str, Any]]:
    return [json.loads(item.body) for item in services.queues.receive(queue, 32, 30)]


def no_photo() -> bytes:
    raise InvalidMessage("this is no photo")


class TestReceivePhoto:
    def test_a_job_is_named_after_name_and_content(self, services: MemoryServices) -> None:
        one = receive(services)
        other = receive(services, read=lambda: photo_bytes(color="red"))
        assert one.key[1].startswith("a-b.png-")
        assert other.key != one.key
        assert receive(services, job_id="mine").key == ("b", "mine")

    def test_without_any_pipeline_the_remedy_is_named_and_nothing_is_kept(self) -> None:
        services = MemoryServices()
        with pytest.raises(InvalidMessage, match="pipeline: name one step at least"):
            receive(services, pipeline=())
        assert services.blobs.list("inputimages", "") == []

    def test_folders_and_lone_surrogates_in_a_name_do_no_harm(
        self, services: MemoryServices
    ) -> None:
        receive(services, filename="C:\\photos\\x\ud800.png", job_id="one")
        receive(services, filename="", job_id="two")
        sent = services.submissions.submissions("b")
        assert sent["one"].parameters["original_name"] == "x?.png"
        assert sent["two"].parameters["original_name"] == "photo"

    @pytest.mark.parametrize(
        ("wanted", "steps"),
        [
            ((), list(PIPELINE)),
            (("facecrop",), ["facedetection", "facecrop"]),
        ],
    )
    def test_a_pipeline_gets_what_its_steps_need(
        self, services: MemoryServices, wanted: tuple[str, ...], steps: list[str]
    ) -> None:
        receive(services, pipeline=wanted)
        (message,) = queued(services, steps[0])
        assert message["job_definition"]["processing_pipeline"] == steps

    def test_a_raw_pipeline_is_taken_as_it_is_given(self, services: MemoryServices) -> None:
        wanted = ("facecrop", "outside", "ocr")
        receive(services, pipeline=wanted, raw=True)
        (message,) = queued(services, "facecrop")
        assert tuple(message["job_definition"]["processing_pipeline"]) == wanted

    @pytest.mark.parametrize(
        ("changes", "error", "reason"),
        [
            ({"group": "red-group"}, InvalidMessage, "you are not in this group"),
            ({"pipeline": ["ocrr"]}, InvalidMessage, "did you mean ocr?"),
        ],
    )
    def test_what_is_refused_is_not_even_read(
        self, services: MemoryServices, changes: dict[str, Any], error: type[Exception], reason: str
    ) -> None:
        services.batches.open_batch("red", "red-group")
        with pytest.raises(error, match=reason):
            receive(services, BOB, read=lambda: pytest.fail("read"), **changes)
        assert services.batches.batch("b") is None
        assert services.blobs.list("inputimages", "") == []

    @pytest.mark.parametrize("group", ["", "blue-group"])
    def test_a_batch_that_another_group_took_meanwhile_stays_hidden(
        self, services: MemoryServices, group: str
    ) -> None:
        class Late(MemoryBatches):
            def open_batch(self, batch_id: str, group: str = "") -> str:
                services.database.note_batch(batch_id, "red-group")
                return super().open_batch(batch_id, group)

        services.batches = Late(services.database)
        bob = replace(BOB, groups=frozenset({"blue-group"}))
        with pytest.raises(NotFound, match="there is no batch b"):
            receive(services, bob, group=group)
        assert services.blobs.list("inputimages", "") == []

    @pytest.mark.parametrize(
        "wrong", [{"read": no_photo}, {"job_id": "x" * 600}, {"pipeline": ["ocr", "a/b"]}]
    )
    def test_what_is_wrong_with_a_photo_tells_nothing_of_its_batch(
        self, services: MemoryServices, wrong: dict[str, Any]
    ) -> None:
        services.batches.open_batch("hidden", "red-group")
        told = []
        for batch_id in ("hidden", "absent"):
            with pytest.raises(InvalidMessage) as refused:
                receive(services, BOB, batch_id=batch_id, **wrong)
            told.append(str(refused.value))
        assert told[0] == told[1]
        assert services.batches.batch("absent") is None

    def test_the_first_photo_says_whose_the_batch_is(self, services: MemoryServices) -> None:
        receive(services, ANN, group="red-group")
        assert services.batches.groups_of(["b"]) == {"b": "red-group"}


class TestReceiveMessage:
    def message(self, **definition: Any) -> dict[str, Any]:
        usual = {
            "id": "one",
            "batch_id": "b",
            "input": {"image_url": "https://example.org/a.jpg"},
            "processing_pipeline": ["ocr"],
        }
        return {"job_definition": {**usual, **definition}}

    def send(
        self, services: MemoryServices, message: dict[str, Any], caller: Caller = BOB
    ) -> Admission:
        return receive_message(services, default_registry, message, caller)

    def test_it_is_on_its_queue_without_what_imaginem_notes_for_itself(
        self, services: MemoryServices
    ) -> None:
        sent = self.send(services, self.message(_imaginem={"fence": "forged"}))
        assert sent.key == ("b", "one")
        (message,) = queued(services, "ocr")
        assert "forged" not in json.dumps(message)
        submission = services.submissions.submission(("b", "one"))
        assert submission is not None and submission.run == sent.run

    @pytest.mark.parametrize(
        ("definition", "error", "reason"),
        [
            ({"batch_id": "red"}, NotFound, "there is no batch red"),
            ({"processing_pipeline": ["ocrr"]}, InvalidMessage, "did you mean ocr?"),
            ({"id": ""}, InvalidMessage, "job_definition.id"),
            ({"own": "\ud800"}, InvalidMessage, "an unpaired surrogate"),
        ],
    )
    def test_what_is_refused_leaves_nothing_behind(
        self,
        services: MemoryServices,
        definition: dict[str, Any],
        error: type[Exception],
        reason: str,
    ) -> None:
        services.batches.open_batch("red", "red-group")
        with pytest.raises(error, match=reason):
            self.send(services, self.message(**definition))
        assert services.queues.names() == []
        assert services.batches.batch("b") is None

    def test_a_photo_of_another_batch_is_not_looked_at(self, services: MemoryServices) -> None:
        url = services.blobs.put(
            "inputimages", f"{blob_segment('red')}/x", photo_bytes(), "image/png"
        )
        with pytest.raises(InvalidMessage, match="own batch"):
            self.send(services, self.message(input={"image_url": url}))
