"""`imaginem forget` on a terminal of 80 columns, on real storage and SQL."""

import json

import pytest

from imaginem.host import Emulator
from imaginem.pipeline.progress_row import RowChange
from imaginem.pipeline.states import JobState
from imaginem.ports import JobResult
from imaginem.runtime import Runtime
from tests.terminal import Cli, terminal


@pytest.fixture
def cli(runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return terminal(monkeypatch, own_azurite, runtime.settings.home, "forget")


def put(runtime: Runtime, batch: str, job: str, state: JobState = JobState.SUCCEEDED) -> None:
    """Leave a photo, a row and a result of a job."""
    url = runtime.blobs.put("inputimages", f"{batch}/{job}/photo", b"x", "image/png")
    row = RowChange(steps=(), job_state=state, pipeline=["ocr"], run=job, image_url=url)
    runtime.log.insert((batch, job), row.properties())
    runtime.results.save(JobResult(batch, job, ["ocr"], url, {}, {}, url))


def test_a_job_at_work_is_erased_with_a_receipt_that_names_the_stores(
    cli: Cli, runtime: Runtime, name: str
) -> None:
    put(runtime, name, "one", JobState.RUNNING)
    put(runtime, name, "two")

    done = cli("--batch", name, "--job", "one", "--yes")

    assert done.exit_code == 0, done.output
    for line in ("inputimages: 1", "pipeline_output: 1", "pipelinelogs: 1"):
        assert f"  {line}" in done.output.splitlines()
    assert max(map(len, done.output.splitlines())) <= 80
    assert runtime.log.read((name, "one")) is None
    assert runtime.results.read((name, "one")) is None
    assert runtime.blobs.list("inputimages", f"{name}/") == [f"{name}/two/photo"]
    assert runtime.results.read((name, "two")) is not None


def test_a_batch_is_erased_only_after_a_yes(cli: Cli, runtime: Runtime, name: str) -> None:
    put(runtime, name, "one")
    put(runtime, name, "two")

    assert cli("--batch", name, answer="n\n").exit_code == 1
    assert runtime.results.finished(name) == ["one", "two"]

    told = json.loads(cli("--batch", name, "--yes", "--json").output)
    assert told["jobs"] == 2
    assert told["removed"]["pipelinelogs"] == 2
    assert told["left"] == {}
    assert runtime.results.finished(name) == []


def test_what_is_not_there_is_told(cli: Cli, name: str) -> None:
    absent = cli("--batch", name, "--job", "x", "--yes")
    assert absent.exit_code == 1
    assert "there is no job x in batch" in absent.output
