"""Photos on disk and on the web become jobs."""

import os
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import Field

import steps  # noqa: F401 - importing the package registers every step
from imaginem import JobContext, StepOutput, StepParameters, step
from imaginem.cli.intake import check_pipeline_steps, said_to_steps, whole_pipeline
from imaginem.cli.shared import Exit
from imaginem.cli.sources import find_sources
from imaginem.errors import ConfigurationError
from imaginem.pipeline.steps import Registry, default_registry
from imaginem.testing import photo_bytes


def test_a_folder_stands_for_its_photos(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for name in ("b.JPG", "inner/a.png"):
        (tmp_path / name).write_bytes(photo_bytes())
    (tmp_path / "notes.txt").write_text("no photo")

    assert {source.name for source in find_sources([str(tmp_path)]).photos} == {"a.png", "b.JPG"}


@pytest.mark.parametrize("name", ["a.jfif", "a.JPE", "a.mpo", "a.pjpeg", "a.hif", "a.apng"])
def test_less_usual_endings_of_formats_that_are_read_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(photo_bytes())

    assert [source.name for source in find_sources([str(tmp_path)]).photos] == [name]


class TestLeftOut:
    def test_what_is_left_out_is_told_by_name(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("a.png", "b.JPG_large", "c", "d.ico", "e.dib"):
            (tmp_path / name).write_bytes(photo_bytes())
        found = find_sources([str(tmp_path)])
        found.tell()

        left_out = [str(tmp_path / name) for name in ("b.JPG_large", "c", "d.ico", "e.dib")]
        assert found.as_json() == {"left_out": left_out, "unread_folders": []}
        told = capsys.readouterr()
        assert not told.out
        assert f"4 files are left out, as photos' names end otherwise: {left_out[0]}" in told.err
        assert f"{left_out[2]} and 1 more; name a file itself to send it" in told.err

    def test_a_file_that_is_named_itself_is_sent_whatever_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "scan").write_bytes(photo_bytes())
        found = find_sources([str(tmp_path / "scan")])
        assert [source.name for source in found.photos] == ["scan"]
        assert not found.notes()

    def test_it_is_told_as_well_where_nothing_else_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "scan").write_bytes(photo_bytes())
        with pytest.raises(ConfigurationError, match=r"no photo .*; 1 file is left out.*scan"):
            find_sources([str(tmp_path)])

    def test_a_folder_that_can_not_be_read_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "a.png").write_bytes(photo_bytes())
        (tmp_path / "shut").mkdir()
        scan = os.scandir

        def refuse(path: str) -> Any:
            if str(path).endswith("shut"):
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        monkeypatch.setattr(os, "scandir", refuse)
        found = find_sources([str(tmp_path)])
        assert found.unread == [str(tmp_path / "shut")]
        assert found.notes() == [f"1 folder is left out that can't be read: {tmp_path / 'shut'}"]


def test_an_address_is_named_by_its_last_part() -> None:
    (source,) = find_sources(["https://x.test/photos/a.jpg?sig=secret"]).photos

    assert (source.name, source.url) == ("a.jpg", "https://x.test/photos/a.jpg?sig=secret")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no file or folder"):
        find_sources([str(tmp_path / "none")])
    with pytest.raises(ConfigurationError, match="no photo"):
        find_sources([str(tmp_path)])


class Wishes(StepParameters):
    """What may be said to the step here."""

    limit: float = 1
    edges: list[str] = Field(default_factory=list)


@pytest.fixture
def registry() -> Registry:
    registry = Registry()

    @step(parameters=Wishes, registry=registry)
    def blurriness(job: JobContext) -> StepOutput:
        """Only its parameters matter here."""
        return StepOutput()

    return registry


class TestSaidToSteps:
    def test_texts_become_what_the_step_declares(self, registry: Registry) -> None:
        given = ["blurriness.limit=2.5", 'blurriness.edges=["left","a=b"]']
        said = said_to_steps(given, ["blurriness"], registry)
        assert said == {"blurriness": {"limit": 2.5, "edges": ["left", "a=b"]}}

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("limit=1", "'limit=1' is not of the form STEP.NAME=VALUE"),
            ("blurriness.limit", "is not of the form STEP.NAME=VALUE"),
            ("blurriness.limit=much", "--set: blurriness.limit: input should be a valid number"),
            ("blurriness.limits=1", "--set: blurriness.limits: there is no such parameter"),
            ("blurriness.edges=[1", "the value of blurriness.edges is not JSON"),
            ("ocr.limit=1", "--set: ocr: the job's pipeline (blurriness) has no such step"),
        ],
    )
    def test_what_is_wrong_is_refused_by_name(
        self, registry: Registry, given: str, told: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(typer.Exit) as ended:
            said_to_steps([given], ["blurriness"], registry)
        assert ended.value.exit_code == Exit.USAGE
        assert told in " ".join(capsys.readouterr().err.split())


class TestWarnings:
    def test_a_job_whose_results_are_kept_needs_none(self) -> None:
        assert check_pipeline_steps(["ocr", "pipelineoutput"], default_registry) == []

    def test_a_job_whose_results_stay_in_the_log_is_told_of(self) -> None:
        (warning,) = check_pipeline_steps(["ocr"], default_registry)
        assert "without pipelineoutput, what is found stays in the job's log" in warning

    def test_an_app_without_such_a_step_is_not_told_to_use_it(self, registry: Registry) -> None:
        assert check_pipeline_steps(["blurriness"], registry) == []


class TestPipelineOfSubmit:
    def test_what_a_step_requires_is_added_as_pages_and_api_do(self) -> None:
        wanted = ["facematch", "pipelineoutput"]
        whole = ["facedetection", "faceprint", "facematch", "pipelineoutput"]
        assert whole_pipeline(wanted, default_registry) == whole

    @pytest.mark.parametrize(
        ("typo", "told"),
        [
            ("ocrr", "no step is named 'ocrr': did you mean ocr?"),
            ("OCR", "did you mean ocr?"),
            ("nothing-like-it", "; steps are "),
        ],
    )
    def test_a_name_that_is_no_step_is_refused_with_the_nearest(
        self, typo: str, told: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(typer.Exit) as ended:
            whole_pipeline(["facedetection", typo], default_registry)
        assert ended.value.exit_code == Exit.USAGE
        shown = capsys.readouterr().err
        assert told in shown
        assert "--raw" in shown
