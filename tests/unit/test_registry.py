"""Steps: what may be declared, and the order they run in."""

from typing import Any

import pytest

import steps  # noqa: F401 - registers them
from imaginem import JobContext, StepOutput, step
from imaginem.errors import RegistrationError
from imaginem.pipeline.steps import Registry, Step, default_registry
from imaginem.testing import job_for


class Found(StepOutput):
    what: str = ""


def declare(registry: Registry, name: str, **options: Any) -> Step[JobContext, Found]:
    def function(job: JobContext) -> Found:
        return Found(what=name)

    function.__name__ = name
    return step(registry=registry, **options)(function)


def test_a_step_stays_callable() -> None:
    made = declare(Registry(), "blurriness")

    assert made(job_for()).what == "blurriness"
    assert made.output_type is Found


@pytest.mark.parametrize("name", ["Blurriness", "blur_riness", "ab", "9lives", "a" * 64])
def test_a_name_that_can_be_no_queue_is_refused_at_import(name: str) -> None:
    with pytest.raises(RegistrationError, match="use 3 to 63"):
        declare(Registry(), name)


def test_a_name_is_taken_once() -> None:
    registry = Registry()
    declare(registry, "blurriness")
    with pytest.raises(RegistrationError, match="twice"):
        declare(registry, "blurriness")


def test_a_step_must_say_what_it_returns() -> None:
    def blurriness(job: JobContext) -> dict[str, int]:
        return {}

    with pytest.raises(RegistrationError, match="subclass of StepOutput"):
        step(registry=Registry())(blurriness)  # type: ignore[type-var]


def test_a_step_takes_the_job_alone() -> None:
    def blurriness(job: JobContext, more: int) -> Found:
        return Found()

    with pytest.raises(RegistrationError, match="one parameter"):
        step(registry=Registry())(blurriness)  # type: ignore[arg-type]


def test_resolving_adds_what_is_needed_before_it_is_needed() -> None:
    assert default_registry.resolve(["pipelineoutput", "facematch", "ocr"]) == [
        "facedetection",
        "faceprint",
        "facematch",
        "ocr",
        "pipelineoutput",
    ]


def test_an_unknown_step_gets_a_suggestion() -> None:
    with pytest.raises(KeyError, match=r"did you mean facecrop\?"):
        default_registry.resolve(["facedcrop"])


def test_every_step_has_a_summary() -> None:
    assert all(found.summary.endswith(".") for found in default_registry)
