"""What the command line says of storage that is silent, and of jobs that failed."""

import io
import re

import azure.functions as func
import pytest
import typer
from azure.core.exceptions import ServiceRequestError
from rich.console import Console

from imaginem.cli import doctor
from imaginem.cli.jobs import tell_poisoned
from imaginem.cli.progress import render, show_view, tell_unfinished, watch
from imaginem.cli.shared import exit_on_error
from imaginem.config.settings import read_settings
from imaginem.errors import ConfigurationError, StorageSilent
from imaginem.functions import add_steps
from imaginem.pipeline.states import JobState, StepState
from imaginem.pipeline.steps import default_registry
from imaginem.ports import PoisonEntry
from imaginem.storage.account import storage_errors
from imaginem.testing import MemoryServices, run_all
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.health import Check
from imaginem.usecases.jobs import view_job
from imaginem.usecases.progress import BatchProgress, StepCount
from imaginem.usecases.waiting import progress_of
from tests.dashboard import client, keep, send_photo, web_services

NAMED = "DefaultEndpointsProtocol=https;AccountName=ours;AccountKey=a2V5"


def shown(*parts: object) -> str:
    """Return what a terminal of 80 columns shows."""
    text = io.StringIO()
    Console(file=text, width=80).print(*parts)
    return text.getvalue()


def progress(**jobs: JobState) -> BatchProgress:
    """Return the progress of a batch of jobs with one step each."""
    failed = sum(state == JobState.FAILED for state in jobs.values())
    step = StepCount("ocr")
    step.states[StepState.POISONED] = failed
    step.states[StepState.SUCCESS] = len(jobs) - failed
    return BatchProgress("spring 1", jobs, [step], [], len(jobs))


class TestSilentStorage:
    def test_its_error_gives_no_advice_that_a_host_could_not_follow(self) -> None:
        with pytest.raises(StorageSilent) as told, storage_errors("queues"):
            raise ServiceRequestError("connection refused")
        assert str(told.value) == "queues: storage did not answer (connection refused)"

    @pytest.mark.parametrize(
        ("connection", "advice"),
        [("", "is `imaginem start` running"), (NAMED, "check AzureWebJobsStorage")],
    )
    def test_a_command_says_where_to_look(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        connection: str,
        advice: str,
    ) -> None:
        monkeypatch.setenv("AzureWebJobsStorage", connection)
        with pytest.raises(typer.Exit) as ended, exit_on_error():
            raise StorageSilent("queues: storage did not answer")
        assert ended.value.exit_code == 4
        assert f"queues: storage did not answer: {advice}" in capsys.readouterr().err

    def test_the_doctor_says_so_too(self) -> None:
        def silent() -> None:
            raise StorageSilent("queues: storage did not answer")

        check = doctor.with_advice(Check("queues", silent), read_settings({}))
        with pytest.raises(StorageSilent, match="is `imaginem start` running"):
            check.look()


