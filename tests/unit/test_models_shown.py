"""What steps made of model cards find shows by itself, and names the model beside it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from imaginem.cli.own_outputs import own_tables
from imaginem.pipeline.card_steps import detector_step
from imaginem.pipeline.steps import Registry
from imaginem.ports import PhotoFilter
from imaginem.testing import MemoryServices
from tests.own_steps import keep_result, services_with_signs, web_of
from tests.unit.test_model_cards import DETECTOR

MODEL = {"model": "Roadside", "model_version": "3", "threshold": 0.4}
TENT = {"name": "tent", "confidence": 0.9, "rectangle": {"x": 10, "y": 5, "w": 20, "h": 10}}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "signs.json").write_text(json.dumps(DETECTOR))
    registry = Registry()
    detector_step(str(tmp_path / "signs.py"), registry=registry)
    return registry


@pytest.fixture
def services(registry: Registry) -> MemoryServices:
    services = services_with_signs(registry)
    keep_result(services, ("b", "found"), {"objects": [TENT], **MODEL})
    keep_result(services, ("b", "nothing"), {"objects": [], **MODEL, "unread_pages": [2]})
    return services


def found(services: MemoryServices, **asked: Any) -> list[str]:
    return [photo.id for photo in services.catalogue.photos(PhotoFilter(**asked)).photos]


def test_photos_are_found_by_a_label_and_not_by_the_models_name(services: MemoryServices) -> None:
    assert found(services, tag="tent") == ["found"]
    assert found(services, text="Roadside") == []


def test_the_page_has_boxes_and_the_model_and_no_row_that_says_nothing(
    services: MemoryServices, registry: Registry
) -> None:
    page = web_of(services, registry).get("/photos/b/found").text

    assert '<rect data-box="own-signs-1" x="10" y="5" width="20" height="10">' in page
    section = page.partition('<section class="own"')[2].partition("</section>")[0]
    titles = re.findall(r"<dt>([\w ]+?) <small>", section)
    assert titles == ["Objects", "Model", "Model version", "Threshold"]
    assert "does not tell" not in section


def test_nothing_found_is_said_beside_pages_that_were_not_read(
    services: MemoryServices, registry: Registry
) -> None:
    page = web_of(services, registry).get("/photos/b/nothing").text

    told = dict(re.findall(r"<dt>([\w ]+?) <small>.+?</dt>\s*<dd>(.+?)</dd>", page))
    assert told["Objects"] == "Nothing found."
    assert "2" in told["Unread pages"]


def test_the_command_line_has_a_column_for_what_any_photo_says(
    services: MemoryServices, registry: Registry
) -> None:
    results = [services.results.read(("b", job)) for job in ("found", "nothing")]
    console = Console(width=200)
    with console.capture() as printed:
        console.print(*own_tables([result for result in results if result], registry, 200))

    head, *_, first, second = [line for line in printed.get().splitlines() if line.strip()][1:]
    assert re.split(r"  +", head.strip()) == [
        *("photo", "Objects", "Model", "Model version", "Threshold", "Unread pages"),
    ]
    assert re.split(r"  +", first.strip())[-1] == "0.4"
    assert re.split(r"  +", second.strip())[1:] == ["-", "Roadside", "3", "0.4", "2"]
