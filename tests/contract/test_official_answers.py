"""Answers that Microsoft's specifications and pages show, through the real SDKs and our engines.

The answers come from a small HTTP server; see `tests/answering.py` and `tests/contract/responses/`.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from imaginem.config.settings import Settings, read_settings
from imaginem.engines.azure.calls import Service
from imaginem.engines.azure.content_client import OwnAnalyzer, content_client
from imaginem.engines.azure.content_understanding import ContentVision
from imaginem.engines.azure.document_intelligence import DocumentOcr, read_client
from imaginem.engines.azure.face_service import FaceService, face_clients
from imaginem.engines.azure.faces import AzureFaces
from imaginem.engines.azure.ocr import AzureOcr
from imaginem.engines.azure.operations import Operations
from imaginem.engines.azure.payload import Payload
from imaginem.engines.azure.vision import AzureVision
from imaginem.engines.azure.vision_client import make_vision_client
from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy, ImaginemError, PermanentError, RetryableError
from imaginem.images.decoding import decode_photo
from imaginem.outputs import Face, Rectangle
from imaginem.pipeline.process import Delivery, transition
from imaginem.pipeline.steps import Registry
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices, MemorySharedState, message_for, photo_bytes
from steps.generalclassification import generalclassification
from tests.answering import (
    Answer,
    AnsweringServer,
    Example,
    RefusalExample,
    place,
    spoiled,
    variants,
)
from tests.contract.responses import (
    analyze,
    contents,
    document_read,
    face_errors,
    face_lists,
    faces,
    read,
    vision_errors,
)
from tests.recording_telemetry import RecordingTelemetry

EXAMPLES = [
    *analyze.EXAMPLES,
    *read.EXAMPLES,
    *faces.EXAMPLES,
    *face_lists.EXAMPLES,
    *document_read.EXAMPLES,
    *contents.EXAMPLES,
]
REFUSALS = [
    *vision_errors.REFUSALS,
    *face_errors.REFUSALS,
    *document_read.REFUSALS,
    *contents.REFUSALS,
]
SERVICES = ("vision", "face", "documentintelligence", "contentunderstanding")
BEGINNINGS = tuple(f"Azure {service} " for service in SERVICES)
# What comes before the answer that makes no sense.
BEFORE = {
    "read": (read.SENT,),
    "document": (document_read.SENT,),
    "content": (contents.READY, contents.SENT),
}
KEY = "the-key-that-nobody-may-read"
CALL = CallContext("batch", "job", "ocr")
PHOTO = decode_photo(photo_bytes(400, 300))
SENT = Payload(b"a photo", 400, 300)
FACE_ID = "0c1d2e3f-4a5b-4c6d-8e7f-8091a2b3c4d5"


class Clock:
    """Seconds that pass while somebody sleeps, and only then."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def settings_of(server: AnsweringServer) -> dict[str, str]:
    return {
        f"{service.upper()}_{name}": value
        for service in SERVICES
        for name, value in {"ENDPOINT": server.address, "API_KEY": KEY}.items()
    }


