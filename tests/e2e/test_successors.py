"""The whole pipeline through the successors of Computer Vision, on real workers and storage."""

from collections.abc import Callable, Iterator
from typing import get_args

import pytest
from pydantic import BaseModel

from imaginem.ai_emulator import AiEmulatorServer
from imaginem.config.engine_table import AccountName
from imaginem.host import Emulator
from imaginem.outputs import ImageAnalysis, OcrText
from imaginem.ports import PhotoFilter
from tests.conftest import ROOT
from tests.e2e.conftest import account_settings
from tests.installation import Installation

MODELS: dict[str, type[BaseModel]] = {"generalclassification": ImageAnalysis, "ocr": OcrText}
PHOTOS = ("obama.jpg", "obama2.jpg", "page.png")


@pytest.fixture(scope="module")
def running(
    own_azurite: Emulator, ai_emulator: AiEmulatorServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    settings = account_settings(ai_emulator.address, get_args(AccountName))
    settings |= {"VISION_ENGINE": "contentunderstanding", "FACE_ENGINE": "azure"}
    home = tmp_path_factory.mktemp("successors")
    connection = own_azurite.connection_string
    with Installation(ROOT, home, connection, environment=settings) as installation:
        yield installation


def test_all_seven_steps_run_and_their_outputs_are_of_the_same_models(
    running: Installation,
    ai_emulator: AiEmulatorServer,
    sample: Callable[[str], bytes],
    batch: str,
) -> None:
    before = len(ai_emulator.ai_emulator.requests)
    running.process({name: sample(name) for name in PHOTOS}, batch=batch)

    for name in PHOTOS:
        outputs = running.outputs(batch, name)
        for step, model in MODELS.items():
            found = model.model_validate(outputs[step])
            assert found.model_dump(mode="json", exclude_none=True) == outputs[step]
        assert running.runtime.results.read((batch, name)) is not None

    page, portrait = (running.outputs(batch, name) for name in ("page.png", "obama.jpg"))
    assert "Region" in page["ocr"]["full_text"]
    assert "person" in [tag["name"] for tag in portrait["generalclassification"]["tags"]]
    assert portrait["generalclassification"]["objects"]  # the local engine is here
    assert "not_looked_for" not in portrait["generalclassification"]
    found_by_tag = running.runtime.catalogue.photos(PhotoFilter(tag="person", batch=batch))
    assert {"obama.jpg", "obama2.jpg"} <= {photo.id for photo in found_by_tag.photos}
    matches = running.runtime.gallery.matches_of(
        [face.face_id for face in running.runtime.gallery.faces_of((batch, "obama.jpg"))]
    )
    assert len(matches) == 1
    asked = ai_emulator.ai_emulator.requests[before:]
    assert not [request for request in asked if " /vision/" in request]
    assert len([one for one in asked if ":analyzeBinary" in one]) == len(PHOTOS)
    assert len([one for one in asked if "prebuilt-read:analyze" in one]) == len(PHOTOS)
