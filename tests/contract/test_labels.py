"""What the local engine says of photos: words that help find people, and none that shames them."""

import io
from functools import cache

import pytest
from PIL import Image

from benchmarks.labels import LEAST_PRECISION, judge, labelled_photos
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.dignity import is_refused, tells_of_bodies
from imaginem.engines.local.vision import LocalVision
from imaginem.engines.local.words import vocabulary
from imaginem.images.decoding import decode_photo
from imaginem.outputs import ImageAnalysis
from imaginem.ports import CallContext

CALL = CallContext.without_job("test")
PHOTOS = labelled_photos()
PEOPLE = [name for name, row in PHOTOS.items() if "person" in row["right"]]
STORE = AssetStore(read_settings().assets)
ENGINE = LocalVision(STORE)


@cache
def analysed(name: str, top: float = 0.0) -> ImageAnalysis:
    """Return the analysis of a photo without its upper part: bodies without faces mislead most.

    Args:
        name: of the sample photo.
        top: share of the photo that is cut off.
    """
    with Image.open(STORE.path(name)) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((1024, 1024))
    part = picture.crop((0, round(picture.height * top), picture.width, picture.height))
    file = io.BytesIO()
    part.save(file, "JPEG", quality=95)
    return ENGINE.analyze(decode_photo(file.getvalue()), CALL)


@pytest.mark.parametrize("top", [0.0, 0.4])
@pytest.mark.parametrize("name", PEOPLE)
def test_people_get_no_word_of_bodies_underwear_or_what_they_wear(name: str, top: float) -> None:
    found = analysed(name, top)
    words = vocabulary()
    told = {tag.name for tag in found.tags} | set(found.description.tags)
    objects = {thing.object for thing in found.objects}

    assert not [name for name in told | objects if is_refused(name)]
    assert not [text for text in found.description.captions if tells_of_bodies(text.text)]
    assert not [each.name for each in found.categories if each.name.startswith("animal_")]
    if "person" in objects:
        assert told <= {*words.objects, *words.anywhere, "crowd"} | objects


def test_nine_of_ten_tags_of_photos_that_a_person_looked_at_are_right() -> None:
    judged = [
        judge(row, "whole", [tag.name for tag in analysed(name).tags])
        for name, row in PHOTOS.items()
    ]
    told = sum(len(one.told) for one in judged)

    assert sum(len(one.right) for one in judged) >= LEAST_PRECISION * told
    assert sum(len(one.found) for one in judged) >= 0.6 * sum(len(one.useful) for one in judged)
