"""What nobody looked for never reads as what was not found."""

from collections.abc import Mapping
from typing import Any

import pytest

from imaginem.pipeline.steps import default_registry
from imaginem.testing import run_all
from imaginem.usecases.jobs import JobView, StepView
from imaginem.usecases.looked import Looked, look_of
from tests.dashboard import client, send_photo, web_services


def job(state: str, step: str = "", outputs: Mapping[str, Any] | None = None) -> JobView:
    """Return a job with one step, `ocr`, in a state; with none if that is empty."""
    steps = [StepView("ocr", step, "why")] if step else []
    return JobView("b", "one", state, "", None, steps, outputs, [])


@pytest.mark.parametrize(
    ("state", "step", "how"),
    [
        ("queued", "", Looked.QUEUED),
        ("queued", "failed", Looked.QUEUED),  # as the run before left it
        ("running", "waiting", Looked.WAITING),
        ("running", "processing", Looked.PROCESSING),
        ("running", "retrying", Looked.RETRYING),
        ("running", "failed", Looked.FAILED),
        ("failed", "poisoned", Looked.FAILED),
        ("partial", "skipped", Looked.SKIPPED),
        ("cancelled", "waiting", Looked.CANCELLED),
        ("handed_over", "waiting", Looked.HANDED_OVER),
        ("failed", "waiting", Looked.ENDED),
        ("running", "success", Looked.UNWRITTEN_YET),
        ("failed", "success", Looked.UNWRITTEN),
        ("failed", "", Looked.LOST),
    ],
)
def test_without_an_output_a_photo_was_not_looked_at(state: str, step: str, how: Looked) -> None:
    look = look_of(job(state, step), "ocr")
    assert (look.how, look.is_done) == (how, False)


def test_a_result_that_has_nothing_of_a_step_is_not_called_unwritten() -> None:
    assert look_of(job("succeeded", "success", {"sample": {}}), "ocr").how is Looked.NO_OUTPUT


def test_a_step_that_the_job_does_not_have_did_not_look() -> None:
    assert look_of(job("succeeded", "success", {"ocr": {}}), "facematch").how is Looked.NO_STEP


@pytest.mark.parametrize("state", ["queued", "running", "failed"])
def test_an_output_counts_whatever_a_later_run_does(state: str) -> None:
    assert look_of(job(state, "waiting", {"ocr": {"full_text": ""}}), "ocr").is_done


def test_a_job_whose_steps_write_no_result_is_not_told_to_have_ended_too_early() -> None:
    services = web_services()
    send_photo(services, ("b", "one"), ("ocr",))
    run_all(services, default_registry)
    job = client(services).get("/api/jobs/b/one").json()
    assert (job["state"], job["looked"]["text"]["how"]) == ("succeeded", "unwritten")
    assert job["looked"]["text"]["told"] == (
        "ocr is done, but no result of the job was written: see its steps."
    )
