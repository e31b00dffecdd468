"""What the local engine says of people: words that help to find them, and none that shames them."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.dignity import is_refused, tells_of_bodies
from imaginem.engines.local.vision import LocalVision
from imaginem.engines.local.words import vocabulary
from imaginem.images.decoding import decode_photo
from imaginem.outputs import ImageAnalysis
from imaginem.ports import CallContext

CALL = CallContext.without_job("test")
PEOPLE = (
    *("astronaut.png", "biden.jpg", "camera.png", "grace_hopper.jpg", "obama.jpg", "obama2.jpg"),
    *("obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg", "32bit.png"),
    *(f"group{number}.jpg" for number in range(1, 7)),
)
STORE = AssetStore(read_settings().assets)
ENGINE = LocalVision(STORE)


def pictures(name: str) -> Iterator[Image.Image]:
    """Yield a photo, and the part of it where bodies without faces are."""
    with Image.open(STORE.path(name)) as opened:
        whole = opened.convert("RGB")
    whole.thumbnail((1024, 1024))
    yield whole
    yield whole.crop((0, round(whole.height * 0.4), whole.width, whole.height))


def analysed(picture: Image.Image) -> ImageAnalysis:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    return ENGINE.analyze(decode_photo(file.getvalue()), CALL)


@pytest.mark.parametrize("name", PEOPLE)
def test_people_get_no_word_of_bodies_underwear_or_what_they_wear(name: str) -> None:
    words = vocabulary()
    on_people = {*words.objects, *words.anywhere, "crowd"}
    for picture in pictures(name):
        found = analysed(picture)
        told = {tag.name for tag in found.tags} | set(found.description.tags)
        objects = {thing.object for thing in found.objects}

        assert not [name for name in told | objects if is_refused(name)]
        assert not [
            caption for caption in found.description.captions if tells_of_bodies(caption.text)
        ]
        assert not [each.name for each in found.categories if each.name.startswith("animal_")]
        if "person" in objects:
            assert told <= on_people | objects
