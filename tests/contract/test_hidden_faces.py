"""Faces that are hidden, cut off or poor in colours are found, and nothing else for one."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.hidden_faces import box_of, cut, filling, found, masked, of_few_colours
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.face_finder import FaceFinder
from imaginem.engines.local.faces import LocalFaces
from imaginem.engines.local.recognizer import FaceEmbedder
from imaginem.images.decoding import Photo, decode_photo, encode_png
from imaginem.outputs import Face, name_face
from imaginem.ports import CallContext

CALL = CallContext.without_job("a test")
WHITE = (235, 235, 235)
Array = NDArray[Any]


@pytest.fixture(scope="module")
def store() -> AssetStore:
    return AssetStore(read_settings().assets)


@pytest.fixture(scope="module")
def detector(store: AssetStore) -> LocalFaces:
    return LocalFaces(store)


def sample(store: AssetStore, name: str) -> Photo:
    return decode_photo(store.path(name).read_bytes())


def as_photo(picture: Array) -> Photo:
    return decode_photo(encode_png(Image.fromarray(picture)))


@pytest.mark.parametrize(
    "change",
    [
        lambda rgb, faces: masked(rgb, faces, WHITE),
        lambda rgb, faces: of_few_colours(rgb, 8),
        lambda rgb, faces: (rgb * 0.2).astype(np.uint8),
    ],
    ids=["masks", "a palette", "little light"],
)
def test_faces_of_a_group_are_found_with(
    change: Callable[[Array, list[Face]], Array], store: AssetStore, detector: LocalFaces
) -> None:
    photo = sample(store, "group5.jpg")
    faces = detector.detect(photo, CALL)

    seen = detector.detect(as_photo(change(photo.array, faces)), CALL)

    assert [found(seen, box_of(face)) for face in faces] == [True] * 5


def test_a_profile_and_a_lowered_face_are_found(store: AssetStore, detector: LocalFaces) -> None:
    assert len(detector.detect(sample(store, "group2.jpg"), CALL)) == 3


@pytest.mark.parametrize("made", [cut, filling])
def test_a_face_that_reaches_out_of_the_photo_is_found(
    made: Any, store: AssetStore, detector: LocalFaces
) -> None:
    photo = sample(store, "grace_hopper.jpg")

    for picture, boxes in made(photo.array, detector.detect(photo, CALL)):
        seen = detector.detect(as_photo(picture), CALL)

        assert [found(seen, box) for box in boxes] == [True]


@pytest.mark.parametrize(
    ("name", "clockwise"), [("motorcycle_left.png", 0), ("chelsea.png", 2), ("page.png", 0)]
)
def test_what_only_one_network_takes_for_a_face_is_none(
    name: str, clockwise: int, store: AssetStore
) -> None:
    picture = np.ascontiguousarray(np.rot90(sample(store, name).array, clockwise))

    assert len(FaceFinder(store).detect(picture)) == 0


def test_specks_are_no_faces(store: AssetStore) -> None:
    rgb = sample(store, "grace_hopper.jpg").array
    face = FaceFinder(store).detect(rgb)
    height = float(face.boxes[0, 3] - face.boxes[0, 1])

    def at(pixels: int) -> int:
        size = cv2.resize(rgb, None, fx=pixels / height, fy=pixels / height)
        return len(FaceFinder(store).detect(size))

    assert (at(30), at(13)) == (1, 0)


def test_a_face_of_a_small_copy_lies_where_it_is_in_the_photo(store: AssetStore) -> None:
    rgb = sample(store, "grace_hopper.jpg").array
    (one,) = FaceFinder(store).detect(rgb).boxes
    (other,) = FaceFinder(store).detect(cv2.resize(rgb, None, fx=4, fy=4)).boxes

    assert np.abs(other / 4 - one).max() < 12


def test_a_mask_lowers_what_matches_of_a_face_are_worth(
    store: AssetStore, detector: LocalFaces
) -> None:
    embedder = FaceEmbedder(store)

    def quality(photo: Photo) -> float:
        (face,) = detector.detect(photo, CALL)
        where = face.face_rectangle
        named = {"face_id": name_face(("b", "j"), photo.sha256, "test", where)}
        return embedder.embed(photo, face.model_copy(update=named)).quality

    bare = sample(store, "grace_hopper.jpg")
    hidden = masked(bare.array, detector.detect(bare, CALL), WHITE)

    assert quality(as_photo(hidden)) < 0.6 < quality(bare)