class Bench:
    """The engines of all accounts, with a server that answers as it is told."""

    def __init__(self, server: AnsweringServer) -> None:
        self.server = server
        settings = read_settings(settings_of(server))
        clock = Clock()
        client = make_vision_client(settings.vision, lambda: pytest.fail("a key is set"))
        clients = face_clients(settings.face, lambda: pytest.fail("a key is set"))
        vision, face = (self._service(name) for name in ("vision", "face"))
        self.vision = AzureVision(client, vision)
        operations = Operations(
            vision, vision, MemorySharedState(), clock=clock, sleep=clock.sleep, now=clock
        )
        self._ocr = AzureOcr(client, operations, tier="S1")
        self._face = FaceService(clients, face)
        self._faces = AzureFaces(self._face, recognition_at_azure=True, clock=clock)
        where, ours = Rectangle(left=10, top=10, width=40, height=40), uuid.UUID(FACE_ID)
        self._operations: dict[str, Callable[[], Any]] = {
            "analyze": lambda: self.vision.analyze(PHOTO, CALL),
            "read": lambda: self._ocr.read(PHOTO, CALL),
            "detect": lambda: self._faces.detect(PHOTO, CALL, for_recognition=True),
            "similar": lambda: self._face.similar_faces(FACE_ID, [FACE_ID], CALL),
            "similar in list": lambda: self._face.similar_in_list(FACE_ID, "list", 5, CALL),
            "make list": lambda: self._face.make_list("list", CALL),
            "add": lambda: self._face.add("list", SENT, where, ours, CALL, ready=lambda: None),
            "remove": lambda: self._face.remove("list", FACE_ID, CALL),
            "page": lambda: self._face.page("list", "", CALL),
            "train": lambda: self._face.train("list", CALL),
            "training": lambda: self._face.training("list", CALL),
            **self._successors(settings, clock),
        }

    def _successors(self, settings: Settings, clock: Clock) -> dict[str, Callable[[], Any]]:
        """Return how the newer engines are asked: fresh ones each time, which remember nothing."""

        def operations(service: Service) -> Operations:
            shared = MemorySharedState()
            return Operations(service, service, shared, clock=clock, sleep=clock.sleep)

        documents, contents = (self._service(name) for name in SERVICES[2:])
        reader = read_client(settings.documentintelligence, lambda: pytest.fail("a key is set"))
        looker = content_client(settings.contentunderstanding, lambda: pytest.fail("a key is set"))

        def read_document() -> Any:
            return DocumentOcr(reader, operations(documents), tier="S0").read(PHOTO, CALL)

        def look_at_content() -> Any:
            analyzer = OwnAnalyzer(looker, contents, "gpt-5.2", clock=clock, sleep=clock.sleep)
            engine = ContentVision(looker, operations(contents), analyzer, None)
            return engine.analyze(PHOTO, CALL)

        return {"document": read_document, "content": look_at_content}

    def _service(self, name: str) -> Service:
        return Service(name, Pacer(MemorySharedState(), name, 0), RecordingTelemetry())

    def ask(self, operation: str, *answers: Answer) -> Any:
        """Let the engine make its calls, and return what it makes of the answers."""
        self.server.give(*answers)
        return self._operations[operation]()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with AnsweringServer() as server:
        yield Bench(server)


def _dumped(value: Any) -> Any:
    """Return an engine's result as it is kept, and see that it can be read again."""
    if isinstance(value, BaseModel):
        kept = value.model_dump(mode="json", exclude_none=True)
        assert type(value).model_validate(json.loads(json.dumps(kept, allow_nan=False))) == value
        return kept
    return [_dumped(item) for item in value] if isinstance(value, list) else value


def _name(example: Example | RefusalExample) -> str:
    return example.source.rpartition("/")[2]


def test_each_example_names_a_source_of_its_own() -> None:
    sources = [example.source for example in EXAMPLES]
    sources += [refusal.source for refusal in REFUSALS]

    assert len(set(sources)) == len(sources) >= 60


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_an_official_answer_is_understood(bench: Bench, example: Example) -> None:
    result = _dumped(bench.ask(example.operation, *example.before, example.answer))

    for where, expected in example.expected.items():
        assert place(result, where) == expected, where


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_an_answer_that_lacks_a_field_or_knows_more_is_still_an_answer(
    bench: Bench, example: Example
) -> None:
    answer = example.answer
    if isinstance(answer.body, bytes):
        return
    for what, body in variants(answer.body, example.essential):
        changed = replace(answer, body=body)
        try:
            _dumped(bench.ask(example.operation, *example.before, changed))
        except Exception as problem:
            raise AssertionError(f"{what}: {problem!r}") from problem


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.essential], ids=_name)
def test_an_answer_without_what_it_is_for_is_a_clear_error(bench: Bench, example: Example) -> None:
    for what, body in spoiled(example.answer.body, example.essential):
        with pytest.raises(ImaginemError) as told:
            bench.ask(example.operation, *example.before, replace(example.answer, body=body))
        assert isinstance(told.value, PermanentError | RetryableError), what
        assert str(told.value).startswith(BEGINNINGS), what


