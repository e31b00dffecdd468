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


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("facecrops", ": did you mean facecrop?"),
        ("facprnt", ": did you mean faceprint?"),
        ("classify", ""),
        ("fac", ""),
        ("zzz", ""),
    ],
)
def test_a_suggestion_is_made_only_for_a_name_that_is_close(name: str, suggestion: str) -> None:
    assert default_registry.suggestion(name) == suggestion


def test_steps_are_named_in_the_order_of_their_registration() -> None:
    registry = Registry()
    for name in ("second", "first"):
        declare(registry, name)

    assert registry.names() == ["second", "first"]


def test_every_step_has_a_summary() -> None:
    assert len(default_registry.names()) >= 8
    assert [found.name for found in default_registry if not found.summary.endswith(".")] == []


def test_the_first_line_of_a_docstring_is_the_steps_summary() -> None:
    def blurriness(job: JobContext) -> Found:
        """Measure how sharp a photo is.

        More of it.
        """
        return Found()

    def undescribed(job: JobContext) -> Found:
        return Found()

    made = step(registry=Registry())(blurriness)
    assert made.summary == "Measure how sharp a photo is."
    assert made.__doc__ == blurriness.__doc__
    assert step(registry=Registry())(undescribed).summary == ""


@pytest.mark.parametrize("returns", [int, "Found | None"])
def test_what_a_step_returns_must_be_an_output(returns: object) -> None:
    def blurriness(job: JobContext) -> Any:
        return None

    blurriness.__annotations__["return"] = returns
    with pytest.raises(RegistrationError, match="'blurriness' must say what it returns"):
        step(registry=Registry())(blurriness)
