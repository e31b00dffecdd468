"""`imaginem rerun` and `results --compare` on a terminal of 80 columns, on real storage and SQL."""

import json
from pathlib import Path

import pytest
from pydantic_core import to_json

from imaginem.host import Emulator
from imaginem.pipeline.progress_row import RowChange, StepChange
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import EarlierOutput, JobResult
from imaginem.runtime import Runtime
from imaginem.testing import photo_bytes
from tests.terminal import Cli, terminal

PIPELINE = ["generalclassification", "ocr", "pipelineoutput"]
BEFORE = {
    "generalclassification": {
        "tags": [{"name": "a mountain by a lake", "confidence": 0.91}, {"name": "sky"}]
    },
    "ocr": {"lines": [{"text": "Bitte nicht in die Sonne legen, sondern kühl lagern."}]},
}
AFTER = {
    "generalclassification": {"tags": [{"name": "a mountain by a lake", "confidence": 0.5}]},
    "ocr": {"lines": [{"text": "BITTE NICHT"}]},
}


@pytest.fixture
def cli(runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return terminal(monkeypatch, own_azurite, runtime.settings.home)


def ended(runtime: Runtime, batch: str, job: str) -> None:
    """Let a job have ended with a result."""
    url = runtime.blobs.put("inputimages", f"{batch}/{job}", b"x", "image/png")
    steps = tuple(
        StepChange(name, number, StepState.SUCCESS, output=to_json(BEFORE.get(name, {})).decode())
        for number, name in enumerate(PIPELINE)
    )
    state = JobState.SUCCEEDED
    row = RowChange(steps=steps, job_state=state, pipeline=PIPELINE, run="m", image_url=url)
    runtime.log.insert((batch, job), row.properties())
    runtime.results.save(JobResult(batch, job, PIPELINE, url, {}, BEFORE, url))


def test_a_batch_is_run_again_after_its_number_was_confirmed(
    cli: Cli, runtime: Runtime, name: str
) -> None:
    for job in ("one", "two"):
        ended(runtime, name, job)
    unknown = cli("rerun", name, "--from", "nosuch", answer="y\n")
    assert (unknown.exit_code, "Run 2 jobs" in unknown.output) == (1, False)
    assert f"no job of batch {name} has a step 'nosuch'" in unknown.output
    refused = cli("rerun", name, "--from", "ocr", answer="n\n")
    assert (refused.exit_code, "Run 2 jobs again from ocr?" in refused.output) == (1, True)
    assert "paid" not in refused.output
    assert runtime.queues.count("ocr") in (None, 0)

    done = cli("rerun", name, "--from", "ocr", "--rate", "1000", answer="y\n")
    assert (done.exit_code, "2 jobs run again" in done.output) == (0, True), done.output
    assert runtime.queues.count("ocr") == 2
    again = cli("rerun", name, "one", "--from", "ocr")
    assert (again.exit_code, "job one is still at work" in again.output) == (1, True)
    for item in runtime.queues.receive("ocr", 2, 30):
        value = json.loads(item.body)
        assert list(value["job_output"]) == ["generalclassification"]
        runtime.queues.delete("ocr", item)
    empty = cli("clear", "ocr")
    assert (empty.exit_code, empty.output) == (0, "nothing lies on ocr\n")


def test_an_engine_without_its_settings_is_refused(cli: Cli, runtime: Runtime, name: str) -> None:
    ended(runtime, name, "one")
    for engine, told in (
        ("ocr=azure", "VISION_ENDPOINT"),
        ("ocr=odd", "choose local or azure"),
        ("sound=azure", "no kind of engine 'sound'"),
    ):
        refused = cli("rerun", name, "one", "--from", "ocr", "--engine", engine)
        assert refused.exit_code in (1, 3)
        assert told in " ".join(refused.output.split()), refused.output
    assert cli("rerun", name, "one", "--from", "ocr", "--engine", "azure").exit_code == 2
    assert cli("rerun", name, "one").exit_code == 2
    assert runtime.earlier_outputs.of_job((name, "one")) == []


def test_a_second_opinion_says_where_the_photo_goes(
    cli: Cli, runtime: Runtime, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(runtime, name, "one")
    monkeypatch.setenv("OPENAI_ENDPOINT", "http://10.0.0.8:8080")
    monkeypatch.setenv("OPENAI_MODEL", "m")
    local = cli("rerun", name, "one", "--from", "ocr", "--engine", "ocr=local")
    assert "Photos are sent" not in local.output
    ended(runtime, name, "two")
    asked = cli("rerun", name, "two", "--from", "ocr", "--engine", "ocr=openai")
    told = "Photos are sent to 10.0.0.8:8080, not encrypted (for ocr)."
    assert (asked.exit_code, told in asked.output) == (0, True), asked.output


def test_sending_photos_says_where_they_go(
    cli: Cli, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(photo_bytes())
    assert "Photos are sent" not in cli("submit", str(photo), "--batch", name).output
    monkeypatch.setenv("OPENAI_ENDPOINT", "http://10.0.0.8:8080")
    monkeypatch.setenv("OPENAI_MODEL", "m")
    monkeypatch.setenv("VISION_ENGINE", "openai")
    told = "Photos are sent to 10.0.0.8:8080, not encrypted (for vision, ocr, questions)."
    assert told in cli("submit", str(photo), "--batch", f"{name}-2").output
    assert "Photos are sent" not in cli("submit", str(photo), "--forecast").output


def test_what_changed_can_be_read_at_80_columns(cli: Cli, runtime: Runtime, name: str) -> None:
    ended(runtime, name, "one")
    assert "there is nothing to compare" in cli("results", name, "--compare").output
    result = runtime.results.read((name, "one"))
    assert result is not None
    assert result.timestamp is not None
    before = EarlierOutput(name, "one", result.timestamp, BEFORE, "ocr", {"ocr": "azure"})
    runtime.earlier_outputs.keep(before)
    runtime.results.save(JobResult(name, "one", PIPELINE, "", {}, AFTER))

    shown = cli("results", name, "one", "--compare").output
    assert "one: from ocr with ocr=azure" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "a mountain by a lake" in shown
    for part in ("0.91", "0.50", "sky", "BITTE NICHT", "generalclassification"):
        assert part in shown, shown
    (told,) = json.loads(cli("results", name, "--compare", "--json").output)
    assert [change["sign"] for change in told["changes"]["ocr"]] == ["-", "+"]
