"""What steps declare to need: settings of the app, and parameters of a job."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import azure.functions as func
import pytest
from pydantic import Field, SecretStr

from imaginem import JobContext, PermanentError, StepOutput, StepParameters, StepSettings
from imaginem.config.settings import Settings
from imaginem.errors import ConfigurationError, InvalidMessage, RegistrationError
from imaginem.functions import add_steps
from imaginem.message import decode_message
from imaginem.pipeline.means import check_settings, checked_parameters, described
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.resuming import kept_of
from imaginem.pipeline.steps import Registry, step
from imaginem.testing import MemoryServices, job_for, message_for, photo_bytes, run_all


class Limits(StepSettings):
    """Settings of the step."""

    limit: float = Field(100, gt=0, description="Below this, a photo counts as blurred.")
    mode: Literal["quick", "careful"] = "quick"
    key: SecretStr = SecretStr("")


class Wishes(StepParameters):
    """What a job may say."""

    limit: float | None = Field(None, description="Instead of the app's own.")
    edges: list[str] = Field(default_factory=list)


class Said(StepOutput):
    """What the step was told."""

    limit: float
    edges: list[str]


class Needed(StepSettings):
    """A setting that has no default."""

    address: str


class Named(StepParameters):
    """A parameter that has no default."""

    name: str


@pytest.fixture
def registry() -> Registry:
    registry = Registry()

    @step(settings=Limits, parameters=Wishes, registry=registry)
    def blurriness(job: JobContext) -> Said:
        """Tell what it was told."""
        wishes = job.parameters(Wishes)
        usual = job.settings(Limits).limit
        return Said(limit=usual if wishes.limit is None else wishes.limit, edges=wishes.edges)

    @step(registry=registry)
    def plain(job: JobContext) -> StepOutput:
        """Need nothing."""
        return StepOutput()

    return registry


def outcome(
    registry: Registry, parameters: Mapping[str, Any] | None = None, **environment: str
) -> tuple[Any, str]:
    """Run a job; return the step's output, and the reason if it failed."""
    services = MemoryServices(environment=environment)
    url = services.blobs.put("inputimages", "batch-1/photo", photo_bytes(), "image/png")
    message = message_for(url, ["plain", "blurriness"], parameters=parameters)
    services.queues.send("plain", message.encode())
    run_all(services, registry)
    row = read_row(services.log, ("batch-1", "job-1"))
    assert row is not None
    output = row.output_of("blurriness")
    return json.loads(output) if output else None, row.reason_of("blurriness")


def test_a_step_has_its_defaults_where_nothing_is_said(registry: Registry) -> None:
    assert outcome(registry) == ({"limit": 100, "edges": []}, "")


def test_a_setting_is_a_variable_called_after_step_and_field(registry: Registry) -> None:
    assert outcome(registry, BLURRINESS_LIMIT="7.5")[0]["limit"] == 7.5
    assert outcome(registry, BLURRINESS_LIMIT=" ")[0]["limit"] == 100


def test_what_a_job_says_holds_for_it_and_reaches_a_later_step(registry: Registry) -> None:
    said = {"blurriness": {"limit": 3, "edges": ["left"]}}
    output, _ = outcome(registry, said, BLURRINESS_LIMIT="7")
    assert output == {"limit": 3, "edges": ["left"]}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"limit": "much"}, "step_parameters.blurriness.limit: input should be a valid number"),
        ({"limti": 3}, "step_parameters.blurriness.limti: there is no such parameter; there are"),
    ],
)
def test_a_step_fails_with_the_name_of_what_a_queue_message_says_wrongly(
    registry: Registry, said: Mapping[str, Any], told: str
) -> None:
    output, reason = outcome(registry, {"blurriness": said})
    assert output is None
    assert told in reason


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"BLURRINESS_LIMIT": "much"}, "BLURRINESS_LIMIT is 'much': input should be a valid num"),
        ({"BLURRINESS_LIMIT": "-1"}, "BLURRINESS_LIMIT is '-1': input should be greater than 0"),
        ({"BLURRINESS_LIMIT": "inf"}, "BLURRINESS_LIMIT is 'inf': input should be a finite number"),
        ({"BLURRINESS_MODE": "slow"}, "BLURRINESS_MODE is 'slow': input should be 'quick' or"),
    ],
)
def test_a_wrong_setting_is_named_when_the_app_starts(
    registry: Registry, environment: Mapping[str, str], told: str
) -> None:
    with pytest.raises(ConfigurationError, match="settings of steps: ") as caught:
        check_settings(registry.settings(), environment, Settings.declared())
    assert told in str(caught.value)


