"""What callers say to steps over the API, and how the upload page asks for it."""

from typing import Any, Literal

import pytest
from fastapi.testclient import TestClient
from pydantic import Field

from imaginem import JobContext, StepOutput, StepParameters, step
from imaginem.message import decode_message
from imaginem.pipeline.steps import Registry
from imaginem.testing import photo_bytes
from imaginem.web import make_app
from tests.dashboard import web_services


class Wishes(StepParameters):
    """What may be said to the step here."""

    limit: float = Field(100, description="Below <this>, a photo counts as blurred.")
    mode: Literal["quick", "careful"] = "quick"
    loud: bool = False
    colour: Literal["red", "blue"] | None = None
    note: str | None = None


class Page:
    """The API and pages of an app with one step of its own."""

    def __init__(self) -> None:
        registry = Registry()

        @step(parameters=Wishes, registry=registry)
        def blurriness(job: JobContext) -> StepOutput:
            """Only its parameters matter here."""
            return StepOutput()

        @step(registry=registry)
        def plain(job: JobContext) -> StepOutput:
            """Take none."""
            return StepOutput()

        self.services = web_services()
        self.client = TestClient(make_app(registry, "local", lambda: self.services))

    def send(self, parameters: str) -> Any:
        return self.client.post(
            "/api/batches/b/images",
            files={"file": ("a.png", photo_bytes(), "image/png")},
            data={"pipeline": "blurriness,plain", "parameters": parameters},
        )

    def said(self) -> Any:
        (item,) = self.services.queues.receive("blurriness", 1, 30)
        return decode_message(item.body, ()).job_definition.step_parameters


@pytest.fixture
def page() -> Page:
    return Page()


def test_what_a_form_says_to_a_step_is_in_its_jobs_message(page: Page) -> None:
    assert page.send('{"blurriness": {"limit": "7", "loud": "true"}}').status_code == 201
    assert page.said() == {"blurriness": {"limit": 7.0, "loud": True}}


def test_a_form_that_says_nothing_leaves_the_message_as_it_was(page: Page) -> None:
    assert page.send("").status_code == 201
    assert page.said() == {}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ('{"blurriness": {"limit": "much"}}', "step_parameters.blurriness.limit: input should be"),
        ('{"blurriness": {"limits": 1}}', "blurriness.limits: there is no such parameter"),
        ('{"plain": {"limit": 1}}', "plain: this step takes no parameters"),
        ('{"ocr": {"limit": 1}}', "ocr: the job's pipeline (blurriness, plain) has no such step"),
        ('{"blurriness": 1}', "parameters: blurriness: input should be an object"),
        ("limit=1", "parameters: "),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_nothing_is_sent(
    page: Page, parameters: str, told: str
) -> None:
    answer = page.send(parameters)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    assert page.services.queues.names() == []


def test_a_message_is_checked_like_a_form(page: Page) -> None:
    definition = {
        "id": "1",
        "batch_id": "b",
        "input": {"image_url": "https://photos.test/a.jpg"},
        "processing_pipeline": ["blurriness"],
        "step_parameters": {"blurriness": {"limit": "much"}},
    }
    answer = page.client.post("/api/jobs", json={"job_definition": definition})
    assert answer.status_code == 422
    assert "step_parameters.blurriness.limit" in answer.json()["detail"]
    assert page.services.queues.names() == []


def test_the_api_tells_what_may_be_said_to_each_step(page: Page) -> None:
    steps = {told["name"]: told for told in page.client.get("/api/pipeline/steps").json()}
    limit, mode, *_ = steps["blurriness"]["parameters"]
    assert (limit["name"], limit["type"], limit["default"]) == ("limit", "number", 100)
    assert mode["choices"] == ["quick", "careful"]
    assert steps["plain"]["parameters"] == []


def test_the_upload_page_has_a_field_for_each_parameter_and_shows_its_default(page: Page) -> None:
    html = page.client.get("/upload").text
    assert html.count('data-parameters="') == 1
    assert 'name="blurriness.limit"' in html
    assert 'type="number"' in html
    assert 'placeholder="100"' in html
    assert "Below &lt;this&gt;, a photo counts as blurred." in html
    assert "as usual: quick" in html
    assert "as usual: no" in html
    assert "<option>careful</option>" in html
    assert "<option>blue</option>" in html
    assert "None" not in html
