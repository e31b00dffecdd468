"""Photos that lie on a side or upside down give what the upright ones give, in their own pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.faces import LocalFaces
from imaginem.engines.local.ocr import LocalOcr
from imaginem.engines.local.orientation import AS_IT_LIES, Orientation, OrientationFinder
from imaginem.engines.local.recognizer import FaceEmbedder
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import Face, OcrText, name_face
from imaginem.ports import CallContext

CALL = CallContext.without_job("a test")
ON_ITS_SIDE = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180} | {
    270: Image.Transpose.ROTATE_90
}  # clockwise
Spot = tuple[float, float]


@pytest.fixture(scope="module")
def store() -> AssetStore:
    return AssetStore(read_settings().assets)


def photo_of(store: AssetStore, name: str, clockwise: int = 0, orientation: int = 0) -> Photo:
    """Return a sample photo that somebody turned, perhaps with a word of Exif."""
    with Image.open(store.path(name)) as opened:
        picture = opened.convert("RGB")
    exif, out = Image.Exif(), io.BytesIO()
    if orientation:
        exif[0x0112] = orientation
    if clockwise:
        picture = picture.transpose(ON_ITS_SIDE[clockwise])
    picture.save(out, "PNG", exif=exif, compress_level=1)
    return decode_photo(out.getvalue())


def moved(spot: Spot, upright: Photo, clockwise: int) -> Spot:
    """Return where a spot of the upright photo lies once that is turned."""
    (x, y), right, bottom = spot, upright.width, upright.height
    return {90: (bottom - y, x), 180: (right - x, bottom - y), 270: (y, right - x)}[clockwise]


def near(one: Spot, other: Spot) -> bool:
    return bool(np.abs(np.subtract(one, other)).max() <= 2)


@pytest.fixture(scope="module")
def page(store: AssetStore) -> tuple[Photo, OcrText]:
    photo = photo_of(store, "page.png")
    return photo, LocalOcr(store).read(photo, CALL)


@pytest.mark.parametrize("clockwise", ON_ITS_SIDE)
def test_a_page_that_lies_otherwise_gives_the_lines_of_the_upright_one(
    store: AssetStore, page: tuple[Photo, OcrText], clockwise: int
) -> None:
    upright, read = page
    found = LocalOcr(store).read(photo_of(store, "page.png", clockwise), CALL)

    assert len(read.lines) > 5
    assert found.full_text == read.full_text
    assert found.turn is not None and found.turn.degrees == 360 - clockwise
    for line, other in zip(read.lines, found.lines, strict=True):
        for word, turned in zip((line, *line.words), (other, *other.words), strict=True):
            begin = word.polygon[0], word.polygon[1]
            assert near(moved(begin, upright, clockwise), (turned.polygon[0], turned.polygon[1]))


def named(face: Face) -> Face:
    return face.model_copy(update={"face_id": name_face(("b", "j"), "", "", face.face_rectangle)})


@pytest.mark.parametrize("clockwise", ON_ITS_SIDE)
def test_a_face_that_lies_otherwise_is_the_same_face(store: AssetStore, clockwise: int) -> None:
    engine, embedder = LocalFaces(store), FaceEmbedder(store)
    upright = photo_of(store, "grace_hopper.jpg")
    photo = photo_of(store, "grace_hopper.jpg", clockwise)
    (face,), (other,) = engine.detect(upright, CALL), engine.detect(photo, CALL)

    assert other.turn is not None and other.turn.degrees == 360 - clockwise
    for name, spot in face.face_landmarks.items():
        there = other.face_landmarks[name]
        assert near(moved((spot.x, spot.y), upright, clockwise), (there.x, there.y))
    where, box = face.face_rectangle, other.face_rectangle
    middle = where.left + where.width / 2, where.top + where.height / 2
    assert near(
        moved(middle, upright, clockwise), (box.left + box.width / 2, box.top + box.height / 2)
    )
    one, two = embedder.embed(upright, named(face)), embedder.embed(photo, named(other))
    cosine = np.frombuffer(one.embedding, np.float32) @ np.frombuffer(two.embedding, np.float32)
    assert cosine > 0.98
    assert abs(one.quality - two.quality) < 0.1


@pytest.mark.parametrize("clockwise", [90, 180])
def test_a_face_is_found_where_the_photo_alone_does_not_tell_how_it_lies(
    store: AssetStore, clockwise: int
) -> None:
    photo = photo_of(store, "biden.jpg", clockwise)
    (face,) = LocalFaces(store).detect(photo, CALL)

    looks = OrientationFinder(store).of(photo)
    assert not looks.is_sure and looks.likeliest != 360 - clockwise
    assert face.turn is not None and face.turn.degrees == 360 - clockwise


@pytest.mark.parametrize("told", [3, 6, 8])
def test_a_face_is_found_where_exif_tells_what_is_no_longer_so(
    store: AssetStore, told: int
) -> None:
    """As in photos whose pixels a program turned without a change of what Exif tells."""
    photo = photo_of(store, "biden.jpg", orientation=told)
    (face,) = LocalFaces(store).detect(photo, CALL)

    assert photo.told_upright
    assert face.turn is not None and face.turn.degrees == {3: 180, 6: 270, 8: 90}[told]


def test_no_sample_photo_that_is_upright_is_turned(store: AssetStore) -> None:
    finder = OrientationFinder(store)
    for asset in store.manifest.of_kind("sample"):
        orientation = finder.of(decode_photo(store.path(asset.name).read_bytes()))
        assert not (orientation.is_sure and orientation.likeliest), asset.name


def test_engines_decide_once_which_way_a_photo_lies(store: AssetStore) -> None:
    photo = photo_of(store, "page.png", 90)
    LocalOcr(store).read(photo, CALL)

    def again() -> Orientation:
        raise AssertionError("it was decided already")

    kept = photo.once("orientation", again)
    LocalFaces(store).detect(photo, CALL)
    assert kept is OrientationFinder(store).of(photo)
    assert kept.likeliest == 270


def test_what_the_file_tells_and_what_is_too_thin_is_left_as_it_is(store: AssetStore) -> None:
    finder, turned_by_exif = OrientationFinder(store), 3
    told = photo_of(store, "page.png", orientation=turned_by_exif)
    out = io.BytesIO()
    Image.new("RGB", (2400, 18)).save(out, "PNG")

    assert finder.of(told) is AS_IT_LIES
    assert finder.of(decode_photo(out.getvalue())) is AS_IT_LIES
    assert finder.of(photo_of(store, "page.png", 180, orientation=1)).likeliest == 180