def test_the_app_does_not_start_with_a_wrong_setting_of_a_step(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", "UseDevelopmentStorage=true")
    monkeypatch.setenv("BLURRINESS_LIMIT", "much")
    with pytest.raises(ConfigurationError, match="BLURRINESS_LIMIT is 'much'"):
        add_steps(func.FunctionApp(), registry)
    monkeypatch.setenv("BLURRINESS_LIMIT", "5")
    add_steps(func.FunctionApp(), registry)


def test_every_wrong_setting_is_named_at_once_and_no_secret_is_shown() -> None:
    class Keys(StepSettings):
        """Two that can be wrong."""

        key: SecretStr = Field(SecretStr(""), max_length=3)
        count: int = 1

    environment = {"OTHER_KEY": "a-secret", "OTHER_COUNT": "many", "MYSTEP_ADDRESS": ""}
    with pytest.raises(ConfigurationError) as caught:
        check_settings([("mystep", Needed), ("other", Keys)], environment, ())
    told = str(caught.value)
    assert "MYSTEP_ADDRESS is not set, and the step mystep needs it" in told
    assert "OTHER_COUNT is 'many'" in told
    assert "OTHER_KEY has a value that can't be used" in told
    assert "a-secret" not in told


def test_a_setting_of_a_step_can_not_have_the_name_of_one_of_imaginem() -> None:
    class Clashing(StepSettings):
        """Its name would be SQL_DRIVER."""

        driver: str = ""

    with pytest.raises(ConfigurationError, match=r"SQL_DRIVER is a setting of Imaginem.*rename"):
        check_settings([("sql", Clashing)], {}, Settings.declared())


def test_what_is_said_to_steps_is_checked_before_a_job_is_sent(registry: Registry) -> None:
    steps, pipeline = registry.parameters(), ["plain", "blurriness", "elsewhere"]
    sent = checked_parameters({"blurriness": {"limit": "5"}}, pipeline, steps)
    assert sent == {"blurriness": {"limit": 5.0}}
    assert checked_parameters({"elsewhere": {"a": 1}}, pipeline, steps) == {"elsewhere": {"a": 1}}
    for said, told in (
        ({"blurriness": {"limit": "x"}}, "blurriness.limit: input should be"),
        ({"blurriness": {"limit": "nan"}}, "blurriness.limit: input should be a finite number"),
        ({"blurriness": {"colour": 1}}, "blurriness.colour: there is no such parameter; there"),
        ({"plain": {"a": 1}}, "plain: this step takes no parameters"),
        ({"ocr": {"a": 1}}, "ocr: the job's pipeline (plain, blurriness, elsewhere) has no such"),
    ):
        with pytest.raises(InvalidMessage) as caught:
            checked_parameters(said, pipeline, steps)
        assert told in str(caught.value)


def test_a_parameter_that_a_step_needs_is_missed_before_a_job_is_sent() -> None:
    with pytest.raises(InvalidMessage, match=r"step_parameters\.naming\.name: field required"):
        checked_parameters({}, ["naming"], {"naming": Named})
    assert checked_parameters({}, ["other"], {"naming": Named, "other": None}) == {}


def test_parameters_that_are_no_objects_are_refused_by_the_name_of_the_field() -> None:
    definition = {"id": "1", "input": {"image_url": "https://a/b"}, "processing_pipeline": ["abc"]}
    for wrong in ("text", {"a": 1}, [1]):
        body = json.dumps({"job_definition": {**definition, "step_parameters": wrong}})
        with pytest.raises(InvalidMessage, match=r"^job_definition\.step_parameters"):
            decode_message(body, ())
    body = json.dumps({"job_definition": {**definition, "step_parameters": None}})
    assert "step_parameters" not in decode_message(body, ()).encode()


def test_a_test_of_a_step_says_settings_and_parameters_by_their_fields() -> None:
    job = job_for(parameters={"limit": 2}, settings={"limit": "9"})
    assert job.parameters(Wishes).limit == 2
    assert job.settings(Limits).limit == 9
    with pytest.raises(InvalidMessage):
        job_for(parameters={"limit": "x"}).parameters(Wishes)


def test_what_is_declared_is_described_and_a_secret_has_no_default_there() -> None:
    limit, mode, key = described(Limits)
    assert (limit["name"], limit["type"], limit["default"]) == ("limit", "number", 100)
    assert limit["means"] == "Below this, a photo counts as blurred."
    assert mode["choices"] == ["quick", "careful"]
    assert key["default"] is None
    assert described(Named)[0]["required"]
    assert described(None) == []


def test_only_models_of_the_right_kind_can_be_declared() -> None:
    def other(job: JobContext) -> StepOutput:
        raise PermanentError

    with pytest.raises(RegistrationError, match="`settings` must be a subclass of StepSettings"):
        step(settings=Wishes, registry=Registry())(other)  # type: ignore[arg-type]
    with pytest.raises(RegistrationError, match="`parameters` must be a subclass of StepParam"):
        step(parameters=dict, registry=Registry())(other)  # type: ignore[arg-type]


def test_what_is_said_to_steps_is_kept_with_the_job_but_no_secret() -> None:
    said = {"blurriness": {"limit": 3, "api_key": "hidden"}}
    message = message_for("https://photos.test/a.jpg", ["blurriness"], parameters=said)
    kept = kept_of(message, MemoryServices().blobs)["job_definition"]["step_parameters"]
    assert kept["blurriness"]["limit"] == 3
    assert "hidden" not in json.dumps(kept)