class TestNamesOfSteps:
    @pytest.mark.parametrize("name", ["PIPELINE_DEFINITION", "PIPELINE_FUSION"])
    def test_the_doctor_finds_a_setting_that_names_no_step(self, name: str) -> None:
        right = {"PIPELINE_DEFINITION": "ocr,facecrop", "PIPELINE_FUSION": "ocr+facecrop"}
        doctor.check_pipeline(read_settings(right), ["ocr", "facecrop"])
        wrong = right | {name: right[name].replace("ocr", "orc")}
        with pytest.raises(ConfigurationError, match=f"{name} names orc, which no step serves"):
            doctor.check_pipeline(read_settings(wrong), ["ocr", "facecrop"])

    @pytest.mark.parametrize("name", ["PIPELINE_DEFINITION", "PIPELINE_FUSION"])
    def test_the_start_of_the_app_warns_of_it(
        self, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv(name, "ocr+orc" if name == "PIPELINE_FUSION" else "ocr,orc")
        add_steps(func.FunctionApp(), default_registry)
        assert caplog.messages == [
            f"{name} names orc, which no step serves: correct it, or add the step"
        ]


class TestJobsThatWait:
    """Who waits for the first step is counted, and never told as absent or done."""

    def test_they_are_part_of_their_batch(self) -> None:
        services = web_services()
        for name in ("one", "two"):
            send_photo(services, ("spring", name), ["ocr"])
        assert progress_of(services, "spring").jobs == {"one": "queued", "two": "queued"}
        run_all(services, default_registry)
        send_photo(services, ("spring", "three"), ["ocr"])
        found = progress_of(services, "spring")
        assert "2/3 jobs ended: 2 succeeded, 1 queued" in shown(render(found, len(found.jobs)))

    def test_each_step_is_counted_against_the_jobs_that_have_it(self) -> None:
        services = web_services()
        send_photo(services, ("spring", "one"), ["ocr", "pipelineoutput"])
        for name in ("two", "three"):
            send_photo(services, ("spring", name), ["generalclassification", "pipelineoutput"])
        run_all(services, default_registry)
        found = progress_of(services, "spring")
        told = shown(render(found, len(found.jobs)))
        page = client(services).get("/batches/spring").text
        for step, of in (("ocr", "1"), ("generalclassification", "2"), ("pipelineoutput", "3")):
            assert re.search(rf"{step} .* {of}/{of} ", told), told
            assert re.search(rf">{step}</th>(?s:.){{0,120}}{of} / {of}</td>", page)

        send_photo(services, ("spring", "waits"), ["ocr"])  # which steps it has no row tells
        found = progress_of(services, "spring")
        assert re.search(r"ocr .* 1/2 ", shown(render(found, len(found.jobs))))

    def test_progress_in_a_file_ends_with_a_line(self) -> None:
        services, text = web_services(), io.StringIO()
        send_photo(services, ("spring", "one"), ["ocr"])
        run_all(services, default_registry)
        watch(services.log, "spring", None, Console(file=text, width=80))
        assert text.getvalue().endswith("1/1 jobs ended: 1 succeeded\n")

    def test_one_is_shown_before_its_first_step(self, capsys: pytest.CaptureFixture[str]) -> None:
        services = web_services()
        send_photo(services, ("spring", "one"), ["ocr"])
        show_view(view_job(services, ("spring", "one"), EVERYTHING), json_wanted=False)
        assert capsys.readouterr().out == "one: queued\n"

    def test_results_say_that_they_are_not_all(self, capsys: pytest.CaptureFixture[str]) -> None:
        services = web_services()
        for name in ("one", "two", "three"):
            send_photo(services, ("spring", name), ["ocr"])
        tell_unfinished(services, "spring", {"one"})
        tell_unfinished(services, "spring", {"one", "two", "three"})
        said = capsys.readouterr().err
        assert said == "note: 2 photos have no result: see `imaginem status spring`\n"

    def test_an_export_says_how_many_photos_have_no_row(self) -> None:
        services = web_services()
        keep(services, ("spring", "done"))
        send_photo(services, ("spring", "waits"), ["ocr"])
        answer = client(services).get("/api/batches/spring/export?format=json")
        assert (len(answer.json()), answer.headers["X-Without-Result"]) == (1, "1")

    def test_problems_that_are_left_out_are_counted(self) -> None:
        problems = [(f"{number}", "ocr", "odd") for number in range(12)]
        found = BatchProgress("spring", {}, [], problems)
        assert "… and 2 more" in shown(render(found, 12))
        assert "more" not in shown(render(found, 12, problems=12))


class TestFailedJobs:
    def test_a_step_that_failed_has_ended_and_is_not_called_done(self) -> None:
        head, row = shown(render(progress(one=JobState.FAILED), 1)).splitlines()[:2]
        assert head.split() == ["step", "ended", "failed", "skipped"]
        assert row.split()[-3:] == ["1/1", "1", "0"]
        assert "done" not in head

    @pytest.mark.parametrize(
        ("state", "hint"),
        [
            (
                JobState.FAILED,
                "1 message that can be replayed: `imaginem poison list --batch 'spri",
            ),
            (JobState.PARTIAL, "1 message that can be replayed"),
            (JobState.SUCCEEDED, ""),
        ],
    )
    def test_what_was_kept_of_them_is_told(self, state: JobState, hint: str) -> None:
        services, text = MemoryServices(), io.StringIO()
        services.poison.add(PoisonEntry("ocr", "m", "odd", "", 1, "spring 1", "one"))
        tell_poisoned(services, progress(one=state), Console(file=text, width=80))
        assert hint in text.getvalue()
        assert bool(hint) == bool(text.getvalue())

    def test_nothing_is_told_where_nothing_was_kept(self) -> None:
        text = io.StringIO()
        tell_poisoned(MemoryServices(), progress(one=JobState.FAILED), Console(file=text))
        assert text.getvalue() == ""
