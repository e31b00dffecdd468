"""What people say to steps on the upload page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from imaginem import JobContext, StepOutput, StepParameters, step
from imaginem.message import decode_message
from imaginem.pipeline.steps import Registry
from imaginem.testing import MemoryServices, photo_bytes
from tests.browser.conftest import Dashboard, Window, in_memory
from tests.dashboard import web_services


class Wishes(StepParameters):
    """What may be said to the steps here."""

    limit: float = 100


@pytest.fixture(scope="module")
def services() -> MemoryServices:
    return web_services()


@pytest.fixture(scope="module")
def dashboard(services: MemoryServices) -> Iterator[Dashboard]:
    registry = Registry()
    for name in ("blurriness", "loudness"):

        def say(job: JobContext) -> StepOutput:
            """Only its parameters matter here."""
            return StepOutput()

        say.__name__ = name
        step(parameters=Wishes, registry=registry)(say)
    with in_memory(services, registry) as made:
        yield made


def test_only_what_is_said_to_chosen_steps_is_sent(
    window: Window, services: MemoryServices, tmp_path: Path
) -> None:
    page = window.open("/upload?batch=said")
    page.locator("summary").click()
    for name, limit in (("blurriness", "7"), ("loudness", "9")):
        page.get_by_role("checkbox", name=re.compile(f"^{name}")).check()
        page.locator(f'[name="{name}.limit"]').fill(limit)
    page.get_by_role("checkbox", name=re.compile("^loudness")).uncheck()
    expect(page.locator('[name="loudness.limit"]')).to_be_hidden()
    photo = tmp_path / "a.png"
    photo.write_bytes(photo_bytes())
    page.locator("#files").set_input_files(photo)
    page.locator("#send").click()
    page.wait_for_url("**/batches/said")

    (sent,) = services.queues.receive("blurriness", 1, 30)
    definition = decode_message(sent.body, ()).job_definition
    assert definition.processing_pipeline == ["blurriness"]
    assert definition.step_parameters == {"blurriness": {"limit": 7.0}}
