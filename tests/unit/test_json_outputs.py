"""What JSON can't carry fails its step with the field's name, whichever way the job goes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field, field_serializer

from imaginem import JobContext, StepOutput, step
from imaginem.errors import PermanentError
from imaginem.memory.engines import FakeOcr
from imaginem.outputs import OcrText, TextLine, Word
from imaginem.pipeline.json_outputs import json_of
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, Fusion
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all
from steps.ocr import ocr
from steps.pipelineoutput import pipelineoutput
from tests.workbench import KEY

NAN = float("nan")
WAYS = pytest.mark.parametrize("fusion", [Fusion(), Fusion(every=True)], ids=["queues", "fused"])


class Part(BaseModel):
    score: float = 0.0


class Anything(StepOutput):
    parts: list[Part] = Field(default_factory=list)
    scores: dict[str, float] = Field(default_factory=dict)
    raw: bytes = b""
    anything: Any = None


class Odd(StepOutput):
    """Has a serializer of its author's own, with a defect."""

    ratio: float = 0.0

    @field_serializer("ratio")
    def _told(self, value: float) -> float:
        return 1 / value


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (Anything(parts=[Part(), Part(score=NAN)]), "parts.1.score is nan, which JSON does not"),
        (Anything(scores={"sharp": float("-inf")}), "scores.sharp is -inf, which JSON does not"),
        (Anything(anything={"deep": [NAN]}), "anything.deep.0 is nan, which JSON does not have"),
        (Anything(raw=b"\xff\xfe"), "raw has bytes that are no text in UTF-8: return them as bas"),
        (Anything(anything="\ud83d"), "anything has an unpaired surrogate"),
        (Anything(anything={"\ud83d": 1.0}), "a key of anything has an unpaired surrogate"),
        (Anything(anything=10**400), "anything is a whole number above 1.8e308: return it as te"),
        (Anything(anything=10**5000), "anything is a whole number above 1.8e308"),
        (Anything(anything=nested(100)), "is nested more than 100 deep: return fewer levels"),
        (Anything(anything=nested(3000)), "is nested more than 100 deep"),
        (Anything(anything=object()), "anything can't be written as JSON (Unable to serialize"),
        (Odd(), "ratio can't be written as JSON (Error calling function"),
    ],
)
def test_the_field_is_named_and_what_to_do(output: StepOutput, told: str) -> None:
    with pytest.raises(PermanentError) as problem:
        json_of("blurriness", output)
    assert str(problem.value).startswith("the output of blurriness: ")
    assert told in str(problem.value)


def test_an_output_that_no_link_may_lead_to_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imaginem.pipeline.json_outputs.LINKED_LIMIT", 20)
    with pytest.raises(
        PermanentError, match=r"the output of ocr takes \d+ bytes, and 20 are allow"
    ):
        json_of("ocr", Anything(anything="a" * 25))


@pytest.mark.parametrize(
    "anything",
    [
        *(10**300, 2**64, -(2**64), "", [], {"1": None}, nested(98), "a\0b", 1e-320, -0.0),
        *("7" * 400, "NaN", "-Infinity", "[" * 300, "]{[", ["[" * 300, "}"]),
    ],
)
def test_what_json_has_stays_as_it_is(anything: Any) -> None:
    assert json_of("any", Anything(anything=anything))["anything"] == anything


def test_what_has_another_form_in_json_is_in_that_form() -> None:
    seen = datetime(2026, 1, 31, tzinfo=UTC)
    given = {"set": {1}, "pair": (1, 2), 7: b"bytes", "at": seen}
    told = {"set": [1], "pair": [1, 2], "7": "bytes", "at": "2026-01-31T00:00:00Z"}
    assert json_of("any", Anything(anything=given))["anything"] == told


def ended(fusion: Fusion, output: StepOutput, *, together: bool = False) -> Any:
    """Run a step that returns this, and one after it; return the job's row."""
    registry, services = Registry(), MemoryServices(core_settings=CoreSettings(fusion=fusion))

    if together:

        @step(registry=registry, group=2, within="1s")
        def odd(jobs: list[JobContext]) -> list[Anything]:
            return [output for _ in jobs]  # type: ignore[misc]
    else:

        @step(registry=registry)
        def odd(job: JobContext) -> Anything:
            return output  # type: ignore[return-value]

    @step(registry=registry)
    def after(job: JobContext) -> Anything:
        return Anything(anything=sorted(job.outputs))

    url = services.blobs.put("inputimages", "batch-1/photo", photo_bytes(), "image/png")
    for name in (KEY[1], "another"):
        services.queues.send("odd", message_for(url, ("odd", "after"), job_id=name).encode())
    run_all(services, registry)
    assert services.poison.list() == []
    return read_row(services.log, KEY)


@WAYS
@pytest.mark.parametrize("together", [False, True], ids=["one photo", "several photos"])
def test_a_step_fails_at_once_and_its_job_goes_on(fusion: Fusion, together: bool) -> None:
    row = ended(fusion, Anything(scores={"sharp": NAN}), together=together)
    assert row.state_of("odd") == "failed"
    assert row.reason_of("odd") == (
        "PermanentError: the output of odd: scores.sharp is nan, which JSON does not have: "
        "return a number, or None"
    )
    assert row.state_of("after") == "success"
    assert row.job_state == "partial"


@WAYS
def test_the_same_holds_for_what_an_engine_returns(fusion: Fusion) -> None:
    class Dizzy(FakeOcr):
        def read(self, *given: Any, **named: Any) -> OcrText:
            word = Word(text="a", confidence=NAN, polygon=[])
            return OcrText(lines=[TextLine(text="a", confidence=1, polygon=[], words=[word])])

    registry = Registry()
    for stock in (ocr, pipelineoutput):
        registry.add(stock)
    services = MemoryServices(core_settings=CoreSettings(fusion=fusion), ocr=Dizzy())
    url = services.blobs.put("inputimages", "batch-1/photo", photo_bytes(), "image/png")
    services.queues.send("ocr", message_for(url, ("ocr", "pipelineoutput")).encode())
    run_all(services, registry)
    row = read_row(services.log, KEY)
    assert row is not None
    assert "lines.0.words.0.confidence is nan" in row.reason_of("ocr")
    result = services.results.read(KEY)
    assert result is not None
    assert result.unsuccessful == ("ocr",)
