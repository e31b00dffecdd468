"""Whom an engine is called for shows in traces and log lines, and in metrics as far as it may."""

import json
import logging
from dataclasses import replace

import pytest

from imaginem.engines.azure.calls import Refused, Service
from imaginem.engines.logs import logger_for
from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.ports import FACE_SEARCH, CallContext
from imaginem.testing import MemoryServices, MemorySharedState, job_for, photo_bytes
from steps.facedetection import facedetection
from steps.facematch import facematch
from steps.faceprint import faceprint
from steps.generalclassification import generalclassification
from steps.ocr import ocr
from tests.recording_telemetry import RecordingTelemetry

CALL = CallContext("batch-1", "job-1", "ocr")


def service(telemetry: RecordingTelemetry) -> Service:
    return Service("vision", Pacer(MemorySharedState(), "vision", 0), telemetry)


def test_a_call_for_a_job_has_step_and_job_in_its_span_and_only_the_step_in_metrics() -> None:
    telemetry = RecordingTelemetry()
    with service(telemetry).call("read", CALL):
        pass

    ((name, attributes, _),) = telemetry.spans
    labels = {"service": "vision", "operation": "read", "step": "ocr"}
    assert name == "vision read"
    assert attributes == {**labels, "batch_id": "batch-1", "job_id": "job-1"}
    assert telemetry.metrics == {
        "imaginem.calls": [{**labels, "outcome": "ok"}],
        "imaginem.call.seconds": [labels],
        "imaginem.cost": [labels],
    }


def test_a_call_for_a_later_page_waits_for_a_quota_that_a_first_one_goes_back_for() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pacer = Pacer(MemorySharedState(), "vision", 1.0, clock=lambda: now[0], sleep=sleep)
    account = Service("vision", pacer, RecordingTelemetry())
    pacer.hold_off(60.0)

    with pytest.raises(Busy), account.call("read", CALL):
        pass
    with account.call("read", replace(CALL, continues=True)):
        pass
    assert sum(slept) >= 60


def test_a_call_that_belongs_to_no_job_names_its_purpose_and_no_job() -> None:
    telemetry = RecordingTelemetry()
    with service(telemetry).call("read", FACE_SEARCH):
        pass

    ((_, attributes, _),) = telemetry.spans
    assert attributes == {"service": "vision", "operation": "read", "step": "face search"}


def test_a_call_that_is_refused_is_counted_for_its_step_too() -> None:
    telemetry = RecordingTelemetry()
    with pytest.raises(PermanentError), service(telemetry).call("read", CALL):
        raise Refused(400, ("InvalidImage",), "no", None)

    (labels,) = telemetry.metrics["imaginem.calls"]
    assert (labels["step"], labels["outcome"]) == ("ocr", "400")
    assert "imaginem.cost" not in telemetry.metrics


def test_log_lines_of_engines_name_the_job(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logger_for(logging.getLogger("imaginem.engines.local"), CALL).info("2 faces")
        logger_for(logging.getLogger("imaginem.engines.local"), FACE_SEARCH).info("1 face")

    of_job, of_person = (vars(record) for record in caplog.records)
    assert [of_job[name] for name in ("batch_id", "job_id", "step")] == ["batch-1", "job-1", "ocr"]
    assert of_person["step"] == "face search"
    assert "job_id" not in of_person


def test_every_step_tells_its_engine_whom_it_calls_for() -> None:
    class Listener:
        """Stands before each engine and keeps the call contexts."""

        def __init__(self, engine: object) -> None:
            self._engine = engine

        def __getattr__(self, name: str) -> object:
            found = getattr(self._engine, name)
            if not callable(found):
                return found

            def listen(*arguments: object, **more: object) -> object:
                calls.extend(part for part in arguments if isinstance(part, CallContext))
                return found(*arguments, **more)

            return listen

    calls: list[CallContext] = []
    services = MemoryServices()
    for name in ("vision", "ocr", "faces", "recognizer"):
        setattr(services, name, Listener(getattr(services, name)))
    job = job_for(photo_bytes(), services=services)
    generalclassification(job)
    ocr(job)
    faces = facedetection(job).model_dump(mode="json")
    prints = faceprint(job_for(services=services, outputs={"facedetection": faces}))
    facematch(job_for(services=services, outputs={"faceprint": prints.model_dump(mode="json")}))

    assert calls == [CallContext("batch-1", "job-1", "steptotest")] * 5


def test_an_answer_that_is_nested_too_deeply_is_no_usable_answer() -> None:
    calling = service(RecordingTelemetry()).call("read", CALL)
    with pytest.raises(RetryableError, match="no usable answer"), calling:
        json.loads("[" * 100_000)
