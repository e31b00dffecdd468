"""What nobody looked for never reads as what was not found."""

from collections.abc import Mapping
from typing import Any

import pytest

from imaginem.usecases.jobs import JobView, StepView
from imaginem.usecases.looked import Looked, look_of


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