def _refusal(bench: Bench, refusal: RefusalExample, answer: Answer) -> ImaginemError:
    """Return our error for an answer; it begins with the service and tells no secret."""
    with pytest.raises(ImaginemError) as told:
        bench.ask(refusal.operation, *refusal.before, answer)
    assert str(told.value).startswith((*BEGINNINGS, "this Face account "))
    assert KEY not in str(told.value)
    return told.value


@pytest.mark.parametrize("refusal", REFUSALS, ids=_name)
def test_an_official_error_says_what_to_do(bench: Bench, refusal: RefusalExample) -> None:
    error = _refusal(bench, refusal, refusal.answer)

    assert type(error) is refusal.error
    assert refusal.says in str(error)
    if refusal.retry_after is not None:
        assert isinstance(error, RetryableError)
        assert error.retry_after == refusal.retry_after


@pytest.mark.parametrize("refusal", REFUSALS, ids=_name)
def test_an_error_whose_body_says_less_is_still_an_error(
    bench: Bench, refusal: RefusalExample
) -> None:
    if refusal.answer.status == HTTPStatus.OK:
        return
    for _, body in variants(refusal.answer.body, frozenset()):
        _refusal(bench, refusal, replace(refusal.answer, body=body))
    for body in (b"", b"<html>", b"null", b"[]", b'"text"'):
        _refusal(bench, refusal, replace(refusal.answer, body=body))


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b'{"cut', b"null", b'"no"', b"7"])
@pytest.mark.parametrize(
    "operation",
    [
        *("analyze", "read", "detect", "similar", "similar in list", "add", "page"),
        *("document", "content"),
    ],
)
def test_an_answer_that_makes_no_sense_is_tried_again_and_names_the_address(
    bench: Bench, operation: str, body: bytes
) -> None:
    before = BEFORE.get(operation, ())
    with pytest.raises(RetryableError, match="_ENDPOINT and the network") as told:
        bench.ask(operation, *before, Answer(body))
    assert not isinstance(told.value, Busy)
    assert KEY not in str(told.value)


def _states(bench: Bench, answer: Answer) -> tuple[list[str], int]:
    """Deliver a job's message until it is not tried again; return its states and the paid calls."""
    services = MemoryServices(vision=bench.vision)
    registry = Registry()
    registry.add(generalclassification)
    url = services.blobs.put("inputimages", "batch-1/photo", photo_bytes(), "image/png")
    body = message_for(url, ["generalclassification"]).encode()
    bench.server.give(answer)
    states = ["retrying"]
    while states[-1] == "retrying":
        delivery = Delivery(body, str(len(states)))
        moved = transition(generalclassification, delivery, services, registry)
        states.append(moved.state)
        body = moved.outgoing.body if moved.outgoing else ""
    return states[1:], len(bench.server.requests)


def test_an_answer_that_lacks_confidences_and_names_is_paid_once(bench: Bench) -> None:
    assert _states(bench, Answer({"tags": [{"name": "tent"}, {}], "objects": [{}]})) == (
        ["success"],
        1,
    )


def test_answers_that_never_make_sense_are_not_paid_without_end(bench: Bench) -> None:
    states, paid = _states(bench, Answer(b"<html>"))

    assert states == ["retrying"] * 4 + ["failed"]
    assert paid == 5  # MAX_ATTEMPTS


def test_a_face_without_the_id_that_was_asked_for_is_not_like_nobody(
    bench: Bench, tmp_path: Path
) -> None:
    settings = {**settings_of(bench.server), "FACE_ENGINE": "azure", "IMAGINEM_HOME": str(tmp_path)}
    runtime = Runtime(read_settings(settings))
    runtime.made["shared_state"] = MemorySharedState()
    where = {"left": 100, "top": 80, "width": 60, "height": 60}
    bench.server.give(Answer([{"faceRectangle": where}]))

    with pytest.raises(PermanentError, match="no id of a face"):
        runtime.recognizer.search(PHOTO, [Face(face_rectangle=Rectangle(**where))], CALL)
    runtime.database.close()
